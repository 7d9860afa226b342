"""Drift of all columns together, from the row samples of both sides."""

from collections.abc import Callable, Mapping

from monitor_tasks.metrics.discrepancy import maximum_mean_discrepancy
from monitor_tasks.metrics.drift import Details, Drift, Undecided
from monitor_tasks.metrics.encoding import Encoded, encoded
from monitor_tasks.metrics.separation import domain_classifier
from monitor_tasks.profiles.rows import RowSample


def mmd(current: RowSample, reference: RowSample) -> Drift:
    """Squared maximum mean discrepancy of the rows, unbiased: the larger, the farther apart the sides are.

    Details: ``p_value``, ``effect_size``, ``bandwidth``, ``n`` and ``n_baseline``, the rows compared of either side.

    >>> def sample(first):
    ...     return RowSample(40, 40, ("age",), tuple(range(40)), (1,) * 40, tuple((str(first + i),) for i in range(40)))
    >>> mmd(sample(100), sample(0)).details["p_value"]
    0.001...
    """
    return _answer(_mmd, current, reference)


def classifier(current: RowSample, reference: RowSample) -> Drift:
    """Area under the curve of a classifier that tells current rows from the reference's: 0.5 is no drift, 1 the most.

    Details: ``p_value``, ``deviation``, ``n`` and ``n_baseline``, the rows compared of either side; ``drivers``, the
    columns that tell the sides apart, the strongest first, each with the area's fall when its cells are shuffled.

    >>> classifier(RowSample(9, 0, ("age",), (), (), ()), RowSample(9, 0, ("age",), (), (), ())).because
    '0 comparable rows against 0: it takes 30 on each side'
    """
    return _answer(_classifier, current, reference)


def _answer(measure: Callable[[Encoded], Drift], current: RowSample, reference: RowSample) -> Drift:
    try:
        return measure(encoded(current, reference))
    except Undecided as why:
        return Drift(None, {"n": sum(current.counts), "n_baseline": sum(reference.counts)}, str(why))


def _mmd(rows: Encoded) -> Drift:
    found = maximum_mean_discrepancy(rows)._asdict()
    return Drift(found.pop("value"), {name: known for name, known in found.items() if known is not None})


def _classifier(rows: Encoded) -> Drift:
    found = domain_classifier(rows)
    details: Details = {name: known for name, known in found._asdict().items() if name not in ("auc", "drivers")}
    drivers = ", ".join(f"{name} {fall:.3f}" for name, fall in found.drivers)
    return Drift(found.auc, {**details, **({"drivers": drivers} if drivers else {})})


MULTIVARIATE: Mapping[str, Callable[[RowSample, RowSample], Drift]] = {"mmd": mmd, "domain_classifier": classifier}
"""By the name that a setting gives it."""
