import json

import pytest

from benchmarks import __main__ as command
from benchmarks import data, measure
from benchmarks.measure import Cost, Peer, Step, Target, compare
from benchmarks.steps import BENCHMARKS

pytestmark = pytest.mark.filterwarnings("ignore")  # what the peers say of each other is nothing of ours


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_runs_and_its_sides_find_the_same(name):
    rows = list(command.measured([name], rows=2000, rounds=1, cost=measure.here))
    assert rows
    for row in rows:
        assert row.ours.seconds > 0
        assert row.ours.megabytes > 0
        assert row.theirs.seconds > 0
        assert row.ratio > 0
        assert bool(row.verdict) == bool(row.target)
    assert json.loads(json.dumps([command.as_dict(row) for row in rows]))
    assert command.as_table(rows).row_count == len(rows)


def one_percent_twice(records):
    return records + len(range(0, records, 100))


def test_captures_hold_every_hundredth_record_twice(tmp_path):
    data.write_captures(tmp_path, 250, "JSON")
    lines = [line for path in (tmp_path / "JSON").iterdir() for line in path.read_text().splitlines()]
    assert len(lines) == one_percent_twice(250)
    assert len({json.loads(line)["eventMetadata"]["eventId"] for line in lines}) == 250


def test_tables_are_the_same_every_time_and_drift_where_they_say():
    plain, again, drifted = data.table(500, seed=1), data.table(500, seed=1), data.table(500, seed=1, drift=1.0)
    assert plain.equals(again)
    assert plain.num_columns == data.FEATURES
    assert {name for name in data.DRIFTED if not plain[name].equals(drifted[name])} == {*data.DRIFTED}
    assert 0 < sum(plain[name].null_count for name in plain.column_names) < 500


def answers(number):
    return lambda _: lambda: number


def takes(seconds, megabytes=1.0):
    return Cost(seconds, megabytes)


@pytest.mark.parametrize(
    ("target", "theirs", "ratio", "verdict"),
    [
        (Target(10), takes(20), 10, "met"),
        (Target(10.5), takes(20), 10, "not yet"),
        (Target(5, "at most"), takes(0.5), 4, "met"),
        (Target(3, "at most"), takes(0.5), 4, "not yet"),
        (Target(1.3, "at most", "memory"), takes(9, 50), 2, "not yet"),
        (Target(2, "at most", "memory"), takes(9, 50), 2, "met"),
    ],
)
def test_a_target_is_a_ratio(tmp_path, target, theirs, ratio, verdict):
    step = Step("step", answers(1), (Peer("peer", theirs, (target,)),))
    [row] = compare(step, tmp_path, 1, lambda *_: takes(2, 100))
    assert (row.ratio, row.verdict) == (ratio, verdict)


def test_rounds_give_medians_and_a_peer_without_target_has_no_verdict(tmp_path):
    costs = iter([takes(1), takes(8), takes(9), takes(4), takes(2), takes(6)])
    step = Step("step", answers(1), (Peer("peer", answers(1)),))
    [row] = compare(step, tmp_path, 3, lambda *_: next(costs))
    assert (row.ours.seconds, row.theirs.seconds, row.ratio, row.verdict) == (2, 6, 3, "")


def test_sides_that_find_different_things_are_no_comparison(tmp_path):
    step = Step("step", answers(1), (Peer("peer", answers(2)),))
    with pytest.raises(AssertionError, match="different things"):
        compare(step, tmp_path, 1, measure.here)


def test_a_fresh_process_measures_its_own_memory(tmp_path):
    ballast = bytearray(300_000_000)
    data.write_captures(tmp_path, 100, "CSV")
    cost = measure.apart(BENCHMARKS["ingest"].steps(100)[0].ours, tmp_path)
    assert cost.answer == 100
    assert 20 < cost.megabytes < len(ballast) / 1e6
