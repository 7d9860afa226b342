"""What a page shows of a group: its sizes, its rates beside those of the others, and what nothing judges."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from monitor_tasks.baseline import Metric
from monitor_tasks.exhibit import Comparison, Pair, Unit

Judged = Collection[tuple[str, str]]
"""Subject and metric of every constraint."""
_NOTED = 3
"""So many reasons are told."""


def exhibits(here: Sequence[Metric], then: Sequence[Metric], judged: Judged) -> tuple[Comparison, ...]:
    """One exhibit for each group of the window."""
    known = {(one.subject, one.name): one for one in then}
    groups: dict[str, list[Metric]] = {}
    for one in here:
        groups.setdefault(one.subject, []).append(one)
    return tuple(_exhibit(subject, metrics, known, judged) for subject, metrics in groups.items())


def _exhibit(
    subject: str, metrics: Sequence[Metric], known: Mapping[tuple[str, str], Metric], judged: Judged
) -> Comparison:
    facts = [*_sizes(subject, metrics, known)]
    facts += [
        _pair(str(one.details["description"]), one.value, known.get((subject, one.name)), "value")
        for one in metrics
        if (subject, one.name) not in judged and one.value is not None
    ]
    return Comparison(title="group", subject=subject, facts=tuple(facts), note=_note(subject, metrics, judged))


def _sizes(subject: str, metrics: Sequence[Metric], known: Mapping[tuple[str, str], Metric]) -> Iterator[Pair]:
    """The rows that the class imbalance looks at: all that have a label."""
    imbalance = next(one for one in metrics if one.name == "CI")
    former = known.get((subject, "CI"))
    for words, name in (("labelled rows in the group", "rows_in_group"), ("labelled rows outside", "rows_outside")):
        rows, rows_then = (None if one is None else one.details.get(name) for one in (imbalance, former))
        yield Pair(label=words, here=_number(rows), baseline=_number(rows_then))


def _pair(label: str, here: float | None, then: Metric | None, unit: Unit) -> Pair:
    return Pair(label=label, here=here, baseline=then.value if then else None, unit=unit)


def _number(detail: float | int | str | None) -> float | None:
    return None if detail is None or isinstance(detail, str) else float(detail)


def _note(subject: str, metrics: Sequence[Metric], judged: Judged) -> str:
    """Why some of its metrics are not there."""
    reasons: dict[str, list[str]] = {}
    for one in metrics:
        if one.value is None and (subject, one.name) not in judged:
            reasons.setdefault(one.because, []).append(one.name)
    told = [f"{', '.join(names)}: {because}" for because, names in reasons.items()]
    more = [f"{len(told) - _NOTED} more reasons"] if len(told) > _NOTED else []
    return "; ".join([*told[:_NOTED], *more])
