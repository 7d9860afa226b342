"""Malformed: the five kinds of lines that no reader of the capture can use, one function each."""

from collections.abc import Callable

from examples.loan_scoring.capture import Request, line, record


def truncated(request: Request) -> str:
    """A record cut off in the middle."""
    text = line(record(request))
    return text[: len(text) // 2]


def not_json(request: Request) -> str:
    """What a proxy answers when the service is away."""
    return f"upstream connect error or disconnect/reset before headers ({request.inference_id})"


def unparsable_time(request: Request) -> str:
    """A placeholder that nobody filled in, as in a fixture of the SDK."""
    document = record(request)
    document["eventMetadata"]["inferenceTime"] = "{%s}"
    return line(document)


def without_output(request: Request) -> str:
    """A record of which only the input was captured."""
    document = record(request)
    del document["captureData"]["endpointOutput"]
    return line(document)


def wrong_number_of_cells(request: Request) -> str:
    """A CSV input whose last feature is not there."""
    cells = dict(list(request.cells.items())[:-1])
    return line(record(request._replace(cells=cells, as_json=False)))


KINDS: tuple[Callable[[Request], str], ...] = (
    truncated,
    not_json,
    unparsable_time,
    without_output,
    wrong_number_of_cells,
)
