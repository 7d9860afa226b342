"""How far a share of counted cells lies from its true value by chance alone."""

from math import hypot

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
