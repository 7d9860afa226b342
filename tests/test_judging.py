"""The verbs on tables that are read batch by batch: how the rows lie in batches changes no byte of what is found."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor_tasks import cli, judging
from monitor_tasks.judging import check, read_baseline, suggest
from monitor_tasks.monitors.settings import MONITORS
from monitor_tasks.tables.files import Stored

SETTINGS = MONITORS["data_quality"].settings(minimum_rows=1)
CELLS = {
    "number": st.one_of(st.none(), st.floats(allow_nan=False)),
    "digits": st.sampled_from(["1", "2", "- 3", "1e9", None]),
    "late": st.sampled_from(["1", "2.0", "oops", "true", None]),
    "text": st.sampled_from(["a", "b", "", None]),
}
TYPES = {name: pa.float64() if name == "number" else pa.string() for name in CELLS}
SUITE = json.dumps(
    [
        {"type": "expect_column_values_to_be_unique", "kwargs": {"column": "number", "mostly": 0.5}},
        {"type": "expect_column_pair_values_to_be_equal", "kwargs": {"column_A": "digits", "column_B": "late"}},
        {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "text", "mostly": 0.5}},
    ]
).encode()


def in_batches(table: pa.Table, size: int) -> Stored:
    """A stored table of small batches that only reading counts."""

    def read(names: list[str]) -> Iterator[pa.Table]:
        wanted = table.select(names)
        yield from (wanted.slice(start, size) for start in range(0, wanted.num_rows, size))

    return Stored(table.schema, {name: name for name in table.column_names}, read)


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    rows = draw(st.integers(1, 30))
    return pa.table(
        {
            name: pa.array(draw(st.lists(cell, min_size=rows, max_size=rows)), TYPES[name])
            for name, cell in CELLS.items()
        }
    )


@settings(max_examples=10, deadline=None)
@given(tables(), tables(), st.integers(1, 12), st.booleans())
def test_batches_give_the_files_of_one_table(reference: pa.Table, window: pa.Table, size: int, by_name: bool) -> None:
    files = suggest("data_quality", SETTINGS, reference)
    assert suggest("data_quality", SETTINGS, in_batches(reference, size)) == files
    known = read_baseline("id", "data_quality", SETTINGS, files.get)
    window = window if by_name else window.rename_columns([f"_c{place}" for place in range(window.num_columns)])
    whole, batched = (
        check("data_quality", SETTINGS, one, known, SUITE if by_name else b"")
        for one in (window, in_batches(window, size))
    )
    assert (batched.notes, batched.rows, batched.artifacts) == (whole.notes, whole.rows, whole.artifacts)
    assert bool(whole.notes) is not by_name


def test_a_reference_that_is_not_held_keeps_itself_and_finds_the_same_drift(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = np.random.default_rng(3)
    reference = pa.table({"x": chance.normal(size=20_000), "k": chance.choice(["a", "b"], 20_000)})
    window = pa.table({"x": chance.normal(0.5, 1, 20_000), "k": chance.choice(["a", "b"], 20_000)})
    distances, edges = [], set()
    for held in (reference.num_rows * 2, reference.num_rows * 2 - 1):
        monkeypatch.setattr(judging, "HELD", held)
        files = suggest("data_quality", SETTINGS, in_batches(reference, 3_000))
        edges.add(files["edges.json"])
        known = read_baseline("id", "data_quality", SETTINGS, files.get)
        assert not check("data_quality", SETTINGS, reference, known).report("", "").violations
        found = check("data_quality", SETTINGS, window, known).findings
        distances += [one.metric.details["distance"] for one in found if one.metric and one.metric.name == "drift_linf"]
    assert len(edges) == 2
    assert distances == pytest.approx(distances[:2] * 2, abs=0.001)
    assert len(distances) == 4


LABELLED = {
    "two classes": ("model_quality", {"probability_attribute": "score", "segments": ["group"], "worst_slices": {}}),
    "many classes": (
        "model_quality",
        {"problem_type": "MulticlassClassification", "inference_attribute": "class", "ground_truth_attribute": "group"},
    ),
    "numbers": (
        "model_quality",
        {"problem_type": "Regression", "inference_attribute": "score", "ground_truth_attribute": "size",
         "estimate": True},
    ),
    "bias": (
        "bias",
        {"predicted_label": "score", "probability_threshold": 0.5, "facets": [{"name": "group"}], "sample_rows": 64},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", LABELLED)
def test_labelled_rows_are_never_held_whole_and_give_the_same_files(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, told = LABELLED[case]
    asked, chance = MONITORS[name].settings.model_validate(told), np.random.default_rng(5)
    reference, window = (
        pa.table(
            {
                "score": chance.random(900),
                "label": pa.array([str(one) for one in chance.integers(0, 2, 900)], mask=chance.random(900) < 0.1),
                "class": chance.choice(["a", "b", "c"], 900),
                "group": chance.choice(["a", "b", "c"], 900),
                "size": chance.normal(0.5, 1, 900).round(1),
            }
        )
        for _ in range(2)
    )
    files = suggest(name, asked, reference)
    known = read_baseline("id", name, asked, files.get)
    whole = check(name, asked, window, known)
    monkeypatch.setattr(Stored, "whole", None)
    assert suggest(name, asked, in_batches(reference, 250)) == files
    batched = check(name, asked, in_batches(window, 70), known)
    assert (batched.findings, batched.estimates, batched.artifacts) == (
        whole.findings, whole.estimates, whole.artifacts,
    )  # fmt: skip
    assert any(one.metric for one in batched.findings)


def test_no_rows_are_no_reference_and_an_empty_window(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty.csv").write_text("a,b\n")
    (tmp_path / "rows.csv").write_text("a,b\n1,x\n")
    for table, code, said in (("empty", 2, "empty.csv: holds no rows; a baseline needs some"), ("rows", 0, "")):
        assert run("suggest", tmp_path / f"{table}.csv", "--output", tmp_path / "base") == code
        assert said in capsys.readouterr().err.replace("\n", "")
    assert run("check", tmp_path / "empty.csv", "--baseline", tmp_path / "base", "--output", tmp_path / "out") == 3
    assert json.loads((tmp_path / "out/statistics.json").read_text())["dataset"] == {"item_count": 0}


def test_a_file_that_is_damaged_inside_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pq.write_table(pa.table({"x": np.random.default_rng(0).normal(size=90_000)}), tmp_path / "t.parquet")
    assert run("suggest", tmp_path / "t.parquet", "--output", tmp_path / "base") == 0
    content = bytearray((tmp_path / "t.parquet").read_bytes())
    content[9_000:200_000] = bytes(191_000)
    (tmp_path / "t.parquet").write_bytes(content)
    capsys.readouterr()
    assert run("check", tmp_path / "t.parquet", "--baseline", tmp_path / "base", "--output", tmp_path / "out") == 2
    said = capsys.readouterr().err.strip()
    assert said.startswith(f"{tmp_path}/t.parquet: not readable as parquet: ")
    assert "\n" not in said
    assert not (tmp_path / "out").exists()


def run(verb: str, table: Path, *more: object) -> int:
    """The exit code of a command."""
    with pytest.raises(SystemExit) as exited:
        cli.app([verb, str(table), "--monitor", "data_quality", *map(str, more)])
    return int(exited.value.code or 0)
