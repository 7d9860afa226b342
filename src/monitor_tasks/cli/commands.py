"""What all commands share: the program, its exit codes, its options, and what a person types read."""

from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer
from rich.console import Console

from monitor_tasks.endpoint import Endpoint
from monitor_tasks.io.store import Store, open_object
from monitor_tasks.report import Status
from monitor_tasks.site import load_endpoint, load_endpoints
from monitor_tasks.value import UserError
from monitor_tasks.window import Window, parse_time

app = typer.Typer(help="The open model monitor, without Airflow.", no_args_is_help=True, pretty_exceptions_enable=False)
out = Console()
err = Console(stderr=True)

EXIT = {
    Status.COMPLETED: 0,
    Status.WITH_VIOLATIONS: 1,
    Status.FAILED: 2,
    Status.NO_DATA: 3,
    Status.NOT_ENOUGH_DATA: 3,
}


def address_of(text: str) -> str:
    """An address as a person types it: a local path may lead anywhere from here."""
    return text if "://" in text else str(Path(text).resolve())


Yaml = Annotated[Path, typer.Argument(metavar="ENDPOINT.yaml", help="The endpoint's configuration.")]
Output = Annotated[str, typer.Option("--output", callback=address_of, help="Folder or address that the files go to.")]
Start = Annotated[str, typer.Option("--from", help="First moment, in UTC.")]
End = Annotated[str, typer.Option("--to", help="Last moment, in UTC.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def verb(function: Callable[..., int]) -> Callable[..., None]:
    """A command: its number is the exit code, and what a person can mend is one clear line and exit code 2."""

    @wraps(function)
    def command(*args: Any, **kwargs: Any) -> None:
        try:
            code = function(*args, **kwargs)
        except UserError as error:
            err.print(str(error), style="red", markup=False, soft_wrap=True)
            code = 2
        raise typer.Exit(code)

    app.command()(command)
    return command


def worst(codes: list[int]) -> int:
    """The exit code of several windows: those without data count only where all are such."""
    return next((code for code in (2, 1) if code in codes), 0 if 0 in codes else 3)


def endpoint_in(path: Path) -> Endpoint:
    """The endpoint that a YAML describes."""
    return load_endpoint(str(path), text_in(path))


def endpoints_in(path: Path) -> list[Endpoint]:
    """The endpoint of a file, or all of a folder.

    Raises:
        UserError: one of them cannot be read, or there is none.
    """
    if not path.is_dir():
        return [endpoint_in(path)]
    known = load_endpoints(path)
    broken = [one for one in known.values() if isinstance(one, UserError)]
    if broken or not known:
        raise UserError("\n".join(map(str, broken)) or f"{path}: holds no endpoint's .yaml; name another folder")
    return [one for one in known.values() if isinstance(one, Endpoint)]


def windows_between(endpoint: Endpoint, start: str, end: str) -> list[Window]:
    """The schedule's windows between two moments; none is an error."""
    windows = list(endpoint.schedule.windows(moment_of(start), moment_of(end)))
    if not windows:
        raise UserError(f"no window of {endpoint.schedule_expression} lies between {start} and {end}; widen the span")
    return windows


def text_in(path: Path) -> str:
    """What a file says."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read: {error}") from error


def moment_of(text: str) -> Any:
    """A moment as a person types it."""
    try:
        return parse_time(text)
    except ValueError as error:
        raise UserError(f"{text!r} is not a time in UTC such as 2026-01-01T00:00:00Z: {error}") from error


def bytes_at(address: str) -> bytes:
    """The object at an address."""
    store, key = open_object(address)
    return store.get(key)


def write(output: str, files: Mapping[str, bytes | BinaryIO]) -> None:
    """Writes files into a folder or below an address."""
    store = Store(output)
    for name, content in files.items():
        store.put(name, content)
