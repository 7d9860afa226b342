"""Drift of all columns together as one answer: what it carries, when it is undecided, and what it does not import."""

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest

from monitor_tasks.metrics.drift import Drift
from monitor_tasks.metrics.multivariate import MULTIVARIATE
from monitor_tasks.profiles.rows import RowSample


def table(seed: int, rows: int = 200, by: float = 0.0) -> pa.Table:
    """Rows with an income, which may be shifted, an age and a region, some of each missing."""
    generator = np.random.default_rng(seed)
    numbers, missing = generator.normal(size=(2, rows)), generator.random((3, rows)) < 0.05
    columns = {"income": numbers[0] + by, "age": numbers[1], "region": generator.choice(["north", "south"], rows)}
    return pa.table(
        {name: pa.array(cells, mask=mask) for (name, cells), mask in zip(columns.items(), missing, strict=True)}
    )


def drift(method: str, current: pa.Table, reference: pa.Table) -> Drift:
    return MULTIVARIATE[method](RowSample.of(current), RowSample.of(reference))


def test_mmd_carries_what_a_reader_wants_to_know() -> None:
    found = drift("mmd", table(1, by=1), table(2, rows=300))
    assert found.value == pytest.approx(0.08, abs=0.03)
    assert set(found.details) == {"p_value", "effect_size", "bandwidth", "n", "n_baseline"}
    assert (found.details["p_value"], found.details["n"], found.details["n_baseline"]) == (1 / 501, 200, 300)


def test_the_classifier_carries_what_a_reader_wants_to_know() -> None:
    found = drift("domain_classifier", table(1, by=1), table(2, rows=300))
    assert found.value is not None
    assert 0.65 < found.value < 0.85
    assert set(found.details) == {"p_value", "deviation", "drivers", "n", "n_baseline"}
    assert str(found.details["drivers"]).startswith("income 0.")
    assert float(found.details["p_value"]) < 1e-4


@pytest.mark.parametrize("method", MULTIVARIATE)
def test_details_are_plain_numbers_and_words(method: str) -> None:
    details = drift(method, table(1), table(2)).details
    assert {type(known) for known in details.values()} <= {float, int, str}


@pytest.mark.parametrize("method", MULTIVARIATE)
def test_the_same_rows_are_no_drift(method: str) -> None:
    found = drift(method, table(1), table(1))
    assert float(found.details["p_value"]) > 0.5


@pytest.mark.parametrize("method", MULTIVARIATE)
def test_the_order_and_the_split_of_the_rows_do_not_matter(method: str) -> None:
    current, reference = table(1), RowSample.of(table(2))
    turned = RowSample.of(current.take(list(range(199, -1, -1))))
    parts = RowSample.of(current[120:]) + RowSample.of(current[:120])
    found = [repr(MULTIVARIATE[method](one, reference)) for one in (RowSample.of(current), turned, parts)]
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("method", MULTIVARIATE)
@pytest.mark.parametrize(
    ("current", "because"),
    [
        (table(1, rows=29), "29 comparable rows against 200: it takes 30 on each side"),
        (table(1, rows=0), "0 comparable rows against 200: it takes 30 on each side"),
        (pa.table({"other": ["x"] * 40}), "the two sides have no column in common"),
    ],
)
def test_too_little_to_compare_is_undecided(method: str, current: pa.Table, because: str) -> None:
    assert drift(method, current, table(2)) == Drift(None, {"n": current.num_rows, "n_baseline": 200}, because)


@pytest.mark.parametrize("method", MULTIVARIATE)
def test_nothing_that_varies_is_undecided(method: str) -> None:
    same = pa.table({"income": [1.0] * 40, "region": pa.nulls(40, pa.string())})
    assert drift(method, same, same).because == "nothing varies: all rows of both sides are the same"


def test_equal_sides_whose_rows_repeat_raise_no_alarm_whatever_part_of_them_the_samples_hold() -> None:
    """2,000 rows against 40,000 of the same few contents: each side's sample alone would hold other ones."""
    contents = np.random.default_rng(0).normal(size=20_000)
    shares = 1 / np.arange(1, 20_001)

    def sample(seed: int, rows: int) -> RowSample:
        drawn = np.random.default_rng(seed).choice(20_000, rows, p=shares / shares.sum())
        return RowSample.of(pa.table({"a": contents[drawn]}), k=300)

    found = [MULTIVARIATE["mmd"](sample(seed, 2_000), sample(seed + 100, 40_000)) for seed in range(12)]
    p_values = [float(one.details["p_value"]) for one in found if one.value is not None]
    assert len(p_values) > 6
    assert np.median(p_values) > 0.1


def test_importing_it_imports_nothing_heavy() -> None:
    heavy = "[name for name in ('scipy', 'sklearn', 'pandas', 'threadpoolctl') if name in sys.modules]"
    script = f"import sys, monitor_tasks.metrics.multivariate; print({heavy})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
