"""Simulate the endpoint: a model, its reference table, hours of captured traffic and their ground truth."""

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer
from rich.console import Console
from rich.table import Table
from sklearn.pipeline import Pipeline

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # so that the file also runs as a script

from examples.loan_scoring import model
from examples.loan_scoring.ground_truth import write_labels
from examples.loan_scoring.story import HEALTHY, HISTORY, STORIES, Chapter, StoryName
from examples.loan_scoring.traffic import ENDPOINT, EXTRA_APPLICANTS, HOUR, VARIANT, Hour, write_hour
from examples.loan_scoring.world import FEATURES, LABEL, draw

REFERENCE_ROWS = 10_000
FEWEST = 10
TRAINING, REFERENCE, FIRST_CHAPTER, FIRST_WRITING = 0, 1, 100, 200
"""Streams of random numbers, so that each part stays the same when another one changes."""
COUNTS = ("lines", "malformed", "duplicates", "out_of_window", "clean", "labels")


def simulate(root: Path, story: Sequence[Chapter], start: datetime, rows_per_hour: int, seed: int) -> dict[str, Any]:
    """Write everything under `root`; returns the counts of each hour, which are also in ``traffic.json``.

    Raises:
        ValueError: `start` is not a whole hour with a time zone, or an hour has too few applicants.
        FileExistsError: `root` already holds captured traffic, which the counts would not cover.
    """
    _check(root, story, start, rows_per_hour)
    pipeline = train(seed)
    model.save(pipeline, root / "model")
    _write_reference(root, pipeline, _stream(seed, REFERENCE))
    summary = {
        "endpoint": ENDPOINT, "variant": VARIANT, "seed": seed, "rows_per_hour": rows_per_hour, "first": 1, "hours": [],
    }  # fmt: skip
    for _ in story:
        _tell(root, story, start, pipeline, summary)
    return summary


def tell_next(root: Path, story: Sequence[Chapter], start: datetime, pipeline: Pipeline) -> dict[str, Any]:
    """Write the first chapter of `story` that is not below `root` yet, scored by `pipeline`; returns all counts."""
    summary: dict[str, Any] = json.loads((root / "traffic.json").read_text())
    _tell(root, story, start, pipeline, summary)
    return summary


def _tell(root: Path, story: Sequence[Chapter], start: datetime, pipeline: Pipeline, summary: dict[str, Any]) -> None:
    """Writes the next chapter and adds its counts to the summary."""
    number = len(summary["hours"])
    chapter, seed = story[number], summary["seed"]
    generator = _stream(seed, FIRST_CHAPTER + number)
    people = _scored(pipeline, chapter, summary["rows_per_hour"], summary["first"], generator)
    hour = _hour(story, chapter, start.astimezone(UTC))
    counts = _write_chapter(root, hour, people, _stream(seed, FIRST_WRITING + number))
    summary["hours"].append({"chapter": chapter.name, "hour": hour.start.strftime("%Y-%m-%dT%H:%M:%SZ"), **counts})
    summary["first"] += len(people)
    (root / "traffic.json").write_text(json.dumps(summary, indent=2) + "\n")


def train(seed: int) -> Pipeline:
    """The model, trained on the worlds of HISTORY."""
    generator = _stream(seed, TRAINING)
    tables = [draw(world, round(share * model.TRAINING_ROWS), generator) for world, share in HISTORY]
    return model.train(pd.concat(tables, ignore_index=True))


def _check(root: Path, story: Sequence[Chapter], start: datetime, rows_per_hour: int) -> None:
    if start.tzinfo is None or start != start.replace(minute=0, second=0, microsecond=0):
        raise ValueError(f"{start} is not a whole hour with a time zone, such as 2026-01-01T00:00:00Z")
    if any(chapter.traffic and chapter.applicants(rows_per_hour) < FEWEST for chapter in story):
        raise ValueError(f"an hour with traffic needs at least {FEWEST} applicants")
    if (root / "capture").exists():
        raise FileExistsError(f"{root} already holds captured traffic; choose another folder")


def _stream(seed: int, part: int) -> np.random.Generator:
    return np.random.default_rng([seed, part])


def _write_reference(root: Path, pipeline: Pipeline, generator: np.random.Generator) -> None:
    table = draw(HEALTHY, REFERENCE_ROWS, generator)
    table["probability"] = model.predict_proba(pipeline, table)
    columns = ["probability", *FEATURES]
    table[columns].to_csv(root / "reference.csv", index=False, lineterminator="\n")
    table[[LABEL, *columns]].to_csv(root / "reference_labelled.csv", index=False, lineterminator="\n")


def _scored(
    pipeline: Pipeline, chapter: Chapter, rows_per_hour: int, first: int, generator: np.random.Generator
) -> pd.DataFrame:
    """The chapter's applicants with the model's answer, indexed by inference id; none without traffic."""
    count = chapter.applicants(rows_per_hour)
    strays = draw(HEALTHY, EXTRA_APPLICANTS if count else 0, generator)  # they may lie in another chapter's hour
    people = pd.concat([draw(chapter.world, count, generator), strays], ignore_index=True)
    if count:
        people["probability"] = model.predict_proba(pipeline, people)
    return people.set_axis(pd.Index([f"loan-{first + number}" for number in range(len(people))], dtype=str))


def _write_chapter(root: Path, hour: Hour, people: pd.DataFrame, generator: np.random.Generator) -> dict[str, int]:
    if people.empty:
        return dict.fromkeys(COUNTS, 0)
    counts = write_hour(root, hour, people, generator)
    return counts | {"labels": write_labels(root, hour.start, people.iloc[:-EXTRA_APPLICANTS], generator)}


def _hour(story: Sequence[Chapter], chapter: Chapter, start: datetime) -> Hour:
    beside = [start + hour * HOUR for hour in _busy_neighbours(story, chapter)]
    return Hour(start + chapter.hour * HOUR, beside)


def _busy_neighbours(story: Sequence[Chapter], chapter: Chapter) -> list[int]:
    """The hours beside the chapter that have traffic, so that a record astray never fills an empty hour."""
    busy = {other.hour for other in story if other.traffic}
    return [hour for hour in (chapter.hour - 1, chapter.hour + 1) if hour in busy] or [chapter.hour + 1]


def _show(summary: dict[str, Any]) -> None:
    columns = ("hour", "chapter", *COUNTS)
    table = Table(*columns, title=f"{ENDPOINT}/{VARIANT}")
    for hour in summary["hours"]:
        table.add_row(*(str(hour[column]) for column in columns))
    Console().print(table)


def main(
    root: Annotated[Path, typer.Option(help="Folder to write into; it must not hold captured traffic yet.")],
    story: Annotated[StoryName, typer.Option(help="Which story to tell.")] = StoryName.five,
    start: Annotated[str, typer.Option(help="First hour, in UTC.")] = "2026-01-01T00:00:00Z",
    rows_per_hour: Annotated[int, typer.Option(help="Clean records in an hour with traffic.")] = 1500,
    seed: Annotated[int, typer.Option(help="The same seed writes the same bytes.")] = 7,
) -> None:
    """Simulate a loan-scoring endpoint: model, reference table, captured traffic and ground truth."""
    try:
        summary = simulate(root, STORIES[story], datetime.fromisoformat(start), rows_per_hour, seed)
    except (ValueError, FileExistsError) as error:
        raise typer.BadParameter(str(error)) from error
    _show(summary)


if __name__ == "__main__":
    typer.run(main)
