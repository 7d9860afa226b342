"""SageMaker's own files, kept beside the repository; tests skip where they are not."""

from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pytest

SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "data" / "sagemaker"


def sample(name: str) -> bytes:
    """The bytes of one sample file."""
    path = SAMPLES / name
    if not path.is_file():
        pytest.skip(f"SageMaker's sample {name} is not beside this repository ({SAMPLES})")
    return path.read_bytes()


def table(name: str, *, header: bool) -> pa.Table:
    """A CSV sample with every cell as text, empty cells missing, columns named as SageMaker names them."""
    reading = pa.csv.ReadOptions(autogenerate_column_names=not header)
    names = pa.csv.read_csv(pa.BufferReader(sample(name)), read_options=reading).column_names
    converting = pa.csv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True, null_values=[""]
    )
    rows = pa.csv.read_csv(pa.BufferReader(sample(name)), read_options=reading, convert_options=converting)
    return rows if header else rows.rename_columns([f"_c{index}" for index in range(len(names))])
