"""Batch transforms and tables: every row is a record with one fate, whatever its format and whatever is wrong."""

import gzip
import io
import json
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from monitor_tasks.inputs import DatasetFormat, Records
from monitor_tasks.tables.captured import Captured, Source, capture
from monitor_tasks.tables.hooks import hook_of
from monitor_tasks.tables.lines import Object, in_memory
from monitor_tasks.tables.manifests import is_manifest, pairs, read_manifest
from monitor_tasks.tables.streamed import Writing
from monitor_tasks.tables.transforms import Making, tabled, transformed
from monitor_tasks.value import UserError
from tests.tables.samples import cells, reasons

HOUR = datetime(2026, 1, 2, 3, tzinfo=UTC)
ID = "{:08d}-1111-4222-8333-444444444444".format
TIME = "2026-01-02T03:04:05Z"
CSV, NAMED = {"csv": {"header": False}}, {"csv": {"header": True}}
LINES, DOCUMENT, PARQUET = {"json": {"line": True}}, {"json": {"line": False}}, {"parquet": {}}
Content = bytes | str


def made(kind: Mapping[str, Any], **settings: Any) -> Making:
    known = Records(**settings)
    written = Writing(DatasetFormat.model_validate(kind), known.limits, tempfile.TemporaryFile)
    return Making(written, known.output_names)


def one(name: str, content: Content) -> Object:
    return in_memory([(name, content.encode() if isinstance(content, str) else content)])[0]


def transform(kind: Mapping[str, Any], output: Content | None, given: Content | None = None, **more: Any) -> Captured:
    sides = [content if content is None else one(name, content) for name, content in (("o.out", output), ("i", given))]
    return capture([transformed(*sides, HOUR, made(kind, **more))], Records(**more))


def table(kind: Mapping[str, Any], content: Content, name: str = "t", **settings: Any) -> Captured:
    return capture([tabled(one(name, content), HOUR, made(kind, **settings))], Records(**settings))


def lines(*rows: Any) -> str:
    return "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows)


def parquet(**columns: list[Any]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


def identities(found: Captured) -> list[tuple[str, str]]:
    return [
        (event_id, f"{time:%Y-%m-%dT%H:%M:%SZ}")
        for event_id, time in zip(found.table["@event_id"].to_pylist(), found.table["@time"].to_pylist(), strict=True)
    ]


def test_a_csv_output_stands_beside_its_input() -> None:
    found = transform(CSV, '0.5\n0.25\n\n"a,b"\n', '1,x\n2,"y\nz"\n3,\n')
    assert cells(found) == {"_c0": ["0.5", "0.25", "a,b"], "_c1": ["1", "2", "3"], "_c2": ["x", "y\nz", None]}
    assert identities(found) == [(f"o.out#{number}", "2026-01-02T03:00:00Z") for number in (1, 2, 3)]
    assert found.ledger.totals["read"] == found.ledger.totals["used"] == 3


@pytest.mark.parametrize("blank", ["", " "])
def test_an_inference_id_of_a_csv_is_its_last_two_columns(blank: str) -> None:
    found = transform(CSV, f"0.5,{blank}{ID(1)},{TIME}\n0.25,{blank}{ID(2)},{TIME}\n", "1\n2\n")
    assert identities(found) == [(ID(1), TIME), (ID(2), TIME)]
    assert cells(found) == {"_c0": ["0.5", "0.25"], "_c1": ["1", "2"]}


def test_a_csv_output_that_repeats_its_input_is_told_from_it() -> None:
    found = transform(CSV, f"1,x,0.5,{ID(1)},{TIME}\n2,y,0.25,{ID(2)},{TIME}\n", "1,x\n2,y\n")
    assert cells(found) == {"_c0": ["0.5", "0.25"], "_c1": ["1", "2"], "_c2": ["x", "y"]}


@pytest.mark.parametrize("output", ["score\n0.5\n0.25\n", "0.5\n0.25\n", f"0.5,{ID(1)},{TIME}\n0.25,{ID(2)},{TIME}\n"])
def test_a_header_names_columns_and_an_output_may_lack_it(output: str) -> None:
    found = transform(NAMED, output, "\ufeffage,name\r\n1,x\r\n2,\r\n", output_names=["score"])
    assert cells(found) == {"score": ["0.5", "0.25"], "age": ["1", "2"], "name": ["x", None]}


def test_a_row_that_the_header_does_not_fit_is_in_quarantine() -> None:
    found = table(NAMED, "a,b\n1,2\n3\n4,5,6\n7,8\n")
    assert (cells(found), reasons(found)) == ({"a": ["1", "7"], "b": ["2", "8"]}, ["bad_payload"] * 2)
    assert "1 cells, the header has 2" in next(found.quarantine()).excerpt


def test_json_lines_hold_id_answer_and_input() -> None:
    rows = [
        {"SageMakerInferenceId": ID(n), "SageMakerInferenceTime": TIME, "SageMakerOutput": {"label": n}, "age": n}
        for n in (1, 2)
    ]
    found = transform(LINES, lines(*rows))
    assert cells(found) == {"label": ["1", "2"], "age": ["1", "2"]}
    assert identities(found) == [(ID(1), TIME), (ID(2), TIME)]


def test_an_answer_in_the_row_needs_no_input_object() -> None:
    found = transform(LINES, lines({"SageMakerOutput": 0.5, "age": 1}), "this is not read")
    assert cells(found) == {"_c0": ["0.5"], "age": ["1"]}


def test_json_lines_are_joined_with_an_input_line_by_line() -> None:
    found = transform(LINES, lines({"score": 0.5}, {"score": 1}), lines({"features": [1, 2]}, {"features": [3, 4]}))
    assert cells(found) == {"score": ["0.5", "1"], "_c0": ["1", "3"], "_c1": ["2", "4"]}


def test_numbers_keep_their_digits() -> None:
    digits = "1.50", "1e400", "123456789012345678901234567890", "-0.0", "1E5"
    text = "\n".join(f'{{"SageMakerOutput": {{"y": {x}}}, "v": [{x}], "x": {x}}}' for x in digits)
    found = cells(transform(LINES, text))
    assert (found["y"], found["x"], found["v"]) == ([*digits], [*digits], [f"[{x}]" for x in digits])


def test_a_document_has_one_id_for_all_its_instances() -> None:
    document = {
        "SageMakerInferenceId": ID(1), "SageMakerInferenceTime": TIME,
        "instances": [{"features": [1]}, {"features": [2]}], "SageMakerOutput": {"predictions": [{"s": 3}, {"s": 4}]},
    }  # fmt: skip
    found = transform(DOCUMENT, json.dumps(document, indent=1), split_rows=True)
    assert cells(found) == {"s": ["3", "4"], "_c0": ["1", "2"]}
    assert identities(found) == [(ID(1), TIME)] * 2
    assert found.ledger.totals["used"] == 1


def test_a_document_that_is_a_list_of_objects_is_as_many_rows() -> None:
    found = transform(DOCUMENT, json.dumps([{"s": 1}, {"s": 2}]), json.dumps([{"a": 3}, {"a": 4}]))
    assert cells(found) == {"s": ["1", "2"], "a": ["3", "4"]}


@pytest.mark.parametrize(
    ("kind", "output", "given"),
    [
        (CSV, "1\n2\n", "1\n"),
        (NAMED, "1\n2\n3\n", "a\n1\n"),
        (LINES, "1\n", "1\n2\n"),
        (LINES, '{"a": 1}\n', ""),
        (DOCUMENT, '[{"a": 1}]', '[{"a": 1}, {"a": 2}]'),
        (PARQUET, parquet(a=[1, 2]), parquet(b=[1])),
    ],
)
def test_outputs_and_inputs_of_different_numbers_are_never_paired(
    kind: Mapping[str, Any], output: Content, given: Content
) -> None:
    found = transform(kind, output, given)
    assert (found.table.num_rows, reasons(found)) == (0, ["row_count"])
    assert found.ledger.totals["read"] == 1
    assert next(found.quarantine()).explanation.endswith("in i")


def test_an_output_without_input_is_counted_as_such() -> None:
    assert reasons(transform(CSV, "1\n2\n")) == ["no_input"] * 2
    assert reasons(transform(CSV, None, "1\n2\n")) == ["no_output"] * 2
    assert cells(transform(CSV, "1\n2\n", capture_options=["Output"])) == {"_c0": ["1", "2"]}


def test_an_empty_transform_is_empty() -> None:
    for kind in (CSV, NAMED, LINES, DOCUMENT):
        assert transform(kind, "", "").ledger.totals["read"] == 0


def test_a_parquet_table_is_read_row_by_row() -> None:
    content = parquet(
        score=[0.5, 3.0], age=[1, None], name=["x", "y"], at=[HOUR, HOUR], ok=[True, False],
        SageMakerInferenceId=[ID(1), ID(2)], SageMakerInferenceTime=[HOUR, HOUR],
    )  # fmt: skip
    found = table(PARQUET, content, output_names=["score"])
    assert cells(found) == {
        "score": ["0.5", "3.0"], "age": ["1", None], "at": ["2026-01-02T03:00:00+00:00"] * 2,
        "name": ["x", "y"], "ok": ["true", "false"],
    }  # fmt: skip
    assert [event_id for event_id, _ in identities(found)] == [ID(1), ID(2)]


def test_a_table_needs_no_outputs() -> None:
    assert cells(table(CSV, "1,2\n3,4\n")) == {"_c0": ["1", "3"], "_c1": ["2", "4"]}
    assert cells(table(CSV, "1,2\n3,4\n", output_names=["y"])) == {"y": ["1", "3"], "_c1": ["2", "4"]}
    assert cells(table(NAMED, "a,y\n1,2\n", output_names=["y"])) == {"y": ["2"], "a": ["1"]}
    assert cells(table(LINES, '{"a": 1}\n[1, 2]\n')) == {"a": ["1", None], "_c0": [None, "1"], "_c1": [None, "2"]}


def test_without_an_hour_only_a_rows_own_time_counts() -> None:
    rows = lines({"a": 1}, {"a": 2, "SageMakerInferenceTime": TIME})
    found = capture([tabled(one("t", rows), None, made(LINES))])
    assert (cells(found), reasons(found)) == ({"a": ["2"]}, ["unparsable_time"])


def test_a_gzip_is_unfolded_whatever_the_name_of_the_records() -> None:
    assert cells(table(CSV, gzip.compress(b"1,2\n"), "t.csv.gz")) == {"_c0": ["1"], "_c1": ["2"]}
    assert reasons(table(CSV, gzip.compress(b"1,2\n" * 99)[:-9], "t.csv.gz")) == ["damaged_gzip"]
    assert reasons(table(CSV, gzip.compress(b"1" * (8 << 20)), "t.csv.gz", limits={"unfolding": 9})) == ["gzip_bomb"]


@pytest.mark.parametrize(
    ("kind", "content", "found"),
    [
        (CSV, b'1,2\n3,"4', ["bad_payload"]),
        (CSV, b"1,2\n3,\xff\n", ["not_utf8"]),
        (CSV, b"1," + b"2" * 2000, ["too_long"]),
        (NAMED, b"a,a\n1,2\n", ["duplicate_key"]),
        (LINES, b'{"a": 1}\n{"a": \n{"a": 2}', ["bad_payload"]),
        (LINES, b'{"a": 1}\n{"a": "\xff"}\n{"a": 2}', ["bad_payload"]),
        (LINES, b'{"a": 1}\n{"a": "' + b"2" * 2000 + b'"}\n{"a": 2}', ["bad_payload"]),
        (LINES, b'{"a": 1, "a": 2}', ["bad_payload"]),
        (LINES, b'{"a": ' + b"[" * 400 + b"]" * 400 + b"}", ["too_deep"]),
        (LINES, b'{"a": "\\ud800"}', ["bad_payload"]),
        (LINES, b'{"a": 1, "SageMakerInferenceTime": {"a": 1}}', ["unparsable_time"]),
        (DOCUMENT, b'{"a": ', ["bad_payload"]),
        (DOCUMENT, b'{"a": "' + b"2" * 2000 + b'"}', ["too_long"]),
        (PARQUET, b"PAR1", ["bad_payload"]),
        (PARQUET, parquet(a=[1])[:-9], ["bad_payload"]),
    ],
)
def test_whatever_cannot_be_read_has_a_reason(kind: Mapping[str, Any], content: bytes, found: list[str]) -> None:
    taken = table(kind, content, limits={"record_bytes": 1000, "depth": 50})
    assert reasons(taken) == found
    totals = taken.ledger.totals
    assert totals["read"] == totals["used"] + totals["quarantined"]
    assert all(len(each.explanation) < 500 for each in taken.quarantine())


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_where_the_pieces_end_does_not_matter(size: int) -> None:
    text = '\ufeffa,b\r\n1,"x\ny"\r\n\r\n2,ü\r\n'.encode()
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    found = capture([tabled(Object("t", lambda: pieces), HOUR, made(NAMED))])
    assert cells(found) == {"a": ["1", "2"], "b": ["x\ny", "ü"]}


def test_a_repeated_inference_id_counts_once() -> None:
    rows = lines(*({"SageMakerInferenceId": ID(1), "SageMakerOutput": n, "a": n} for n in (1, 2)))
    found = transform(LINES, rows)
    assert (found.ledger.totals["duplicate"], found.ledger.conflicts, cells(found)["a"]) == (1, 1, ["1"])


def test_a_script_is_given_the_whole_row() -> None:
    script = """
import json
def preprocess_handler(inference_record):
    row = json.loads(inference_record.batch_transform_output.data)
    return {"score": row["SageMakerOutput"]["score"], "first": row["features"][0]}
"""
    row = {"SageMakerInferenceId": ID(1), "SageMakerOutput": {"score": 0.5}, "features": [1.50, 2]}
    making = made(LINES)._replace(is_whole=True)
    found = capture(
        Source([transformed(one("o", json.dumps(row)), None, HOUR, making)], hook_of(script, "p.py", Records()))
    )
    assert cells(found) == {"first": ["1.5"], "score": ["0.5"]}


def test_a_real_transform_output_is_read(shared: Path) -> None:
    content = (shared / "sagemaker/adult/batch_transform_output.jsonl").read_bytes()
    rows = [json.loads(line) for line in content.splitlines()]
    names = [f"f{number:02}" for number in range(14)]
    settings: dict[str, Any] = {"input_names": names, "output_names": ["predicted_label", "score"]}
    found = transform(LINES, content, **settings)
    assert found.ledger.totals["used"] == len(rows) == 5
    assert found.table["@event_id"].to_pylist() == [row["SageMakerInferenceId"] for row in rows]
    table_ = cells(found)
    assert list(table_) == ["predicted_label", "score", *names]
    assert table_["score"] == [repr(row["SageMakerOutput"]["score"]) for row in rows]
    assert [[column[n] for name, column in table_.items() if name in names] for n in range(5)] == [
        [str(cell) for cell in row["features"]] for row in rows
    ]


def test_a_real_manifest_is_read(shared: Path) -> None:
    content = (shared / "sagemaker/adult/batch_capture_output_manifest.json").read_bytes()
    found = read_manifest("output/2023/01/21/01/job.json", content)
    assert (found.side, found.hour, found.job) == ("output", datetime(2023, 1, 21, 1, tzinfo=UTC), "job")
    (address,) = found.addresses.values()
    assert address.endswith("/transform-output/test-dataset.jsonl.out")


def manifest(side: str, job: str, prefix: str, *names: str, hour: int = 3) -> Any:
    content = json.dumps([{"prefix": prefix}, *names]).encode()
    return read_manifest(f"capture/{side}/2026/01/02/{hour:02}/{job}.json", content)


def test_outputs_find_their_inputs() -> None:
    found = pairs(
        [
            manifest("output", "x", "s3://b/out/", "p/0.csv.out", "p/1.csv.out"),
            manifest("input", "y", "s3://b/in/", "p/0.csv", "p/1.csv", "p/2.csv"),
            manifest("output", "u", "s3://b/single/", "whole.csv.out"),
            manifest("input", "v", "s3://b/raw/whole.csv", ""),
        ]
    )
    assert [pair[:2] for pair in found] == [
        ("s3://b/single/whole.csv.out", "s3://b/raw/whole.csv"),
        ("s3://b/out/p/0.csv.out", "s3://b/in/p/0.csv"),
        ("s3://b/out/p/1.csv.out", "s3://b/in/p/1.csv"),
        (None, "s3://b/in/p/2.csv"),
    ]


def test_two_jobs_of_one_hour_are_told_apart_by_name_or_not_guessed() -> None:
    same = [
        *(manifest("input", job, f"s3://b/{job}/", "0.csv") for job in "ab"),
        *(manifest("output", job, f"s3://b/{job}-out/", "0.csv.out") for job in "ab"),
    ]
    assert [pair.input for pair in pairs(same)] == ["s3://b/a/0.csv", "s3://b/b/0.csv"]
    other = [*same[:2], manifest("output", "c", "s3://b/c-out/", "0.csv.out")]
    assert [pair[:2] for pair in pairs(other)] == [
        ("s3://b/c-out/0.csv.out", None),
        (None, "s3://b/a/0.csv"),
        (None, "s3://b/b/0.csv"),
    ]


def test_an_object_that_was_written_twice_is_the_last_jobs() -> None:
    twice = [manifest("output", "a", "s3://b/", "0.out", hour=hour) for hour in (4, 3)]
    assert [(pair.output, pair.hour.hour) for pair in pairs(twice)] == [("s3://b/0.out", 4)]


def test_an_output_that_another_job_reads_is_one_object() -> None:
    chained = [manifest("output", "a", "s3://b/", "0.out"), manifest("input", "b", "s3://b/0.out", "")]
    assert [pair[:2] for pair in pairs(chained)] == [("s3://b/0.out", None)]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"{}", b"[]", b"[1]", b'[{"prefix": 1}]', b'["a"]', b'[{"prefix": "s3://b/"}, 1]']
)
def test_what_is_no_manifest_is_one_clear_error(content: bytes) -> None:
    with pytest.raises(UserError, match=r"output/2026/01/02/03/job\.json: is no manifest"):
        read_manifest("output/2026/01/02/03/job.json", content)


@pytest.mark.parametrize(
    ("key", "is_one"),
    [
        ("output/2026/01/02/03/a.json", True),
        ("s3://b/x/input/2026/01/02/03/a.json", True),
        ("output/2026/01/02/03/a.jsonl", False),
        ("2026/01/02/03/a.json", False),
        ("output/2026/01/02/03/more/a.json", False),
    ],
)
def test_a_manifest_is_told_by_its_folder(key: str, is_one: bool) -> None:
    assert is_manifest(key) is is_one


@pytest.mark.parametrize(
    "said",
    [
        {"csv": {"header": False}}, {"Csv": {"Header": False}}, {"json": {"line": True}}, {"json": {"lines": True}},
        {"Json": {"Line": True}}, {"parquet": {}}, {"Parquet": {}},
    ],
)  # fmt: skip
def test_every_spelling_of_a_format_is_known(said: Mapping[str, Any]) -> None:
    kind = next(iter(said)).lower()
    assert DatasetFormat.model_validate(said).reading == (kind, kind != "csv")
    assert DatasetFormat.from_json(DatasetFormat.model_validate(said).to_json()).reading[0] == kind
