"""Two models beside each other: published intervals, and scipy's tests."""

from scipy.stats import binomtest, chi2_contingency, fisher_exact

from monitor_tasks.metrics.comparison import Agreement, Share, of_paired_shares, of_shares, wilson
from tests.conformance.case import Case, Pairs

FOUR_DIGITS = "< 1e-3"
"""The published figures have four digits."""
NEWCOMBE = (
    ((56, 70), (48, 80), (0.0524, 0.3339)),
    ((9, 10), (3, 10), (0.1705, 0.8090)),
    ((6, 7), (2, 7), (0.0582, 0.8062)),
    ((5, 56), (0, 29), (-0.0381, 0.1926)),
    ((0, 10), (0, 20), (-0.1611, 0.2775)),
    ((0, 10), (0, 10), (-0.2775, 0.2775)),
    ((10, 10), (0, 20), (0.6791, 1.0)),
    ((10, 10), (0, 10), (0.6075, 1.0)),
)
"""Newcombe 1998, Statistics in Medicine 17, 873: table II, method 10; hits and rows of either sample."""
THERAPY = Agreement(59, 16, 6, 80)
"""Complete response before and after consolidation therapy (Cavo et al. 2012)."""


def _newcombe() -> Pairs:
    for challenger, champion, interval in NEWCOMBE:
        found = of_shares(Share(*champion), Share(*challenger))
        yield from zip(found[1:3], interval, strict=True)


def _therapy() -> Pairs:
    yield from zip(of_paired_shares(THERAPY)[:3], (-0.0621, -0.1186, -0.0046), strict=True)


def _wilson() -> Pairs:
    for hits, rows in ((0, 10), (10, 10), (3, 7), (81, 263)):
        expected = binomtest(hits, rows).proportion_ci(method="wilson")
        yield from zip(wilson(Share(hits, rows)), (expected.low, expected.high), strict=True)


def _pearson() -> Pairs:
    yield (
        of_shares(Share(48, 80), Share(56, 70)).p_value,
        chi2_contingency([[48, 32], [56, 14]], correction=False).pvalue,
    )
    yield of_shares(Share(3, 10), Share(9, 10)).p_value, fisher_exact([[3, 7], [9, 1]]).pvalue


def _mcnemar() -> Pairs:
    yield of_paired_shares(THERAPY).p_value, binomtest(6, 22).pvalue


COMPARISONS = (
    Case(
        "difference of two shares, interval", "published by Newcombe, four digits", "eight tables", _newcombe,
        FOUR_DIGITS,
    ),
    Case(
        "difference of paired shares, interval", "R package contingencytables, four digits", "161 patients", _therapy,
        FOUR_DIGITS,
    ),
    Case("interval of a share", "scipy `proportion_ci`, Wilson", "four shares", _wilson),
    Case("equal shares, p-value", "scipy `chi2_contingency`, `fisher_exact`", "two tables", _pearson),
    Case("McNemar's test, p-value", "scipy `binomtest`", "161 patients", _mcnemar),
)  # fmt: skip
