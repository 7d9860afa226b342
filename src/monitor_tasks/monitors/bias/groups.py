"""The groups that the settings name: those of one facet, and those of several facets at once, each with its counts."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from monitor_tasks.profiles.coded import SELECTED, Mark
from monitor_tasks.profiles.crossed import parts_of
from monitor_tasks.profiles.facets import FacetCounts
from monitor_tasks.profiles.groups import Asked, GroupProfile, parse_subject, subject_of

AND = " & "
"""Between the names, and the values, of facets that are looked at together."""


class Part(NamedTuple):
    """Which cells of one facet's column belong to a group."""

    name: str
    meant: frozenset[str] = frozenset()
    """The values; none where a threshold is named."""
    threshold: float | None = None


class Group(NamedTuple):
    """One group of rows: its facet, what it is called, and its counts."""

    subject: str
    """``facet=value``, the same in every window."""
    facet: str
    value: str
    """As Clarify writes it: values joined by commas, or an interval up to the largest number of these rows."""
    counts: NDArray[np.int64] | None
    """By outside and in the group, subgroup (rows without one first), label, prediction (none first); None: unknown."""
    grouped: bool
    parts: tuple[Part, ...]


class Label(NamedTuple):
    """The label's name and positive values, and how the profile tells them: by value 1, by threshold 2."""

    name: str
    value: str
    positive: int

    @classmethod
    def of(cls, asked: Asked, profile: GroupProfile, known: GroupProfile) -> "Label":
        """The label as the known profile reads it."""
        name, mark = asked.label, asked.positive
        if mark.threshold is not None and known.is_scale(name, mark):
            return cls(name, profile.interval(name, mark.threshold), 2)
        return cls(name, ",".join(mark.values), 1)


class Search(NamedTuple):
    """What the groups are looked for in."""

    asked: Asked
    profile: GroupProfile
    known: GroupProfile
    """The baseline's, which says whether a number is a value or a threshold."""
    label: Label
    subjects: Collection[str]
    """What the baseline's constraints judge."""

    def groups(self) -> Iterator[Group]:
        """Every group that the settings name or the baseline knows, facet by facet, then those of several facets."""
        marks = dict(self.asked.facets)
        for name, mark in self.asked.facets:
            yield from self._of_one(name, mark)
        for names in self.asked.intersections:
            yield from self._of_several(names, marks)

    def _of_one(self, name: str, mark: Mark) -> Iterator[Group]:
        """The groups of one facet: those above its threshold, of its values, or of each value."""
        if self._is_scale(name, mark):
            counts = self.profile.facets.get((name, mark.threshold), FacetCounts())
            places = [place for place, one in enumerate(counts.values) if one == SELECTED]
            yield self._group([self._named(name, mark)], [], counts, places)
            return
        counts = self.profile.facets.get((name, None), FacetCounts())
        if mark.values:
            places = [place for place, one in enumerate(counts.values) if one in mark.meant]
            yield self._group([self._named(name, mark)], [], counts, places)
            return
        values = {value for facet, value in self._judged() if facet == name}
        values |= {*counts.values, *self.known.facets.get((name, None), FacetCounts()).values}
        where = {value: place for place, value in enumerate(counts.values)}
        for value in sorted(values):
            yield self._group([_each(name, value)], [], counts, [where[value]] if value in where else [])

    def _of_several(self, names: tuple[str, ...], marks: Mapping[str, Mark]) -> Iterator[Group]:
        """The groups of several facets at once: the named values of some, each value of the others."""
        named = [self._named(name, marks[name]) if marks[name].values else None for name in names]
        bits = [0 if one is None else 2 if one[0].meant == frozenset() else 1 for one in named]
        counts = self.profile.crossed.get(names, FacetCounts())
        here = _by_key(counts.values, bits)
        keys = {*here, *_by_key(self.known.crossed.get(names, FacetCounts()).values, bits)}
        for facet, value in self._judged():
            values = value.split(AND)
            if facet == AND.join(names) and len(values) == len(names):
                keys.add(tuple(one for one, bit in zip(values, bits, strict=True) if not bit))
        for key in sorted(keys) if 0 in bits else [()]:
            each = iter(key)
            members = [one or _each(name, next(each)) for name, one in zip(names, named, strict=True)]
            yield self._group(members, names, counts, here.get(key, []))

    def _group(
        self, members: Sequence[tuple[Part, str]], names: Sequence[str], counts: FacetCounts, places: Sequence[int]
    ) -> Group:
        """The group of these places among the counted values, against all other rows."""
        facet, value = AND.join(names or [members[0][0].name]), AND.join(text for _, text in members)
        lasting = AND.join(parse_subject(subject_of(part.name, text))[1] for part, text in members)
        found = None
        if counts.cells is not None:
            cells = counts.outcomes(counts.values, self.label.positive, self.label.positive)
            inside = cells[[*places]].sum(axis=0)
            found = np.stack([cells.sum(axis=0) - inside, inside])
        parts = tuple(part for part, _ in members)
        return Group(subject_of(facet, lasting), facet, value, found, counts.grouped, parts)

    def _named(self, name: str, mark: Mark) -> tuple[Part, str]:
        """The cells that the settings name, and how Clarify writes that."""
        if mark.threshold is not None and self._is_scale(name, mark):
            return Part(name, threshold=mark.threshold), self.profile.interval(name, mark.threshold)
        return Part(name, mark.meant), ",".join(mark.values)

    def _is_scale(self, name: str, mark: Mark) -> bool:
        """Whether its number is a threshold: as the constraints have it, or as the known rows have it."""
        if mark.threshold is None:
            return False
        if subject_of(name, f"({mark.threshold}, max]") in self.subjects:
            return True
        return subject_of(name, ",".join(mark.values)) not in self.subjects and self.known.is_scale(name, mark)

    def _judged(self) -> Iterator[tuple[str, str]]:
        return map(parse_subject, self.subjects)


def _each(name: str, value: str) -> tuple[Part, str]:
    return Part(name, frozenset({value})), value


def _by_key(values: Sequence[str], bits: Sequence[int]) -> dict[tuple[str, ...], list[int]]:
    """The places of the crossed values that have all that is named, by their values of the facets compared by each."""
    found: dict[tuple[str, ...], list[int]] = {}
    for place, text in enumerate(values):
        parts = parts_of(text)
        each = tuple(part for part in parts if isinstance(part, str))
        named = [(part, bit) for part, bit in zip(parts, bits, strict=True) if bit]
        if len(each) + len(named) == len(parts) and all(
            isinstance(part, int) and part and (part - 1) & bit for part, bit in named
        ):
            found.setdefault(each, []).append(place)
    return found
