"""The rows of two models: of variants by name, of pairs by the id that a label has too."""

from typing import Any

import pyarrow as pa

from monitor_tasks.tables.paired import of_variants, sides_of


def rows(*known: tuple[str | None, str, str, str | None], label: str = "label", row: int = 0) -> pa.Table:
    """Rows of an inference id, an event id, a score and a label."""
    inference, event, score, labels = ([one[place] for one in known] for place in range(4))
    columns: dict[str, Any] = {
        "@event_id": event, "@inference_id": inference, "@row": pa.array([row] * len(known), pa.int64()),
        "@variant": ["a" if one.startswith("a") else "b" for one in event], "score": score, label: labels,
    }  # fmt: skip
    texts = {name: pa.array(one, pa.string()) for name, one in columns.items() if name != "@row"}
    return pa.table({**texts, "@row": columns["@row"]}).select(list(columns))


def test_variants_of_one_endpoint_meet_where_a_request_has_an_id() -> None:
    table = rows(("r1", "a1", "0.1", "0"), (None, "a2", "0.2", "1"), ("r1", "b1", "0.3", "0"), ("r1", "b2", "0.4", "0"))
    found = of_variants(table, "@variant", "a", "b")
    assert found.champion.to_pydict() == {"score": ["0.1", "0.2"], "label": ["0", "1"], "@event_id": ["r1", "a2"]}
    assert [one["score"].to_pylist() for one in found.paired] == [["0.1"], ["0.3"]]


def test_endpoints_meet_by_event_id_whatever_the_order_and_share_a_label() -> None:
    champion = rows(("", "x", "0.1", None), ("", "y", "0.2", "1"), ("", "z", "0.3", None))
    challenger = rows((None, "z", "0.6", None), (None, "x", "0.4", "0"), (None, "w", "0.5", "1"), label="truth")
    one, other = sides_of(champion, challenger, ("label", "truth")).paired
    assert sorted(zip(*one.to_pydict().values(), strict=True)) == [("0.1", "0", "x"), ("0.3", None, "z")]
    assert sorted(zip(*other.to_pydict().values(), strict=True)) == [("0.4", "0", "x"), ("0.6", None, "z")]
    assert one["@event_id"] == other["@event_id"]


def test_rows_of_one_record_meet_row_by_row() -> None:
    several = pa.concat_tables([rows(("r", "a", "0.1", "0")), rows(("r", "a", "0.2", "1"), row=1)])
    answers = pa.concat_tables([rows(("r", "b", "0.3", "1"), row=1), rows(("r", "b", "0.4", "0"))])
    one, other = sides_of(several, answers).paired
    assert sorted(zip(one["score"].to_pylist(), other["score"].to_pylist(), strict=True)) == [
        ("0.1", "0.4"),
        ("0.2", "0.3"),
    ]


def test_nothing_meets_nothing() -> None:
    found = sides_of(rows(), rows(("r", "b", "0.3", "1")))
    assert [one.num_rows for one in (*found[:2], *found.paired)] == [0, 1, 0, 0]
