"""A batch transform's outputs and inputs, and tables, to capture records: one row, one record, one line."""

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

import orjson

from monitor_tasks.inputs import Csv, DatasetFormat
from monitor_tasks.tables.ledger import Reason
from monitor_tasks.tables.lines import Object, Unreadable
from monitor_tasks.tables.streamed import Broken, Line, Writing, rows_in
from monitor_tasks.window import format_time

ID, TIME, ANSWER = "SageMakerInferenceId", "SageMakerInferenceTime", "SageMakerOutput"
STAMP = (ID, TIME)
TOGETHER = 500
"""Rows that are written together."""
SEEN = 20
"""Rows that tell whether outputs repeat their inputs."""

_UUID = re.compile(r"\s*[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\s*")
_TIME = re.compile(r"\s*\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\s*")
_OPTIONS = orjson.OPT_PASSTHROUGH_SUBCLASS | orjson.OPT_NON_STR_KEYS | orjson.OPT_NAIVE_UTC
_BARE = DatasetFormat(csv=Csv(header=False))


class Sides(NamedTuple):
    """One row; a side that is missing is None."""

    whole: Any
    output: Any
    input: Any


class Making(NamedTuple):
    """How records are made of rows."""

    writing: Writing
    output_names: tuple[str, ...] = ()
    """The columns of a table that are outputs; where cells have no names, the first ones."""
    is_whole: bool = False
    """Whether a record also says the whole row, as ``batchTransformOutput``: preprocessor scripts may ask for it."""


def transformed(output: Object | None, answered: Object | None, hour: datetime, making: Making) -> Object:
    """The rows of a transform's output, beside those of the input that it answers, as an object of capture records.

    A row's event is its ``SageMakerInferenceId``, else the object and the row's number; its time is its
    ``SageMakerInferenceTime``, else the hour of the manifest. Rows that hold their input need no other object.

    Raises:
        ValueError: there is neither.
    """
    one = output or answered
    if one is None:
        raise ValueError("neither output nor input")
    return _made(one, partial(_sides, output, answered, making.writing), hour, making.is_whole)


def tabled(table: Object, hour: datetime | None, making: Making) -> Object:
    """The rows of a table as an object of capture records; without an hour, only a row's own time counts."""
    return _made(table, partial(_columns, table, making), hour, making.is_whole)


def _made(one: Object, rows: Callable[[], Iterable[Sides]], hour: datetime | None, is_whole: bool) -> Object:
    def chunks() -> Iterator[bytes]:
        time = None if hour is None else format_time(hour)
        lines = (_record(row, f"{one.name}#{number}", time, is_whole) for number, row in enumerate(rows(), 1))
        while chunk := b"".join(islice(lines, TOGETHER)):
            yield chunk

    return one._replace(chunks=chunks, is_made=True)


def _record(row: Sides, name: str, time: str | None, is_whole: bool) -> bytes:
    """A row as a line of a capture file."""
    event_id, event_time = _stamp(row.whole)
    sides = {"endpointInput": row.input, "endpointOutput": row.output}
    if is_whole:
        sides["batchTransformOutput"] = _unstamped(row.whole)
    content = {
        "captureData": {key: _payload(value) for key, value in sides.items() if value is not None},
        "eventMetadata": {"eventId": event_id or name, "inferenceTime": event_time or time},
        "eventVersion": "0",
    }
    return orjson.dumps(content, option=orjson.OPT_APPEND_NEWLINE)


def _payload(value: Any) -> dict[str, str]:
    if isinstance(value, Broken):
        return {"data": str(value), "encoding": "JSON"}
    if isinstance(value, Line):
        return {"data": value.text, "encoding": "CSV"}
    return {"data": orjson.dumps(value, default=_plain, option=_OPTIONS).decode(), "encoding": "JSON"}


def _plain(value: Any) -> Any:
    """What JSON has no word for; a number's digits stay as they were written."""
    if isinstance(value, str):
        return orjson.Fragment(str(value))
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _stamp(row: Any) -> tuple[str | None, str | None]:
    """The inference id and time that a transform wrote into a row: by name, or as the last two cells."""
    if isinstance(row, dict):
        id_, time = (row.get(name) for name in STAMP)
        if isinstance(time, datetime):
            time = format_time(time if time.tzinfo else time.replace(tzinfo=UTC))
        return str(id_) if id_ else None, str(time) if time else None
    if isinstance(row, Line) and len(row) > 2 and _UUID.fullmatch(row[-2]) and _TIME.fullmatch(row[-1]):
        return row[-2].strip(), row[-1].strip()
    return None, None


def _unstamped(row: Any) -> Any:
    if isinstance(row, dict):
        return {name: value for name, value in row.items() if name not in STAMP}
    return Line(row[:-2]) if _stamp(row)[0] else row


def _columns(table: Object, making: Making) -> Iterator[Sides]:
    """The rows of a table, each in two sides."""
    count = len(making.output_names)
    for row in rows_in(table, making.writing):
        rest = _unstamped(row)
        if isinstance(rest, dict):
            output = {name: rest.pop(name) for name in making.output_names if name in rest}
            yield Sides(row, rest.pop(ANSWER, output), rest)
        elif isinstance(rest, list):
            outputs, inputs = (type(rest)(cells) for cells in (rest[:count], rest[count:]))
            yield Sides(row, outputs or {}, inputs or {})
        else:
            yield Sides(row, {}, rest)


def _sides(output: Object | None, answered: Object | None, writing: Writing) -> Iterator[Sides]:
    """The rows of an output, beside the input's."""
    if output is None:
        yield from (Sides(row, None, row) for row in (rows_in(answered, writing) if answered else ()))
        return
    own = writing._replace(format=_format_of(output, answered, writing))
    first = next(rows_in(output, own), None)
    if answered is None or (isinstance(first, dict) and ANSWER in first):
        yield from (_joined(row) for row in rows_in(output, own))
        return
    counts = [sum(1 for _ in rows_in(output, own)), sum(1 for _ in rows_in(answered, writing))]
    if counts[0] != counts[1]:
        told = f"{counts[0]} rows of output, {counts[1]} rows of input in {answered.name}"
        raise Unreadable(Reason.ROW_COUNT, told)

    def both() -> Iterator[tuple[Any, Any]]:
        return zip(rows_in(output, own), rows_in(answered, writing), strict=True)

    repeats = all(_repeats(_unstamped(row), given) for row, given in islice(both(), SEEN))
    for row, given in both():
        rest = _unstamped(row)
        yield Sides(row, _beyond(rest, given) if repeats and _repeats(rest, given) else rest, given)


def _format_of(output: Object, answered: Object | None, writing: Writing) -> DatasetFormat:
    """An output's format is the input's, but for the header: a first line with an inference id is none.

    Nor is it one where it makes the output a row shorter than the input.
    """
    if writing.format.csv is None or not writing.format.csv.header:
        return writing.format
    bare = writing._replace(format=_BARE)
    if _stamp(next(rows_in(output, bare), None))[0]:
        return _BARE
    if answered is None:
        return writing.format
    counts = [sum(1 for _ in rows_in(one, bare)) for one in (output, answered)]
    return _BARE if counts[0] + 1 == counts[1] else writing.format


def _joined(row: Any) -> Sides:
    """A row that may hold its own input."""
    rest = _unstamped(row)
    return Sides(row, rest.pop(ANSWER), rest) if isinstance(rest, dict) and ANSWER in rest else Sides(row, rest, None)


def _repeats(row: Any, given: Any) -> bool:
    """Whether an output has its input's first cells, or all its columns, and then some more."""
    if isinstance(row, dict) and isinstance(given, dict):
        return len(row) > len(given) and row.items() >= given.items()
    both = isinstance(row, Line) and isinstance(given, Line)
    return both and len(row) > len(given) and row[: len(given)] == given


def _beyond(row: Any, given: Any) -> Any:
    """An output without the input that it repeats."""
    if isinstance(row, dict):
        return {name: value for name, value in row.items() if name not in given}
    return Line(row[len(given) :])
