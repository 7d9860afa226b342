"""Frozen values that survive their files: what every noun of the house is made of."""

import json
from typing import Annotated, Any, ClassVar, Self
from urllib.parse import unquote

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError


class UserError(Exception):
    """What a person can mend: names the file, line or key, what was expected and what to do."""


def checked_address(address: str) -> str:
    """The address itself, if no part of it steps out of its root.

    Raises:
        ValueError: it is empty, or holds ``..``, an encoded dot or slash, or a NUL.
    """
    encoded = any(code in address.lower() for code in ("%2e", "%2f", "%5c", "%00"))
    steps = unquote(address).replace("\\", "/").split("/")
    if not address or encoded or ".." in steps or "\0" in address:
        raise ValueError(f"{address!r}: an address may not be empty or hold '..', an encoded dot or slash, or NUL")
    return address


Address = Annotated[str, AfterValidator(checked_address)]
"""A local path, or a URL such as ``s3://bucket/prefix``, that never steps out of its root."""


class Value(BaseModel):
    """A frozen value with one canonical text: the same value always gives the same bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings", use_attribute_docstrings=True)

    def to_json(self) -> bytes:
        """The value as canonical JSON: fields in declared order, two-space indent, infinities as strings."""
        return self.model_dump_json(indent=2).encode()

    @classmethod
    def from_json(cls, text: bytes | str) -> Self:
        """The value that ``to_json`` wrote."""
        return cls.model_validate_json(text)


STORED = {"ledger.json": 1, "labels.json": 2, "slices.json": 1, "retrain.json": 1}
"""The version of every artifact that is plain JSON."""


def refuse_newer(version: int, newest: int, kind: str, address: str = "") -> None:
    """Lets a version pass that this release reads.

    Raises:
        UserError: a newer release wrote it; guessing what it means would be worse than no answer.
    """
    if version > newest:
        where, read = f"{address}: " if address else "", f"versions 1 to {newest}" if newest > 1 else "version 1"
        raise UserError(
            f"{where}written as version {version} of {kind}, this release reads {read}; upgrade monitor-tasks"
        )


def known_version(stored: Any, kind: Any) -> Any:
    """What was stored of a kind, if this release knows its version; a file without one is of the first.

    Raises:
        UserError: a newer release wrote it.
    """
    refuse_newer(stored.get("schema_version", 1), kind.SCHEMA_VERSION, kind.__name__)
    return stored


def read_stored(text: bytes, name: str, address: str) -> dict[str, Any]:
    """An artifact that is plain JSON.

    Raises:
        UserError: it is none, or a newer release wrote it.
    """
    try:
        stored: dict[str, Any] = json.loads(text)
    except ValueError as error:
        raise UserError(
            f"{address}: not a readable {name}: {error}; restore the file or run the window again"
        ) from error
    refuse_newer(stored.get("schema_version", 1), STORED[name], name, address)
    return stored


class _Stamp(BaseModel):
    """What every version of every artifact says."""

    schema_version: int = 1


def _version(text: bytes) -> int:
    """The version that a file says it has; of one that says none, or is no JSON, the first."""
    try:
        return _Stamp.model_validate_json(text).schema_version
    except ValidationError:
        return 1


class Artifact(Value):
    """A value that is stored: its file says which version of the format it has."""

    SCHEMA_VERSION: ClassVar[int] = 1

    schema_version: int = 1
    """Version of this file's format; readers refuse a newer one instead of guessing."""

    @classmethod
    def read(cls, text: bytes, address: str) -> Self:
        """The artifact stored at `address`; a damaged or newer file is one clear error.

        Raises:
            UserError: the text is not this artifact, or was written by a newer version.
        """
        try:
            found = cls.from_json(text)
        except ValidationError as error:
            refuse_newer(_version(text), cls.SCHEMA_VERSION, cls.__name__, address)
            first = error.errors()[0]
            key = ".".join(str(part) for part in first["loc"]) or "(whole file)"
            raise UserError(
                f"{address}: not a readable {cls.__name__}: {key}: {first['msg']}; "
                "restore the file or remove its folder and run the window again"
            ) from error
        refuse_newer(found.schema_version, cls.SCHEMA_VERSION, cls.__name__, address)
        return found
