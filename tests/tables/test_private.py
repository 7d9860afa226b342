"""Private columns: what is hashed or left out, and what stays comparable."""

import hmac

import pyarrow as pa
import pytest

from monitor_tasks.tables.private import hidden

ROWS = pa.table({"who": ["Ada", "Bob", None, "Ada"], "pin": [1, 2, None, 1], "score": [0.1, 0.2, 0.3, 0.4]})


def test_equal_cells_stay_equal_and_missing_ones_missing() -> None:
    found = hidden(ROWS, {"who": "hash", "pin": "hash"}, b"key")
    assert found.column_names == ROWS.column_names
    for name in ("who", "pin"):
        one, two, three, four = found[name].to_pylist()
        assert (one, three) == (four, None)
        assert len({one, two}) == 2
    expected = hmac.new(b"key", b"Ada", "sha256").hexdigest()[:16]
    assert found["who"][0].as_py() == f"#{expected}"
    assert found["score"] == ROWS["score"]


def test_another_key_gives_other_hashes() -> None:
    assert hidden(ROWS, {"who": "hash"}, b"one")["who"] != hidden(ROWS, {"who": "hash"}, b"two")["who"]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_a_hash_does_not_depend_on_how_the_text_is_stored(kind: pa.DataType) -> None:
    stored = pa.table({"who": ROWS["who"].cast(kind)})
    assert hidden(stored, {"who": "hash"}, b"key")["who"].to_pylist() == (
        hidden(ROWS, {"who": "hash"}, b"key")["who"].to_pylist()
    )


def test_dropped_columns_are_gone_and_unknown_ones_are_no_matter() -> None:
    assert hidden(ROWS, {"pin": "drop", "other": "hash"}, b"").column_names == ["who", "score"]
    assert hidden(ROWS.slice(0, 0), {"who": "hash"}, b"").num_rows == 0
