"""What share of the rows repeats another row, from a sample of the different ones."""

from math import sqrt
from typing import NamedTuple

import numpy as np

from monitor_tasks.profiles.rows import RowSample

_FAR = 5
"""So many standard errors beside the smallest hashes' estimate, the kept counts have missed a row of very many."""


class DuplicateShare(NamedTuple):
    """The share of repeated rows, and the standard error of it."""

    value: float
    deviation: float
    """0 where the share is exact, because all different rows are kept."""


def duplicate_rows(sample: RowSample) -> DuplicateShare | None:
    """Share of rows that repeat another row, the first of equal ones not counted; None without rows.

    Exact while the sample holds every different row. Else the kept rows are a simple random sample of the different
    ones, and the share is that of the repeats among all rows equal to a kept one: a ratio of sums, 0 where none
    repeats, with the deviation of such a ratio in a finite population (Cochran 1977, section 6.3), never less than if
    one kept row had occurred twice. A row of very many, which is one different row and likely not kept, escapes it;
    where that share lies 5 standard errors beside what the k-th smallest hash tells (Bar-Yossef et al. 2002), which
    it does if such rows make up more than 5 / sqrt(k) of all, the latter is given.

    >>> duplicate_rows(RowSample(k=3, rows=8, columns=("a",), hashes=(1, 5), counts=(6, 2), cells=(("x",), ("y",))))
    DuplicateShare(value=0.75, deviation=0.0)
    """
    if not sample.rows:
        return None
    if sum(sample.counts) == sample.rows:
        return DuplicateShare(1 - len(sample.counts) / sample.rows, 0.0)
    known, coarse = _by_counts(sample), _by_hashes(sample)
    return coarse if abs(coarse.value - known.value) > _FAR * coarse.deviation else known


def _by_counts(sample: RowSample) -> DuplicateShare:
    kept, mean = len(sample.counts), float(np.mean(sample.counts))
    variance = max(float(np.var(sample.counts, ddof=1)) if kept > 1 else 0.0, 1 / kept)
    unseen = max(0.0, 1 - kept * mean / sample.rows)
    return DuplicateShare(1 - 1 / mean, sqrt(variance * unseen / kept) / mean**2)


def _by_hashes(sample: RowSample) -> DuplicateShare:
    """From how dense the smallest hashes lie: of n uniform ones the k-th smallest is about k / n."""
    kept = len(sample.hashes)
    different = (kept - 1) / ((sample.hashes[-1] + 1) / 2**64)
    part = min(1.0, different / sample.rows)
    return DuplicateShare(1 - part, part / sqrt(max(kept - 2, 1)))
