"""Whole rows, texts, predictions and chance: scikit-learn, scipy, pandas and the standard library on the raw rows."""

import ipaddress
import uuid
from collections.abc import Callable, Mapping
from datetime import date
from math import hypot

import numpy as np
import pandas as pd
import pyarrow as pa
from scipy import stats
from sklearn.metrics import pairwise_distances, roc_auc_score
from sklearn.metrics.pairwise import rbf_kernel

from monitor_tasks.metrics.cells import class_balance, unseen_share
from monitor_tasks.metrics.chance import REACH, TAIL, share_deviation
from monitor_tasks.metrics.correlation import rank_correlations
from monitor_tasks.metrics.discrepancy import maximum_mean_discrepancy
from monitor_tasks.metrics.duplicates import duplicate_rows
from monitor_tasks.metrics.encoding import Encoded, encoded
from monitor_tasks.metrics.separation import cross_validated, domain_classifier
from monitor_tasks.profiles.columns import Edges, TableProfile
from monitor_tasks.profiles.extras import Also
from monitor_tasks.profiles.formats import NAMES, formats_of
from monitor_tasks.profiles.rows import RowSample
from monitor_tasks.tables.predictions import ENTROPY, WIDTH, with_uncertainty
from tests.conformance.case import Case, Pairs

GENERATED = "generated, 200 rows against 300 of three columns"
FORMATS: Mapping[str, Callable[[str], object]] = {
    "uuid": uuid.UUID, "ip_address": ipaddress.ip_address, "date": date.fromisoformat,
}  # fmt: skip


def _sides() -> Encoded:
    chance = np.random.default_rng(8)
    tables = [
        pa.table(
            {"a": chance.normal(middle, 1, rows), "b": chance.normal(size=rows), "c": chance.choice(["x", "y"], rows)}
        )
        for middle, rows in ((0.4, 200), (0.0, 300))
    ]
    current, reference = (RowSample.of(one, 1024) for one in tables)
    return encoded(current, reference)


def _mmd() -> Pairs:
    """The unbiased estimate of Gretton et al. 2012, equation 3, by scikit-learn's kernel."""
    rows = _sides()
    found = maximum_mean_discrepancy(rows, permutations=10)
    matrix = np.asarray(rows.matrix)
    sides = [np.repeat(matrix, np.asarray(counts).astype(int), axis=0) for counts in (rows.current, rows.reference)]
    gamma = 1 / (2 * found.bandwidth**2)
    one, two, both = (rbf_kernel(x, y, gamma) for x, y in ((sides[0], sides[0]), (sides[1], sides[1]), (*sides,)))
    n, m = map(len, sides)
    within = (one.sum() - n) / (n * (n - 1)) + (two.sum() - m) / (m * (m - 1))
    yield found.value, within - 2 * both.mean()
    apart = np.sort(pairwise_distances(np.vstack(sides))[np.triu_indices(n + m, 1)])
    yield found.bandwidth, apart[(len(apart) - 1) // 2]


def _area() -> Pairs:
    rows = _sides()
    folds = []
    for one in cross_validated(rows):
        scores, labels = one.model.decision_function(one.unseen.matrix), np.ones(len(one.unseen.matrix))
        weights = np.r_[one.unseen.current, one.unseen.reference]
        folds.append(roc_auc_score(np.r_[labels, 0 * labels], np.r_[scores, scores], sample_weight=weights))
    yield domain_classifier(rows).auc, np.mean(folds)


def _duplicates() -> Pairs:
    chance = np.random.default_rng(4)
    for kinds in (3, 30, 3000):
        frame = pd.DataFrame({"a": chance.integers(0, kinds, 800), "b": chance.integers(0, 2, 800)})
        found = duplicate_rows(RowSample.of(pa.Table.from_pandas(frame), 1024))
        yield found and found.value, frame.duplicated().mean()


def _correlations() -> Pairs:
    chance = np.random.default_rng(5)
    first = chance.normal(size=500)
    table = pa.table({"a": first, "b": first + chance.normal(size=500), "c": -first})
    known = TableProfile.of(table, Edges.of(table), Also(correlations=True)).correlations
    assert known is not None
    found = rank_correlations(known)
    for one, two in (("a", "b"), ("a", "c"), ("b", "c")):
        yield found[one][two], stats.spearmanr(table[one].to_numpy(), table[two].to_numpy()).statistic


def _formats() -> Pairs:
    """A text has a format where the standard library reads it as such."""
    chance = np.random.default_rng(6)
    texts = [str(uuid.UUID(bytes=chance.bytes(16))) for _ in range(200)]
    texts += [str(ipaddress.ip_address(chance.bytes(size))) for size in (4, 16) for _ in range(200)]
    texts += [f"2026-{month:02}-{day:02}" for month in range(1, 13) for day in range(1, 29)]
    texts += ["2026-13-01", "10.0.0.256", "1::2::3", "12345678-1234"]
    for text, found in zip(texts, formats_of(pa.array(texts)), strict=True):
        yield NAMES[found] if NAMES[found] in FORMATS else None, _read_as(text)


def _read_as(text: str) -> str | None:
    for name, read in FORMATS.items():
        try:
            read(text)
        except ValueError:
            continue
        return name
    return None


def _entropy() -> Pairs:
    chance = np.random.default_rng(7)
    shares = chance.dirichlet([1, 1, 1], 200)
    table = pa.table({name: shares[:, place] for place, name in enumerate("abc")})
    found = with_uncertainty(table, ["a", "b", "c"], ["a", "b"])
    yield from zip(found[ENTROPY].to_pylist(), stats.entropy(shares, base=2, axis=1), strict=True)
    yield from zip(found[WIDTH].to_pylist(), shares[:, 1] - shares[:, 0], strict=True)


def _chance() -> Pairs:
    for good, of, theirs, size in ((57, 60, 9_700, 10_000), (0, 9, 5, 9), (999, 1_000, 90, 100)):
        mine, known = (
            stats.binomtest(count, n).proportion_ci(1 - 2 * TAIL, method="exact")
            for count, n in ((good, of), (theirs, size))
        )
        found = share_deviation(good, of, theirs, size)
        yield found and found * REACH, hypot(mine.high - good / of, theirs / size - known.low)


def _classes() -> Pairs:
    mine, theirs = (pd.Series(list(text)) for text in ("aaabbc" * 20, "aabbcc" * 30))
    shares = mine.value_counts(normalize=True) / theirs.value_counts(normalize=True)
    found = class_balance(mine.value_counts().to_dict(), theirs.value_counts().to_dict())
    yield found and found.ratio, shares.min()
    yield unseen_share({"a": 5, "b": 1, "c": 1}), 2 / 7


CASES = (
    Case("mmd, bandwidth", "scikit-learn `rbf_kernel`, numpy's median", GENERATED, _mmd),
    Case("domain_classifier", "scikit-learn `roc_auc_score` on the same folds", GENERATED, _area),
    Case("duplicate_rows", "pandas `duplicated`", "generated, 800 rows of up to 1,024 different ones", _duplicates),
    Case("correlation", "scipy `spearmanr`", "generated, 500 rows of different numbers", _correlations),
    Case("formats", "`uuid`, `ipaddress`, `date.fromisoformat`", "generated, 940 texts", _formats, "bytes"),
    Case("prediction_entropy, prediction_interval_width", "scipy `entropy`, numpy", "generated, 200 rows", _entropy),
    Case("deviation of a share", "scipy `binomtest`, Clopper and Pearson", "three pairs of samples", _chance),
    Case("class_balance, unseen share", "pandas' shares, the formula", "generated", _classes),
)
