"""Differences of two models: figures of textbooks, and how often intervals and label counts keep their word."""

import numpy as np
import pytest

from monitor_tasks.metrics.comparison import (
    Agreement,
    Difference,
    Share,
    by_deviation,
    holm,
    labels_needed,
    of_paired_shares,
    of_shares,
)


def test_mcnemars_test_is_exact_where_pairs_are_few() -> None:
    """Airway hyper-responsiveness before and after transplantation: Fagerland, Lydersen and Laake 2017, chapter 8."""
    assert of_paired_shares(Agreement(1, 7, 1, 12)).p_value == pytest.approx(0.0703, abs=5e-5)
    assert of_paired_shares(Agreement(5, 0, 0, 4)).p_value == 1.0


def test_sides_that_change_places_change_the_sign() -> None:
    for one, turned in (
        (of_shares(Share(3, 10), Share(9, 12)), of_shares(Share(9, 12), Share(3, 10))),
        (of_paired_shares(Agreement(9, 1, 7, 12)), of_paired_shares(Agreement(9, 7, 1, 12))),
    ):
        assert (one.value, one.lower, one.upper) == pytest.approx(
            [-(x or 0) for x in (turned[0], turned[2], turned[1])]
        )
        assert (one.p_value, one.deviation) == pytest.approx((turned.p_value, turned.deviation))


def test_what_is_undefined_has_no_interval() -> None:
    assert of_shares(Share(0, 0), Share(1, 2)) == Difference(None, because="one side has no such row")
    assert of_paired_shares(Agreement(0, 0, 0, 0)).because == "there is no such pair"
    assert by_deviation(0.1, None, "too few").because == "too few"


@pytest.mark.parametrize("sizes", [(60, 90), (300, 120)])
def test_nineteen_of_twenty_intervals_of_shares_hold_the_true_difference(sizes: tuple[int, int]) -> None:
    chance = np.random.default_rng(1)
    drawn = (chance.binomial(n, share, 1000).tolist() for n, share in zip(sizes, (0.9, 0.8), strict=True))
    found = [of_shares(Share(one, sizes[0]), Share(two, sizes[1])) for one, two in zip(*drawn, strict=True)]
    assert 0.935 <= np.mean([one.lower <= -0.1 <= one.upper for one in found]) <= 0.975  # type: ignore[operator]


def test_nineteen_of_twenty_intervals_of_pairs_hold_the_true_difference() -> None:
    chance = np.random.default_rng(2)
    found = [
        of_paired_shares(Agreement(*drawn)) for drawn in chance.multinomial(150, (0.7, 0.08, 0.14, 0.08), 600).tolist()
    ]
    assert 0.935 <= np.mean([one.lower <= 0.06 <= one.upper for one in found]) <= 0.975  # type: ignore[operator]


def test_so_many_labels_find_the_difference_four_times_in_five() -> None:
    seen = Difference(0.05, deviation=np.sqrt((0.8 * 0.2 + 0.75 * 0.25) / 200))
    rows = labels_needed(seen, 400)
    assert rows is not None
    assert rows == pytest.approx(
        2 * 1091, rel=0.01
    )  # the usual formula: (1.96 + 0.84)² (0.8 * 0.2 + 0.75 * 0.25) / 0.05²
    chance = np.random.default_rng(3)
    drawn = zip(*(chance.binomial(rows // 2, share, 1000).tolist() for share in (0.75, 0.8)), strict=True)
    found = [(of_shares(Share(one, rows // 2), Share(two, rows // 2)).p_value or 0) < 0.05 for one, two in drawn]
    assert 0.76 <= np.mean(found) <= 0.84


def test_more_tests_take_more_labels() -> None:
    one = by_deviation(0.02, 0.02)
    assert [labels_needed(one, 1000, tests) for tests in (1, 5, 15)] == sorted(
        labels_needed(one, 1000, tests) or 0 for tests in (1, 5, 15)
    )
    assert labels_needed(Difference(0.1), 10) is None


def test_holms_p_values_fall_behind_none() -> None:
    assert holm({}) == {}
    assert holm({"a": 0.01, "b": 0.02, "c": 0.9}) == pytest.approx({"a": 0.03, "b": 0.04, "c": 0.9})
    assert holm({"a": 0.04, "b": 0.03}) == {"b": 0.06, "a": 0.06}
