"""Traffic: one hour of captured requests, with the dirt that real capture has, as three files."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from uuid import UUID

import numpy as np
import pandas as pd

from examples.loan_scoring.capture import Request, line, record
from examples.loan_scoring.malformed import KINDS
from examples.loan_scoring.world import FEATURES

ENDPOINT, VARIANT = "loan-scoring", "AllTraffic"
HOUR = timedelta(hours=1)
FILES_PER_HOUR = 3
DUPLICATES = 4
STRAYS = 2
EXTRA_APPLICANTS = len(KINDS) + STRAYS
"""Requests an hour beyond the clean ones: those that arrive malformed and those of a neighbouring hour."""


@dataclass(frozen=True)
class Hour:
    """An hour in which the endpoint is called."""

    start: datetime
    stray_hours: Sequence[datetime]
    """The neighbouring hours to which a few records of this hour's folder belong."""

    def folder(self, root: Path) -> Path:
        """Where the capture of this hour lies."""
        return root / "capture" / ENDPOINT / VARIANT / self.start.strftime("%Y/%m/%d/%H")


def write_hour(root: Path, hour: Hour, scored: pd.DataFrame, generator: np.random.Generator) -> dict[str, int]:
    """Write the hour's capture files; returns how many lines of each sort they hold.

    The last EXTRA_APPLICANTS rows of `scored`, indexed by inference id, are the ones that arrive malformed or astray.
    """
    every = _requests(hour.start, scored, generator)
    clean = sorted(every[:-EXTRA_APPLICANTS], key=lambda request: request.time)
    files = [[line(record(request)) for request in clean[part]] for part in _parts(len(clean))]
    names = [_file_name(hour.start, clean[part], generator) for part in _parts(len(clean))]
    _repeat(files, generator)
    broken, astray = every[-EXTRA_APPLICANTS:-STRAYS], every[-STRAYS:]
    unusable = [kind(request) for kind, request in zip(KINDS, broken, strict=True)]
    _scatter(files, unusable + [line(record(request)) for request in _move(astray, hour)], generator)
    hour.folder(root).mkdir(parents=True, exist_ok=True)
    for name, lines in zip(names, files, strict=True):
        (hour.folder(root) / name).write_text("".join(text + "\n" for text in lines))
    return {
        "lines": sum(map(len, files)),
        "malformed": len(KINDS),
        "duplicates": DUPLICATES,
        "out_of_window": STRAYS,
        "clean": len(clean),
    }


def uuid(generator: np.random.Generator) -> str:
    """A version 4 UUID that depends on the seed only."""
    return str(UUID(bytes=generator.bytes(16), version=4))


def _requests(start: datetime, scored: pd.DataFrame, generator: np.random.Generator) -> list[Request]:
    cells = scored[list(FEATURES)].astype(object).where(scored[list(FEATURES)].notna(), None).to_dict("records")
    milliseconds = generator.integers(3_600_000, size=len(scored)).tolist()
    as_json = (generator.random(len(scored)) < 0.5).tolist()
    ends = generator.choice(["", "\n"], size=len(scored)).tolist()
    ids, probabilities = scored.index.tolist(), scored["probability"].tolist()
    return [
        Request(str(name), uuid(generator), start + timedelta(milliseconds=late), row, score, is_json, end)
        for name, late, row, score, is_json, end in zip(
            ids, milliseconds, cells, probabilities, as_json, ends, strict=True
        )
    ]


def _parts(count: int) -> list[slice]:
    """Three runs of about the same length."""
    bounds = [count * part // FILES_PER_HOUR for part in range(FILES_PER_HOUR + 1)]
    return [slice(first, last) for first, last in pairwise(bounds)]


def _file_name(start: datetime, requests: Sequence[Request], generator: np.random.Generator) -> str:
    """Minute, second and millisecond of the first write, then a UUID."""
    first = requests[0].time if requests else start
    return f"{first:%M-%S}-{first.microsecond // 1000:03d}-{uuid(generator)}.jsonl"


def _repeat(files: list[list[str]], generator: np.random.Generator) -> None:
    """A few clean lines appear again, in another file than their own."""
    copies = [(own % FILES_PER_HOUR, str(generator.choice(files[own % FILES_PER_HOUR]))) for own in range(DUPLICATES)]
    for own, text in copies:
        _insert(files[(own + 1) % FILES_PER_HOUR], text, generator)


def _scatter(files: list[list[str]], lines: Sequence[str], generator: np.random.Generator) -> None:
    for text in lines:
        _insert(files[generator.integers(FILES_PER_HOUR)], text, generator)


def _insert(lines: list[str], text: str, generator: np.random.Generator) -> None:
    lines.insert(int(generator.integers(len(lines) + 1)), text)


def _move(requests: Sequence[Request], hour: Hour) -> list[Request]:
    """The requests with a time in a neighbouring hour."""
    return [
        request._replace(time=request.time - hour.start + hour.stray_hours[number % len(hour.stray_hours)])
        for number, request in enumerate(requests)
    ]
