"""The manifests of batch transforms: which output answers which input."""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

import orjson

from monitor_tasks.value import UserError
from monitor_tasks.window import parse_time

ENDING = ".out"
"""What a transform appends to the name of an input."""

_KEY = re.compile(r"(?:^|/)(input|output)/(\d{4})/(\d\d)/(\d\d)/(\d\d)/([^/]+)\.json$")


class Manifest(NamedTuple):
    """What one side of one transform job read or wrote."""

    side: str
    hour: datetime
    job: str
    """The manifest's own name: tells two jobs of one hour apart where both sides have the same."""
    addresses: dict[str, str]
    """The address of every object, by its name relative to the prefix."""


class Pair(NamedTuple):
    """An output of a transform and the input that it answers; one of them may be missing."""

    output: str | None
    input: str | None
    hour: datetime


def is_manifest(key: str) -> bool:
    """Whether a manifest lies at this key: ``input`` or ``output``, the hour, and a name that ends in ``.json``."""
    return _KEY.search(key) is not None


def read_manifest(key: str, content: bytes) -> Manifest:
    """The manifest at a key for which `is_manifest` holds.

    >>> text = b'[{"prefix": "s3://b/out/"}, "part-0.csv.out"]'
    >>> read_manifest("output/2026/01/02/03/job.json", text).addresses
    {'part-0.csv.out': 's3://b/out/part-0.csv.out'}

    Raises:
        UserError: it is none.
    """
    try:
        side, *hour, job = _KEY.findall(key)[-1]
        moment = parse_time("{}-{}-{}T{}:00:00Z".format(*hour))
        head, *names = orjson.loads(content)
        prefix: str = head["prefix"] + ""
        addresses = {name or prefix.rpartition("/")[2]: prefix + name for name in names}
        return Manifest(side, moment, job, addresses)
    except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        raise UserError(
            f"{key}: is no manifest of a batch transform ({type(error).__name__}: {error}); "
            'expected [{"prefix": "s3://bucket/folder/"}, "name", …]; keep other files out of its folder'
        ) from error


def pairs(manifests: Iterable[Manifest]) -> list[Pair]:
    """The outputs with their inputs, then the inputs without output; an object named twice is the last job's."""
    known = sorted(manifests, key=lambda one: (one.hour, one.job))
    inputs = [one for one in known if one.side == "input"]
    found = {
        address: Pair(address, _answered(one, name.removesuffix(ENDING), inputs), one.hour)
        for one in known
        if one.side == "output"
        for name, address in one.addresses.items()
    }
    read = {*found, *(pair.input for pair in found.values())}
    alone = {address: one.hour for one in inputs for address in one.addresses.values() if address not in read}
    return [*found.values(), *(Pair(None, address, hour) for address, hour in alone.items())]


def _answered(output: Manifest, name: str, inputs: list[Manifest]) -> str | None:
    """The input of that name of the same job, or of the only one of its hour that has it."""
    having = [one for one in inputs if one.hour == output.hour and name in one.addresses]
    having = [one for one in having if one.job == output.job] or having
    found = {one.addresses[name] for one in having}
    return found.pop() if len(found) == 1 else None
