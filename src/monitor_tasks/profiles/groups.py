"""Outcomes by facet, label and prediction: how the rows of every group were labelled and predicted."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple, Self

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from monitor_tasks.profiles.coded import ALL, Codes, Column, Mark, Numbers, value_text
from monitor_tasks.profiles.crossed import crossed
from monitor_tasks.profiles.facets import STATES, FacetCounts
from monitor_tasks.profiles.rows import RowSample
from monitor_tasks.value import UserError, known_version

FEW = 10
"""A column of at most as many different whole numbers names categories, however short it is."""
PREDICTION = "@prediction"
"""The sample's column of the prediction, as a cell of counts has it; no captured cell has such a name."""


def subject_of(facet: str, value: str) -> str:
    """The name of one group: ``facet=value``; an interval's upper end, which moves with the rows, is called max.

    Only ``%`` and ``=`` of the facet's name are written as ``%25`` and ``%3D``, so the first ``=`` ends it.

    >>> subject_of("Sex", "0"), subject_of("a=b", "1,2"), subject_of("Age", "(40.0, 75.0]")
    ('Sex=0', 'a%3Db=1,2', 'Age=(40, max]')
    """
    if interval := re.fullmatch(r"\(([^,]+), [^\],]+\]", value):
        value = f"({value_text(interval[1])}, max]"
    return named(facet, value)


def named(column: str, value: str) -> str:
    """A column and one of its values, written as they are, so that `parse_subject` tells them apart.

    >>> named("a=b", "(1, 2]")
    'a%3Db=(1, 2]'
    """
    return f"{column.replace('%', '%25').replace('=', '%3D')}={value}"


def parse_subject(subject: str) -> tuple[str, str]:
    """The facet and the value that a subject names.

    >>> parse_subject("a%3Db=1,2")
    ('a=b', '1,2')
    """
    facet, _, value = subject.partition("=")
    return facet.replace("%3D", "=").replace("%25", "%"), value


class Asked(NamedTuple):
    """What is counted of a table: its outcome columns, its facets and its subgroups."""

    label: str
    positive: Mark
    predicted: str
    probability_threshold: float | None
    facets: tuple[tuple[str, Mark], ...]
    group: str | None = None
    intersections: tuple[tuple[str, ...], ...] = ()
    """Facets that are counted together, by name."""
    sample_rows: int = 0
    """How many different rows are kept at most."""
    excluded: tuple[str, ...] = ()
    """Columns that the kept rows lack, besides label and prediction."""

    @property
    def id(self) -> str:
        """Hash of all of it; profiles counted otherwise refuse to add."""
        return hashlib.sha256(orjson.dumps(self, default=list)).hexdigest()


Facets = Mapping[tuple[str, float | None], FacetCounts]


@dataclass(frozen=True)
class GroupProfile:
    """What is remembered of a table's outcomes by group; any two that were counted alike add up."""

    SCHEMA_VERSION: ClassVar[int] = 1

    rows: int = 0
    counted: str = ""
    """Hash of what was asked; empty where nothing was."""
    facets: Facets = field(default_factory=dict)
    """By column and, where cells above a number are told from the others, that number."""
    columns: Mapping[str, Numbers] = field(default_factory=dict)
    """The columns on which one number was named."""
    crossed: Mapping[tuple[str, ...], FacetCounts] = field(default_factory=dict)
    """By several columns at once."""
    sample: RowSample = field(default_factory=RowSample)
    """Features, facets and prediction of the labelled and predicted rows whose contents have the smallest hashes."""

    @classmethod
    def of(cls, table: pa.Table, asked: Asked) -> Self:
        """The profile of an Arrow table; rows whose label is missing are kept apart.

        Raises:
            UserError: the table lacks a column that is asked for.
        """
        _check(table, asked)
        label = Column.of(table[asked.label])
        labels, predictions = label.states(asked.positive), _predicted(table, asked)
        states = labels * STATES + predictions
        group = Column.of(table[asked.group]).by_value() if asked.group else ALL
        read = {name: Column.of(table[name]) for name, _ in asked.facets}
        facets: dict[tuple[str, float | None], FacetCounts] = {}
        columns = {} if asked.positive.threshold is None else {asked.label: label.labelled_numbers(labels)}
        for name, mark in asked.facets:
            facets[name, None] = FacetCounts.of(read[name].by_value(), group, states)
            if mark.threshold is not None:
                facets[name, mark.threshold] = FacetCounts.of(read[name].by_threshold(mark.threshold), group, states)
                columns[name] = read[name].labelled_numbers(labels)
        marks = dict(asked.facets)
        both = {
            names: FacetCounts.of(crossed([(read[name], marks[name]) for name in names]), group, states)
            for names in asked.intersections
        }
        return cls(table.num_rows, asked.id, facets, columns, both, _sampled(table, asked, labels, predictions))

    def __add__(self, other: Self) -> Self:
        """The profile of both tables.

        Raises:
            ValueError: the two were not counted alike.
        """
        if not self.counted or not other.counted:
            return self if self.counted else other
        if self.counted != other.counted:
            raise ValueError(f"profiles counted otherwise do not add: {self.counted[:12]} and {other.counted[:12]}")
        return type(self)(
            self.rows + other.rows,
            self.counted,
            {key: mine + other.facets[key] for key, mine in self.facets.items()},
            {name: mine + other.columns[name] for name, mine in self.columns.items()},
            {names: mine + other.crossed[names] for names, mine in self.crossed.items()},
            self.sample + other.sample,
        )

    def is_scale(self, name: str, mark: Mark) -> bool:
        """Whether the number named on a column is a threshold: the labelled rows hold many numbers, or not whole ones.

        Source: contract bias.md, section 1: at least 0.05 different ones a row (and, so that a short table of ten
        codes is none, more than ten).
        """
        column = self.columns.get(name, Numbers())
        if mark.threshold is None or column.others or not column.count:
            return False
        if column.values is None or not all(map(_whole, (*column.values, *mark.values))):
            return True
        return len(column.values) > FEW and len(column.values) / column.count >= 0.05

    def interval(self, name: str, threshold: float) -> str:
        """The numbers above a threshold as Clarify writes them: ``(0.5, 1.0]`` (contract bias.md, section 1)."""
        column = self.columns.get(name, Numbers())
        ends = sorted({threshold, threshold if column.maximum is None else column.maximum})
        if not column.fractions and all(end.is_integer() for end in ends):
            return f"({', '.join(str(int(end)) for end in ends)}]"
        return f"({', '.join(repr(end) for end in ends)}]"

    def to_json(self) -> bytes:
        """The profile as canonical JSON: equal profiles give equal bytes."""
        facets = [
            {"name": name, "threshold": threshold, **counts.to_dict()}
            for (name, threshold), counts in self.facets.items()
        ]
        both = [{"names": names, **counts.to_dict()} for names, counts in self.crossed.items()]
        columns = {name: column.plain for name, column in self.columns.items()}
        known = {
            "schema_version": self.SCHEMA_VERSION,
            "rows": self.rows,
            "counted": self.counted,
            "facets": facets,
            "columns": columns,
        }
        return orjson.dumps({**known, "crossed": both, "sample": self.sample.to_dict()})

    @classmethod
    def from_json(cls, text: bytes) -> Self:
        """The profile that ``to_json`` wrote, now or before it knew of crossed facets and samples."""
        known = known_version(orjson.loads(text), cls)
        facets = {(one["name"], one["threshold"]): FacetCounts.from_dict(one) for one in known["facets"]}
        columns = {name: Numbers(**column) for name, column in known["columns"].items()}
        both = {tuple(one["names"]): FacetCounts.from_dict(one) for one in known.get("crossed", ())}
        sample = RowSample.from_dict(known["sample"]) if "sample" in known else RowSample()
        return cls(known["rows"], known["counted"], facets, columns, both, sample)


def _check(table: pa.Table, asked: Asked) -> None:
    wanted = (
        *(asked.label, asked.predicted, *(name for name, _ in asked.facets)),
        *(filter(None, (asked.group,))), *asked.excluded,
    )  # fmt: skip
    if missing := [name for name in dict.fromkeys(wanted) if name not in table.column_names]:
        known, lacking = (", ".join(map(repr, names)) for names in (table.column_names, missing))
        raise UserError(
            f"there is no column {lacking}; the table has {known}: "
            "correct the names in the bias section, or have the column captured"
        )


def _predicted(table: pa.Table, asked: Asked) -> Codes:
    """Each row's prediction as an outcome; a probability stands for class 1 where it is larger, else for class 0."""
    column = Column.of(table[asked.predicted])
    if asked.probability_threshold is None:
        return column.states(asked.positive)
    positive = column.numbers > asked.probability_threshold
    if "0" in asked.positive.values and "1" not in asked.positive.values:
        positive = ~positive
    return np.where(np.isnan(column.numbers), 0, np.where(positive, 4, 1))[column.codes]


def _sampled(table: pa.Table, asked: Asked, labels: Codes, predictions: Codes) -> RowSample:
    """The sample of the rows with both outcomes: every column but these, and the prediction by its state."""
    if not asked.sample_rows:
        return RowSample()
    left_out = {*asked.excluded, asked.label, asked.predicted} - {name for name, _ in asked.facets}
    names = [name for name in table.column_names if name not in left_out and not name.startswith("@")]
    rows = table.select(names).append_column(PREDICTION, pa.array(predictions.astype(np.int8)))
    whole = (labels > 0) & (predictions > 0)
    return RowSample.of(rows if whole.all() else rows.filter(pc.equal(pa.array(whole), True)), asked.sample_rows)


def _whole(text: str) -> bool:
    return text.lstrip("-").isdigit()
