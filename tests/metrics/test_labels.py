"""Drift of labels: shares and means against the baseline's, and why it is undefined."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor_tasks.metrics.labels import class_drift, number_drift
from monitor_tasks.profiles.moments import Moments

COUNTS = st.dictionaries(st.sampled_from("abcd"), st.integers(0, 50), max_size=4)
NUMBERS = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30)


@given(COUNTS, COUNTS)
def test_it_is_the_largest_change_of_a_share(mine: dict[str, int], theirs: dict[str, int]) -> None:
    found = class_drift(mine, theirs)
    if not sum(mine.values()) or not sum(theirs.values()):
        assert found.value is None
        assert found.because
        return
    shares = [{name: side.get(name, 0) / sum(side.values()) for name in "abcd"} for side in (mine, theirs)]
    changes = {name: abs(shares[0][name] - shares[1][name]) for name in "abcd"}
    assert found.value == pytest.approx(max(changes.values()), abs=1e-12)
    label = found.details["label"]
    assert (found.details["share"], found.details["baseline"]) == (shares[0][label], shares[1][label])
    assert class_drift(theirs, mine).value == pytest.approx(found.value, abs=1e-12)


@given(NUMBERS, NUMBERS)
def test_of_numbers_it_is_the_change_of_the_mean_in_standard_deviations(mine: list[float], theirs: list[float]) -> None:
    a, b = np.array(mine), np.array(theirs)
    found = number_drift(Moments.of(a), len(a), Moments.of(b), len(b))
    differ = b.std() > 1e-6 * np.abs(b).max()
    assert found.value is not None or not differ
    assert found.value is None or len(set(theirs)) > 1
    if differ:
        assert found.value == pytest.approx(abs(a.mean() - b.mean()) / b.std(), rel=1e-6, abs=1e-6)


def test_the_deviation_is_that_of_other_samples_of_as_many_rows() -> None:
    chance = np.random.default_rng(1)
    theirs = chance.normal(0, 2, 5000)
    many = [number_drift(*_of(chance.normal(1, 3, 400)), *_of(theirs)) for _ in range(150)]
    assert many[0].deviation == pytest.approx(np.std([one.value for one in many]), rel=0.25)
    shares = [class_drift({"a": int(n), "b": 400 - int(n)}, {"a": 1, "b": 1}) for n in chance.binomial(400, 0.3, 150)]
    assert shares[0].deviation == pytest.approx(np.std([one.value for one in shares]), rel=0.25)


def _of(values: np.ndarray) -> tuple[Moments, int]:
    return Moments.of(values), len(values)


@pytest.mark.parametrize(
    ("mine", "theirs", "because"),
    [
        ([], [1.0, 2.0], "no row has both a label and a usable prediction"),
        ([1.0], [], "the baseline has no labelled row"),
        ([1.0], [2.0, 2.0], "all labels of the baseline are the same number"),
        ([1e150], [0.0, 5e-324], "the labels of the baseline hardly differ"),
    ],
)
def test_reasons(mine: list[float], theirs: list[float], because: str) -> None:
    found = number_drift(*_of(np.array(mine)), *_of(np.array(theirs)))
    assert (found.value, found.because) == (None, because)
