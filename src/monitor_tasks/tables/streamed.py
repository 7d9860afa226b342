"""CSV, JSON, JSON Lines and Parquet to rows, one after the other, in bounded memory."""

import csv
import io
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain
from typing import Any, BinaryIO, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pa_parquet

from monitor_tasks.inputs import DatasetFormat, Limits
from monitor_tasks.tables.ledger import EXCERPT, Reason
from monitor_tasks.tables.lines import MARK, LineReason, Object, Unreadable, unfolded
from monitor_tasks.tables.payloads import Unusable, documents

ROWS = 1000
"""Rows of a Parquet file that are looked at together."""


class Writing(NamedTuple):
    """How the rows of an object are written."""

    format: DatasetFormat
    limits: Limits
    scratch: Callable[[], BinaryIO]
    """Opens an empty file for what can only be read from its end."""


class Line(list[str]):
    """The cells of a CSV row that have no names."""

    __slots__ = ()

    @property
    def text(self) -> str:
        """The row as CSV."""
        text = io.StringIO()
        csv.writer(text).writerow(self)
        return text.getvalue().removesuffix("\r\n")


class Broken(str):
    """What was seen of a row that cannot be read; it begins like no JSON."""

    __slots__ = ()


class _Begun(bytes):
    """The beginning of a line that is too long."""


def rows_in(one: Object, writing: Writing) -> Iterator[Any]:
    """The rows of an object: mappings where cells have names, a `Line` of a CSV, any JSON; numbers keep their digits.

    Raises:
        Unreadable: from here on it cannot be read.
    """
    kind, header = writing.format.reading
    chunks = unfolded(one.chunks(), writing.limits.unfolding) if one.name.endswith(".gz") else iter(one.chunks())
    if kind == "parquet":
        return _parquet(chunks, writing.scratch)
    if kind == "csv":
        lines = _csv(_lines(chunks, writing.limits.record_bytes))
        return _named(lines) if header else lines
    texts = _lines if _is_lines(writing.format) else _whole
    return chain.from_iterable(
        map(partial(_documents, writing=writing), texts(chunks, writing.limits.record_bytes)),
    )


def _is_lines(format_: DatasetFormat) -> bool:
    return format_.json_lines is not None and format_.json_lines.line


def _lines(chunks: Iterator[bytes], longest: int) -> Iterator[bytes]:
    """The lines of a text that are not blank."""
    held, is_skipping, mark = b"", False, MARK
    for chunk in chain(chunks, [b"\n"]):
        *lines, held = (held + chunk).split(b"\n")
        for line in lines:
            text, mark = line.removeprefix(mark), b""
            if not is_skipping and text.strip():
                yield text if len(text) <= longest else _Begun(text[:EXCERPT])
            is_skipping = False
        if len(held) > longest:
            if not is_skipping:
                yield _Begun(held[:EXCERPT])
            held, is_skipping, mark = b"", True, b""


def _whole(chunks: Iterator[bytes], longest: int) -> Iterator[bytes]:
    """A text as one piece."""
    held = b""
    for chunk in chunks:
        held += chunk
        if len(held) > longest:
            raise Unreadable(LineReason.TOO_LONG, f"the document has more than {longest} bytes")
    if held.strip():
        yield held.removeprefix(MARK)


def _csv(lines: Iterator[bytes]) -> Iterator[Line]:
    try:
        yield from (Line(row) for row in csv.reader(map(_decoded, lines), strict=True) if row)
    except csv.Error as error:
        raise Unreadable(Reason.BAD_PAYLOAD, f"from here on it is no CSV: {error}") from error
    except UnicodeDecodeError as error:
        raise Unreadable(LineReason.NOT_UTF8, f"from here on: byte {error.start} of a line is not UTF-8") from error


def _decoded(line: bytes) -> str:
    if isinstance(line, _Begun):
        raise Unreadable(LineReason.TOO_LONG, "from here on: a line is longer than limits.record_bytes")
    return line.decode() + "\n"


def _named(rows: Iterator[Line]) -> Iterator[Any]:
    """The rows of a CSV by the names in its first line."""
    names = next(rows, Line())
    _refuse_twins(names)
    for row in rows:
        if len(row) != len(names):
            yield Broken(f"{len(row)} cells, the header has {len(names)}: {row.text}"[:EXCERPT])
        else:
            yield {name: cell or None for name, cell in zip(names, row, strict=True)}


def _refuse_twins(names: list[str]) -> None:
    if len(set(names)) < len(names):
        raise Unreadable(Reason.DUPLICATE_KEY, "a column stands there twice")


def _documents(raw: bytes, writing: Writing) -> list[Any]:
    """The rows in a JSON text: a document is one, and a document that is a list of objects is as many."""
    if isinstance(raw, _Begun):
        return [Broken(f"longer than limits.record_bytes: {raw.decode(errors='replace')}")]
    try:
        found = documents(raw.decode(), writing.limits.depth)
    except (Unusable, UnicodeDecodeError) as error:
        return [Broken(f"unreadable ({error}): {raw[:EXCERPT].decode(errors='replace')}")]
    several = not _is_lines(writing.format) and len(found) == 1 and isinstance(found[0], list)
    return found[0] if several and all(isinstance(one, dict) for one in found[0]) else found


def _parquet(chunks: Iterator[bytes], scratch: Callable[[], BinaryIO]) -> Iterator[dict[str, Any]]:
    """The rows of a Parquet file, which is copied to disk: its end says where its rows are."""
    with scratch() as file:
        file.writelines(chunks)
        file.seek(0)
        try:
            for batch in pa_parquet.ParquetFile(file, pre_buffer=False).iter_batches(batch_size=ROWS):
                _refuse_twins(batch.schema.names)
                yield from batch.to_pylist()
        except (pa.ArrowException, OSError) as error:
            told = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise Unreadable(Reason.BAD_PAYLOAD, f"from here on it is no Parquet: {told}") from error
