"""Fairness as the contract's formulas have it, row by row, and the figures that others published."""

import csv
import math
from pathlib import Path

import numpy as np

from monitor_tasks.metrics.fairness import FAIRNESS
from monitor_tasks.metrics.outcomes import Outcomes


def cells(lines: list[tuple[int, int, int, int]]) -> np.ndarray:
    """Rows of (in the group, label, prediction, subgroup) as counts by subgroup, group, label, prediction."""
    counts = np.zeros((3, 2, 2, 2), np.int64)
    for inside, label, predicted, subgroup in lines:
        counts[subgroup, inside, label, predicted] += 1
    return counts


def div(x: float, y: float) -> float:
    return x / y if y else 0.0 if x == 0 else math.copysign(math.inf, x)


def minus(x: float, y: float) -> float:
    return 0.0 if x == y else x - y


def by_rows(lines: list[tuple[int, int, int, int]]) -> dict[str, float]:
    """The contract's formulas, row by row."""
    a, d = ([line for line in lines if line[0] == inside] for inside in (0, 1))

    def n(group, label=None, predicted=None) -> int:
        return sum((label is None or y == label) and (predicted is None or p == predicted) for _, y, p, _ in group)

    def rate(group, top, bottom) -> float:
        return div(n(group, *top), n(group, *bottom))

    def disparity(which: int) -> float:
        total = 0.0
        for subgroup in {line[3] for line in lines}:
            own = [line for line in lines if line[3] == subgroup]
            shares = [
                div(sum(line[0] for line in own if line[which] == outcome), sum(line[which] == outcome for line in own))
                for outcome in (0, 1)
            ]
            total += len(own) / len(lines) * (shares[0] - shares[1])
        return total

    shares = [(n(a, y) / len(a), n(d, y) / len(d)) for y in (0, 1) if n(a, y) and n(d, y)] if a and d else []
    benefits = np.array([p - y + 1 for _, y, p, _ in lines])
    some, other = (None, 1), (None, 0)
    return {
        "CI": (len(a) - len(d)) / len(lines),
        "DPL": minus(rate(a, (1,), ()), rate(d, (1,), ())),
        "KL": sum(x * math.log(x / y) for x, y in shares),
        "JS": sum(x * math.log(2 * x / (x + y)) + y * math.log(2 * y / (x + y)) for x, y in shares) / 2,
        "LP": math.sqrt(sum((x - y) ** 2 for x, y in shares)),
        "TVD": sum(abs(x - y) for x, y in shares) / 2,
        "KS": max((abs(x - y) for x, y in shares), default=0.0),
        "CDDL": disparity(1),
        "CDDPL": disparity(2),
        "AD": div(n(a, 1, 1) + n(a, 0, 0), len(a)) - div(n(d, 1, 1) + n(d, 0, 0), len(d)),
        "DAR": minus(rate(a, (1, 1), some), rate(d, (1, 1), some)),
        "DCA": minus(rate(a, (1,), some), rate(d, (1,), some)),
        "DCR": minus(rate(d, (0,), other), rate(a, (0,), other)),
        "DI": div(rate(d, some, ()), rate(a, some, ())),
        "DPPL": minus(rate(a, some, ()), rate(d, some, ())),
        "DRR": minus(rate(d, (0, 0), other), rate(a, (0, 0), other)),
        "GE": float((np.square(benefits / benefits.mean()) - 1).sum() / (2 * len(lines))) if benefits.any() else 0.0,
        "RD": minus(rate(a, (1, 1), (1,)), rate(d, (1, 1), (1,))),
        "SD": minus(rate(d, (0, 0), (0,)), rate(a, (0, 0), (0,))),
        "statistical_parity_difference": minus(rate(d, some, ()), rate(a, some, ())),
        "equal_opportunity_difference": minus(rate(d, (1, 1), (1,)), rate(a, (1, 1), (1,))),
        "average_odds_difference": (
            minus(rate(d, (1, 1), (1,)), rate(a, (1, 1), (1,))) + minus(rate(d, (0, 1), (0,)), rate(a, (0, 1), (0,)))
        )
        / 2,
        "TE": minus(div(n(d, 1, 0), n(d, 0, 1)), div(n(a, 1, 0), n(a, 0, 1))),
    }


GERMAN = {
    "foreign": {
        "CDDL": 0.0329040012335, "CI": -0.926, "DPL": 0.199264685246, "JS": 0.0311855410362, "KL": 0.112552192137,
        "KS": 0.199264685246, "LP": 0.281802820377, "TVD": 0.199264685246,
    },
    "over 40": {
        "CDDL": -0.0601777806494, "CI": 0.452, "DPL": -0.0512758641491, "JS": 0.00160298534232, "KL": 0.0065318840129,
        "KS": 0.0512758641491, "LP": 0.0725150225021, "TVD": 0.0512758641491,
    },
}  # fmt: skip
"""Pre-training figures of the German credit data, by smclarify 0.5; where a notebook prints them, they are its own."""


def german_credit(file: Path, group: str) -> np.ndarray:
    """The German credit data as counts by subgroup, group, label and a prediction that is always 0."""
    lines = []
    for row in csv.reader(file.read_text().splitlines()):
        inside = row[19] == "A201" if group == "foreign" else int(row[12]) > 40
        lines.append((int(inside), int(row[20] == "1"), 0, ["A151", "A152", "A153"].index(row[14])))
    by_label = cells(lines)
    return by_label.sum(axis=-1)[..., np.newaxis] * np.eye(2, dtype=np.int64)


def value(name: str, counts: np.ndarray) -> float:
    """One metric of counts by subgroup, group, label and prediction."""
    metric = FAIRNESS[name]
    return float(metric.of(counts if metric.by_subgroup else counts.sum(axis=0)))


# Published by Clarify without its predictions: the only counts that fit the eleven figures (label: 1 of 666 rows).
ADULT = Outcomes.of(86, 36, 57, 277), Outcomes.of(8, 2, 9, 191)
FRAUD = Outcomes.of(2707, 89, 0, 0), Outcomes.of(1187, 17, 0, 0)
"""The same of the fraud example, whose model predicts no fraud at all (label: 0, no fraud)."""
ALL_FRAUD = Outcomes.of(2707 + 1187, 89 + 17, 0, 0)
