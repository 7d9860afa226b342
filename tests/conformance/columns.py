"""Drift and shares of cells: scipy and pandas on the raw rows, and figures that others published."""

import io
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
from scipy import stats
from scipy.spatial import distance as scipys

from monitor_tasks.metrics import distance
from monitor_tasks.metrics.cells import completeness, domain_share, type_match, variety
from monitor_tasks.metrics.drift import Pair, drift
from monitor_tasks.metrics.significance import benjamini_hochberg
from monitor_tasks.profiles.columns import ColumnProfile, Edges, TableProfile
from tests.conformance.case import Case, Pairs, shared

TITANIC = "Titanic, 418 rows against 891"
GENERATED = "generated, 3,000 rows against 5,000"
WHOLE, TEXTS, MANY = ("SibSp", "Parch", "Age", "Fare"), ("Sex", "Embarked"), ("amount",)


class Sides(NamedTuple):
    """A window and its reference, as rows and as profiles on the same edges."""

    rows: tuple[pd.DataFrame, pd.DataFrame]
    edges: Edges
    profiles: tuple[TableProfile, TableProfile]

    @classmethod
    def of(cls, window: pd.DataFrame, reference: pd.DataFrame) -> "Sides":
        """Both sides, the missing cells of pandas missing."""
        tables = [pa.Table.from_pandas(one, preserve_index=False) for one in (window, reference)]
        edges = Edges.of(tables[1])
        mine, theirs = (TableProfile.of(one, edges) for one in tables)
        return cls((window, reference), edges, (mine, theirs))

    def pair(self, name: str) -> Pair:
        """A column and its reference."""
        mine, theirs = (one.columns[name] for one in self.profiles)
        return Pair(mine, theirs, edges=self.edges.by_column.get(name))

    def cells(self, name: str) -> tuple[Any, Any]:
        """The present cells of a column on both sides."""
        mine, theirs = (one[name].dropna().to_numpy() for one in self.rows)
        return mine, theirs

    def shares(self, name: str) -> Any:
        """Counts of both sides in one order: of categories, or of groups that hold a tenth of the reference each."""
        mine, theirs = self.cells(name)
        if name in TEXTS:
            return np.array([[np.sum(side == one) for one in np.unique(theirs)] for side in (mine, theirs)])
        edges = self.edges.by_column[name]
        below = np.cumsum(np.bincount(np.searchsorted(edges, theirs, "left"), minlength=len(edges) + 1))
        cuts = np.unique(edges[np.searchsorted(below, np.arange(1, 10) / 10 * len(theirs), "left")])
        groups = (np.bincount(np.searchsorted(cuts, side, "left"), minlength=len(cuts) + 1) for side in (mine, theirs))
        return np.array([*groups])


def titanic() -> Sides:
    """NannyML's analysis rows against its reference."""
    window, reference = (
        pd.read_csv(io.BytesIO(shared(f"nannyml-titanic/titanic_{name}.csv"))) for name in ("analysis", "reference")
    )
    return Sides.of(window, reference)


def generated() -> Sides:
    """A column with more different values than a profile knows one by one."""
    chance = np.random.default_rng(20)
    window, reference = (
        pd.DataFrame({"amount": chance.normal(middle, spread, rows)})
        for middle, spread, rows in ((10.3, 2.2, 3000), (10, 2, 5000))
    )
    return Sides.of(window, reference)


def _roots(counts: Any) -> float:
    p, q = (side / side.sum() for side in counts)
    return float(np.sqrt(((np.sqrt(p) - np.sqrt(q)) ** 2).sum() / 2))


def _psi(counts: Any) -> float:
    p, q = (side / side.sum() for side in counts)
    return float(((p - q) * np.log(p / q)).sum())


def _tested(counts: Any) -> Any:
    return stats.chi2_contingency(counts, correction=False)


def _deviation(theirs: Any) -> float:
    return float(np.std(theirs, ddof=1))


def _welch(mine: Any, theirs: Any) -> float:
    return float(stats.ttest_ind(mine, theirs, equal_var=False).pvalue)


ON_SHARES: Mapping[str, tuple[str, Callable[[Any], float]]] = {
    "psi": ("formula on the shares of the rows", _psi),
    "jensen_shannon": ("scipy `jensenshannon`, base 2", lambda counts: float(scipys.jensenshannon(*counts, base=2))),
    "kullback_leibler": ("scipy `entropy`", lambda counts: float(stats.entropy(*counts))),
    "hellinger": ("formula on the shares of the rows", _roots),
    "chi_square": ("scipy `chi2_contingency`, p-value", lambda counts: float(_tested(counts).pvalue)),
    "cramers_v": (
        "scipy `association`", lambda counts: float(stats.contingency.association(counts, "cramer")),
    ),
}  # fmt: skip
ON_ROWS: Mapping[str, tuple[str, Callable[[Any, Any], float]]] = {
    "ks": ("scipy `ks_2samp`", lambda x, y: float(stats.ks_2samp(x, y, method="asymp").statistic)),
    "wasserstein": (
        "scipy `wasserstein_distance`, in standard deviations",
        lambda x, y: float(stats.wasserstein_distance(x, y)) / _deviation(y),
    ),
    "mean_shift": ("formula on the rows", lambda x, y: float(np.mean(x) - np.mean(y)) / _deviation(y)),
    "variance_shift": ("formula on the rows", lambda x, y: 2 * float(np.log(_deviation(x) / _deviation(y)))),
}
P_VALUES: Mapping[str, tuple[str, Callable[[Any, Any], float]]] = {
    "ks": ("scipy `ks_2samp`, p-value", lambda x, y: float(stats.ks_2samp(x, y, method="asymp").pvalue)),
    "mean_shift": ("scipy `ttest_ind` (Welch), p-value", _welch),
}  # fmt: skip


def _compared(method: str, sides: Callable[[], Sides], names: tuple[str, ...]) -> Pairs:
    known = sides()
    for name in names:
        if method in ON_SHARES:
            theirs = ON_SHARES[method][1](known.shares(name))
        else:
            theirs = ON_ROWS[method][1](*known.cells(name))
        yield drift(method, known.pair(name)).value, theirs


def _p_values(method: str) -> Pairs:
    """In parts of scipy's, which may be small."""
    known = titanic()
    for name in WHOLE:
        found = drift(method, known.pair(name)).details["p_value"]
        yield float(found) / P_VALUES[method][1](*known.cells(name)), 1.0


def _drift() -> Iterator[Case]:
    for method, (oracle, _) in ON_SHARES.items():
        names = ("Sex", "Age", "Fare")
        yield Case(method, oracle, f"{TITANIC}: {', '.join(names)}", lambda m=method, n=names: _compared(m, titanic, n))
        yield Case(method, oracle, GENERATED, lambda m=method: _compared(m, generated, MANY))
    for method, (oracle, _) in ON_ROWS.items():
        moments = method.endswith("_shift")
        yield Case(method, oracle, f"{TITANIC}: {', '.join(WHOLE)}", lambda m=method: _compared(m, titanic, WHOLE))
        yield Case(
            method, oracle, GENERATED if moments else f"{GENERATED}; on 2,048 bins",
            lambda m=method: _compared(m, generated, MANY), "< 1e-9" if moments else "< 1e-3",
        )  # fmt: skip
    for method, (oracle, _) in P_VALUES.items():
        yield Case(method, oracle, f"{TITANIC}: {', '.join(WHOLE)}", lambda m=method: _p_values(m))
    yield Case("l_infinity", "largest difference of pandas' shares", f"{TITANIC}: {', '.join(TEXTS)}", _l_infinity)
    yield Case("l_infinity", "scipy `ks_2samp`", f"{GENERATED}; on 2,048 bins", _l_infinity_on_bins, "< 1e-3")
    yield Case("`Simple` and `Robust` L-infinity", "published by deequ", "four of its six vectors", _deequ)
    yield Case("adjusted p-values", "scipy `false_discovery_control`", "40 generated p-values", _adjusted)


def _l_infinity() -> Pairs:
    known = titanic()
    for name in TEXTS:
        mine, theirs = (side[name].value_counts(normalize=True) for side in known.rows)
        yield drift("l_infinity", known.pair(name)).value, mine.sub(theirs, fill_value=0).abs().max()


def _l_infinity_on_bins() -> Pairs:
    known = generated()
    yield drift("l_infinity", known.pair("amount")).value, ON_ROWS["ks"][1](*known.cells("amount"))


def _deequ() -> Pairs:
    for case in json.loads(shared("deequ-distance/cases.json"))["cases"]:
        if "alpha" not in case and not case["method"].startswith("Chisquare"):
            yield deequs(case), case["expected"]


def deequs(case: Mapping[str, Any]) -> float:
    """One of deequ's own test vectors, by us."""
    if case["method"] == "KS":
        mine, theirs = (pd.Series(case[side]).astype(str).value_counts().to_dict() for side in ("x_values", "y_values"))
        found = distance.l_infinity_of_values(mine, theirs)
    else:
        mine, theirs = case["x"], case["y"]
        found = distance.l_infinity_of_categories(mine, theirs)
    assert found is not None
    return distance.robust(found, sum(mine.values()), sum(theirs.values())) if case["robust"] else found


def _adjusted() -> Pairs:
    raw = (np.random.default_rng(4).random(40) ** 3).tolist()
    return zip(benjamini_hochberg(raw), stats.false_discovery_control(raw), strict=True)


def _chunks(kind: str) -> Iterator[tuple[Mapping[str, str], Mapping[str, ColumnProfile], Mapping[str, ColumnProfile]]]:
    """NannyML's figures of each chunk of rows, the chunk's columns, and those of the whole reference."""
    known = titanic()
    window, reference = known.rows
    for line in pd.read_csv(io.BytesIO(shared(f"nannyml-titanic/expected-{kind}-rate.csv"))).to_dict("records"):
        first, last = map(int, re.findall(r"\d+", line["chunk.key"]))
        rows = (reference if line["chunk.period"] == "reference" else window).iloc[first : last + 1]
        chunk = TableProfile.of(pa.Table.from_pandas(rows, preserve_index=False))
        yield line, chunk.columns, known.profiles[1].columns


def _missing() -> Pairs:
    for line, columns, _ in _chunks("missing"):
        for name, column in columns.items():
            if f"{name}.value" in line:
                share = completeness(column.present, column.missing)
                yield None if share is None else 1 - share, line[f"{name}.value"]


def _unseen() -> Pairs:
    """A missing cell is not an unseen one, but NannyML's denominator holds it."""
    for line, columns, reference in _chunks("unseen"):
        for name in ("Sex", "Ticket", "Cabin", "Embarked"):
            column = columns[name]
            share = domain_share(_categories(column), _categories(reference[name])) if column.present else 1.0
            assert share is not None
            yield (1 - share) * column.present / (column.present + column.missing), line[f"{name}.value"]


def _categories(column: ColumnProfile) -> Mapping[str, int]:
    assert column.values is not None
    return column.values


def _matches() -> Pairs:
    """Contract data-quality.md, section 3: cells of the expected type in three real runs."""
    for passed, cells, percent in (
        (1970, 1977, 99.64592817400101),
        (2024, 2031, 99.65534219596258),
        (1908, 1915, 99.63446475195823),
    ):
        share = type_match({"Integral": passed, "Fractional": cells - passed}, "Integral")
        assert share is not None
        yield share * 100, percent


def _pandas(ours: Callable[[ColumnProfile], Any], theirs: Callable[[Any], Any], numeric: bool) -> Pairs:
    known = titanic()
    for side, profile in zip(known.rows, known.profiles, strict=True):
        for name in WHOLE if numeric else (*WHOLE, *TEXTS, "Ticket", "Name"):
            yield ours(profile.columns[name]), theirs(side[name])


def _cells() -> Iterator[Case]:
    every = "Titanic, both tables"
    yield Case("completeness", "published by NannyML, six digits", "Titanic, 22 chunks, 10 columns", _missing, "< 1e-6")
    yield Case("domain_share", "published by NannyML, six digits", "Titanic, 22 chunks, 4 columns", _unseen, "< 1e-6")
    yield Case("type_match", "published by SageMaker", "churn, three real runs", _matches)
    yield Case(
        "completeness",
        "pandas `notna().mean()`",
        every,
        lambda: _pandas(lambda one: completeness(one.present, one.missing), lambda side: side.notna().mean(), False),
    )
    yield Case(
        "different_values", "pandas `nunique()`", every, lambda: _pandas(variety, lambda side: side.nunique(), False)
    )
    yield Case(
        "minimum", "pandas `min()`", every, lambda: _pandas(lambda one: one.minimum, lambda side: side.min(), True)
    )
    yield Case(
        "maximum", "pandas `max()`", every, lambda: _pandas(lambda one: one.maximum, lambda side: side.max(), True)
    )


DRIFT, CELLS = tuple(_drift()), tuple(_cells())
