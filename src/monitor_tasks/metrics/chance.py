"""How far a share of counted cells lies from its true value by chance alone."""

from math import hypot, sqrt
from statistics import NormalDist

REACH = 3
"""Deviations that an interval reaches to either side."""
TAIL = 0.0013498980316301
"""What a normal distribution leaves beyond so many deviations on one side."""


def share_deviation(good: int, of: int, good_reference: float, of_reference: int) -> float | None:
    """A third of how far a share may lie below the reference's by the chance of both samples; None without cells.

    Each sample's part is exact for any size: the one-sided Clopper-Pearson interval of 1 - 0.00135, which a normal
    distribution reaches with three deviations. A reference without exceptions leaves nothing to chance. Source: Clopper
    and Pearson 1934.

    >>> share_deviation(57, 60, 9_700, 10_000)
    0.0155...
    >>> share_deviation(59, 60, 10_000, 10_000)
    0.0
    """
    from scipy.special import betaincinv

    if not of or not of_reference:
        return None
    if good_reference >= of_reference:
        return 0.0
    above = (1.0 if good >= of else float(betaincinv(good + 1, of - good, 1 - TAIL))) - good / of
    least = 0.0 if good_reference <= 0 else float(betaincinv(good_reference, of_reference - good_reference + 1, TAIL))
    return hypot(above, good_reference / of_reference - least) / REACH


def reach_among(numbers: int, level: float = 0.01) -> float:
    """Deviations beyond which chance takes any of so many numbers, on one side, in at most a part `level` of the times.

    It holds however the numbers depend on each other. Source: Bonferroni 1936.

    >>> round(reach_among(1), 2), round(reach_among(100), 2)
    (2.33, 3.72)
    """
    return -NormalDist().inv_cdf(level / max(1, numbers))


def difference_deviation(
    mine: tuple[float | None, int], theirs: tuple[float | None, int], together: float | None
) -> float | None:
    """How far a number's difference between two samples moves by chance, from deviations and the rows they rest on.

    It is the larger of two answers: that of the samples' own deviations, and that of the deviation of all rows
    `together`, which is right where nothing has changed. The first alone fails for a share that is 0 or 1 in a few
    rows, whose own deviation is 0; the second alone for a small sample beside a large one.

    >>> difference_deviation((0.0, 200), (0.03, 600), 0.02)  # 0.02 * sqrt(800 / 200 + 800 / 600)
    0.046...
    >>> difference_deviation((None, 20), (0.03, 600), 0.02) is None
    True
    """
    (here, rows), (there, known) = mine, theirs
    if here is None or there is None or together is None:
        return None
    whole = rows + known
    return max(hypot(here, there), together * sqrt(whole / rows + whole / known))
