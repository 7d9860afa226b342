"""A record preprocessor script to a hook: SageMaker's ``preprocess_handler`` runs unchanged, record by record."""

import inspect
import linecache
import logging
import re
import sys
import traceback
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from hashlib import sha256
from types import ModuleType, SimpleNamespace
from typing import Any

from monitor_tasks.inputs import Records
from monitor_tasks.tables.ledger import Reason
from monitor_tasks.tables.payloads import Cells, Unusable
from monitor_tasks.tables.readings import Hook
from monitor_tasks.tables.records import Broken, Row, rows_of
from monitor_tasks.value import UserError
from monitor_tasks.window import parse_time

HANDLER = "preprocess_handler"
PAYLOAD = ("data", "encoding", "observedContentType", "mode")
FRAMES = 5
"""How many frames of a traceback are told: the script's first, and the last ones."""
MESSAGE = 200
"""How many characters of an error's message are told."""

logger = logging.getLogger(__name__)


class Payload(SimpleNamespace):
    """One side of a record, with the attributes of `PAYLOAD`."""

    def as_dict(self) -> dict[str, Any]:
        """The side as a mapping."""
        return dict(vars(self))


class InferenceRecord(dict[str, Any]):
    """What a handler is given, in both shapes: ``.endpoint_input.data`` and ``.event_data.endpointInput.data``.

    It is also the mapping that stands in the capture file. What a record lacks is None.
    """

    def __init__(self, content: Mapping[str, Any]) -> None:
        """The record that says all this."""
        super().__init__(content)
        data, metadata = content["captureData"], content["eventMetadata"]
        self.endpoint_input = _payload(data.get("endpointInput"))
        self.endpoint_output = _payload(data.get("endpointOutput"))
        self.batch_transform_output = _payload(data.get("batchTransformOutput"))
        self.ground_truth = _payload(content.get("groundTruthData"))
        self.event_metadata = SimpleNamespace(
            event_id=metadata.get("eventId"),
            event_time=metadata.get("inferenceTime"),
            custom_attribute=metadata.get("customAttributes"),
        )
        self.event_version = content.get("eventVersion")
        self.event_dict = self
        self.event_data = SimpleNamespace(
            endpointInput=self.endpoint_input,
            endpointOutput=self.endpoint_output,
            batchTransformOutput=self.batch_transform_output,
        )

    def as_dict(self) -> dict[str, Any]:
        """The record as it stands in the capture file."""
        return dict(self)


def hook_of(script: str, address: str, settings: Records) -> Hook:
    """What makes rows of a record: the handler of a script, which is run now.

    Args:
        script: The script's text.
        address: Where it lies, for messages.
        settings: How a record is read that the handler gives back as it is.

    Raises:
        UserError: it does not run, or has no handler that takes a record, or a record and a logger.
    """
    module = ModuleType(f"record_preprocessor_{sha256(script.encode()).hexdigest()[:12]}")
    module.__file__ = address
    sys.modules[module.__name__] = module  # where dataclasses and pickles of the script look for it
    linecache.cache[address] = (len(script), None, script.splitlines(keepends=True), address)
    try:
        code, names = compile(script, address, "exec"), vars(module)
        with redirect_stdout(sys.stderr):
            exec(code, names)  # nosec B102  # noqa: S102 running it is what the user asks for
    except (Exception, SystemExit) as error:
        told = f"{address}:{_line(error, address)}: does not run: {_message(error)}; mend the script"
        raise UserError(told) from error
    handler = _called(getattr(module, HANDLER, None), address)

    def hook(content: dict[str, Any]) -> list[Row]:
        record = InferenceRecord(content)
        try:
            with redirect_stdout(sys.stderr):
                answer = handler(record)
            return _as_it_is(record, settings) if answer is record else _rows(answer, settings.limits.columns)
        except Unusable:
            raise
        except (Exception, SystemExit) as error:
            raise Unusable(Reason.HOOK_FAILED, f"{_message(error)}; {_frames(error, address)}") from error

    return hook


def _payload(found: Any) -> Payload | None:
    return Payload(**{key: found.get(key) for key in PAYLOAD}) if isinstance(found, dict) else None


def _called(handler: Any, address: str) -> Callable[[InferenceRecord], Any]:
    """The handler as a function of a record alone; a logger is handed to those that take one."""
    if not callable(handler):
        raise UserError(f"{address}:1: has no function {HANDLER}(inference_record); add it")
    taken = inspect.signature(handler)
    ways: list[tuple[tuple[Any, ...], dict[str, Any]]] = [((), {}), ((logger,), {})]
    if "logger" in taken.parameters:
        ways = [((), {"logger": logger})]
    for more, named in ways:
        try:
            taken.bind(None, *more, **named)
        except TypeError:
            continue
        return lambda record: handler(record, *more, **named)
    line = getattr(getattr(handler, "__code__", None), "co_firstlineno", 1)
    raise UserError(f"{address}:{line}: {HANDLER}{taken} must take (inference_record) or (inference_record, logger)")


def _as_it_is(record: InferenceRecord, settings: Records) -> list[Row]:
    """The rows of a record that the handler let pass."""
    try:
        rows, batched = rows_of(record, parse_time(record["eventMetadata"]["inferenceTime"]), settings)
    except Broken as error:
        raise Unusable(error.reason, str(error)) from error
    if batched:
        raise Unusable(Reason.SEVERAL_ROWS, "holds several rows; set capture.split_rows, or let the script split them")
    return rows


def _rows(answer: Any, most: int) -> list[Row]:
    """The rows in what a handler gave back: a mapping is one, a list of mappings several, and nothing is none."""
    if answer is None or (isinstance(answer, dict | list | tuple) and not answer):
        raise Unusable(Reason.HOOK_SKIPPED, f"{HANDLER} gave back {answer!r}")
    found = answer if isinstance(answer, list | tuple) else [answer]
    return [(_cells(row, most), []) for row in found]


def _cells(row: Any, most: int) -> Cells:
    """The cells of one row, ordered by their names as Spark orders them."""
    if not isinstance(row, dict):
        raise Unusable(Reason.HOOK_RESULT, f"{HANDLER} gave back a {type(row).__name__}, expected a dict of columns")
    if not row:
        raise Unusable(Reason.HOOK_RESULT, f"{HANDLER} gave back a row without columns among others")
    if len(row) > most:
        raise Unusable(Reason.TOO_MANY_COLUMNS, f"{HANDLER} gave back more than {most} columns")
    cells = {str(name): _cell(str(name), value) for name, value in row.items()}
    return {name: cells[name] for name in sorted(cells)}


def _cell(name: str, value: Any) -> str | None:
    """A plain value as the text that JSON has for it; numpy's and pandas' scalars too."""
    if isinstance(value, str):
        if value.isascii() or not re.search("[\ud800-\udfff]", value):
            return value
        raise Unusable(Reason.HOOK_RESULT, f"column {ascii(name)[:MESSAGE]} holds half of a character")
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, dict | list | tuple | set | bytes):
        told = f"column {ascii(name)[:MESSAGE]} holds a {type(value).__name__}, expected one plain value"
        raise Unusable(Reason.HOOK_RESULT, told)
    if value is None or value != value:  # noqa: PLR0124 NaN and NaT are missing
        return None
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if isinstance(value, int | float) else str(value)


def _message(error: BaseException) -> str:
    """The error in one bounded line that is the same in every process."""
    text = re.sub(r" at 0x[0-9a-f]+", "", f"{type(error).__name__}: {error}")
    return ascii(text[:MESSAGE])[1:-1]


def _frames(error: BaseException, address: str) -> str:
    """The last frames of the traceback from the script on, the innermost last; elsewhere without folders."""
    found = traceback.extract_tb(error.__traceback__)
    first = next((number for number, frame in enumerate(found) if frame.filename == address), len(found) - 1)
    told = [
        f"{frame.filename.rpartition('/')[2]}:{frame.lineno} in {frame.name}"
        + (f": {frame.line[:MESSAGE]}" if frame.filename == address and frame.line else "")
        for frame in found[first:]
    ]
    return ascii(" > ".join([*told[:1], *told[1:][1 - FRAMES :]]))[1:-1]


def _line(error: BaseException, address: str) -> int:
    """The line of the script at which it broke."""
    if isinstance(error, SyntaxError) and error.filename == address:
        return error.lineno or 1
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == address]
    return lines[-1] or 1 if lines else 1
