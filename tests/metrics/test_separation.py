"""The domain classifier: scikit-learn's and scipy's numbers, nothing told on equal sides, the drivers on others."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits

from monitor_tasks.metrics.encoding import Encoded
from monitor_tasks.metrics.separation import DRIVERS, Separation, area, cross_validated, domain_classifier

tallies = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=8).map(
    lambda counts: np.array([*counts, (1, 1), (2, 1)])
)


def sides(current: np.ndarray, reference: np.ndarray) -> Encoded:
    """Rows that occur once, of two sides."""
    names = tuple(f"column {number}" for number in range(current.shape[1]))
    sizes = [len(current), len(reference)]
    return Encoded(np.vstack([current, reference]), names, np.repeat([1, 0], sizes), np.repeat([0, 1], sizes))


def normal(seed: int, rows: int = 150, columns: int = 4) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    return generator.normal(size=(rows, columns)), generator.normal(size=(rows, columns))


def shifted(seed: int, column: int, by: float = 1.5) -> Encoded:
    current, reference = normal(seed)
    return sides(current + by * np.eye(current.shape[1])[column], reference)


@given(tallies, st.data())
def test_the_area_and_its_variances_are_those_of_the_rows_written_out(counts: np.ndarray, data) -> None:
    scores = np.array(data.draw(st.lists(st.integers(0, 5), min_size=len(counts), max_size=len(counts))), float)
    found = area(scores, *counts.T)
    mine, theirs = (np.repeat(scores, side) for side in counts.T)
    labels = np.repeat([1, 0], [len(mine), len(theirs)])
    assert found.auc == pytest.approx(roc_auc_score(labels, np.concatenate([mine, theirs])), abs=1e-12)
    wins = np.array([[(one > two) + 0.5 * (one == two) for two in theirs] for one in mine])
    delong = wins.mean(axis=1).var(ddof=1) / len(mine) + wins.mean(axis=0).var(ddof=1) / len(theirs)
    assert found.variance == pytest.approx(delong, rel=1e-9, abs=1e-12)
    if found.null_variance > 1e-12:
        test = stats.mannwhitneyu(mine, theirs, alternative="greater", method="asymptotic", use_continuity=False)
        p_value = stats.norm.sf((found.auc - 0.5) / found.null_variance**0.5)
        assert p_value == pytest.approx(test.pvalue, rel=1e-9, abs=1e-12)


def test_the_area_is_scikit_learns_on_the_same_held_out_scores() -> None:
    rows = shifted(0, column=1)
    folds = cross_validated(rows)
    expected = [roc_auc_score(fold.unseen.current, fold.model.decision_function(fold.unseen.matrix)) for fold in folds]
    assert domain_classifier(rows).auc == pytest.approx(np.mean(expected), abs=1e-12)


def test_each_row_is_held_out_once_and_the_sides_are_dealt_evenly() -> None:
    current, reference = np.arange(30) % 4, (np.arange(30) + 1) % 3
    rows = Encoded(np.arange(30.0)[:, None], ("a",), current, reference)
    dealt = [fold.unseen for fold in cross_validated(rows)]
    sizes = np.array([(unseen.current.sum(), unseen.reference.sum()) for unseen in dealt])
    assert np.ptp(sizes, axis=0).max() <= 1
    for side, whole in (("current", current), ("reference", reference)):
        back = [np.bincount(unseen.matrix[:, 0].astype(int), getattr(unseen, side), 30) for unseen in dealt]
        assert np.sum(back, axis=0).tolist() == whole.tolist()


def test_no_classifier_has_seen_the_rows_that_it_is_asked_about() -> None:
    """Labels of chance: a classifier that had seen the rows would tell them apart."""
    areas = [domain_classifier(sides(*normal(seed, rows=60))).auc for seed in range(10)]
    assert np.mean(areas) < 0.55


@pytest.fixture(scope="module")
def equal_sides() -> list[Separation]:
    return [domain_classifier(sides(*normal(seed, rows=100, columns=2))) for seed in range(60)]


@pytest.mark.long
def test_equal_sides_cannot_be_told_apart(equal_sides: list[Separation]) -> None:
    """Below a half the tail is longer (3.8 deviations in one of these 60): what is held out was seen less often."""
    away = np.array([(found.auc - 0.5) / found.deviation for found in equal_sides])
    assert away.max() < 3
    assert (away < -3).sum() <= 1
    assert abs(away.mean()) < 3 / len(away) ** 0.5


@pytest.mark.long
def test_of_equal_sides_few_p_values_are_small(equal_sides: list[Separation]) -> None:
    p_values = np.array([found.p_value for found in equal_sides])
    assert stats.binomtest(int((p_values < 0.05).sum()), len(p_values), 0.05, "greater").pvalue > 0.01
    assert stats.binomtest(int((p_values < 0.5).sum()), len(p_values), 0.5).pvalue > 0.01


@pytest.mark.parametrize("column", [0, 3])
def test_the_one_column_that_moved_drives_it(column: int) -> None:
    found = domain_classifier(shifted(1, column))
    (driver, fall), *others = found.drivers
    assert driver == f"column {column}"
    assert fall > 0.15 > 5 * max([fall for _, fall in others], default=0)
    assert found.auc > 0.75
    assert found.p_value < 1e-6


def test_a_correlation_between_equal_margins_is_told_and_both_columns_drive_it() -> None:
    one, two = normal(2, rows=300)
    one[:, 2] = 0.9 * one[:, 0] + 0.19**0.5 * one[:, 2]
    found = domain_classifier(sides(one, two))
    assert found.p_value < 1e-4
    assert {name for name, _ in found.drivers[:2]} == {"column 0", "column 2"}


def test_all_indicators_of_a_column_are_shuffled_together() -> None:
    """Of three categories any two tell the third: one indicator shuffled alone would hardly matter."""
    generator = np.random.default_rng(0)
    mine, theirs = generator.choice(3, 300, p=[0.8, 0.1, 0.1]), generator.choice(3, 300, p=[0.1, 0.1, 0.8])
    rows = sides(np.eye(3)[mine], np.eye(3)[theirs])._replace(names=("a", "a", "a"))
    found = domain_classifier(rows)
    assert [name for name, _ in found.drivers] == ["a"]
    assert found.drivers[0][1] == pytest.approx(found.auc - 0.5, abs=0.05)


def test_no_more_than_five_drivers_are_named() -> None:
    current, reference = normal(3, columns=8)
    falls = domain_classifier(sides(current + 0.5, reference)).drivers
    assert len(falls) == DRIVERS
    assert [fall for _, fall in falls] == sorted((fall for _, fall in falls), reverse=True)


def test_rows_that_repeat_are_as_many_rows() -> None:
    """Eight different rows, of which one side has more of some: the best area is that of the shares themselves."""
    matrix = np.array(list(product([0.0, 1.0], repeat=3)))
    current, reference = np.array([100, 10, 50, 90, 5, 60, 70, 15]), np.array([20, 90, 50, 30, 80, 60, 10, 60])
    found = domain_classifier(Encoded(matrix, ("a", "b", "c"), current, reference))
    assert found.auc == pytest.approx(area(current / reference, current, reference).auc, abs=0.03)
    assert (found.n, found.n_baseline) == (400, 400)


def test_as_many_of_each_row_on_both_sides_are_not_told_apart() -> None:
    """What is more often seen is then less often held out, so the area is even below a half."""
    counts = np.array([100, 10, 50, 90, 5, 60, 70, 15])
    matrix = np.array(list(product([0.0, 1.0], repeat=3)))
    found = domain_classifier(Encoded(matrix, ("a", "b", "c"), counts, 10 * counts))
    assert found.auc < 0.5 < found.p_value


def test_scores_that_are_all_the_same_prove_nothing() -> None:
    counts = np.array([30, 30])
    found = domain_classifier(Encoded(np.array([[1.0], [1.0]]), ("a",), counts, counts))
    assert found == Separation(0.5, 0.0, 1.0, (), 60, 60)


@pytest.mark.parametrize("threads", [1, 2])
def test_the_same_seed_gives_the_same_bytes_on_any_number_of_threads(threads: int) -> None:
    rows = shifted(4, column=2, by=0.3)
    with threadpool_limits(threads):
        found = domain_classifier(rows)
    assert repr(found) == repr(domain_classifier(rows))
    assert found != domain_classifier(rows, seed=1)
