import ast
import json
import pickle

import pytest

from benchmarks import __main__ as command
from benchmarks import data, environments, measure
from benchmarks.environments import FAIRLEARN, LIBRARIES, SMCLARIFY, Library
from benchmarks.measure import Cost, NotMeasured, Peer, Step, Target, compare
from benchmarks.steps import BENCHMARKS, BIAS, INSTALLING, WINDOW

pytestmark = pytest.mark.filterwarnings("ignore")  # what the peers say of each other is nothing of ours


ROWS = {WINDOW: 20_000, "replay": 240}


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.long] * (name == WINDOW)) for name in BENCHMARKS if name not in INSTALLING],
)
def test_every_benchmark_runs_and_its_sides_find_the_same(name, monkeypatch):
    for constant, small in {"dashboard.ENDPOINTS": 3, "attribution.TURNS": 1, "attribution.AGAINST_SHAP": 20}.items():
        monkeypatch.setattr(f"benchmarks.{constant}", small)
    rows = list(command.measured([name], rows=ROWS.get(name, 2000), rounds=1, cost=measure.here))
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
    with pytest.raises(AssertionError, match=r"different things: {'ours': 1, 'peer': 2}"):
        compare(step, tmp_path, 1, measure.here)


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Environments that are there already: their Python is a script that says what it was asked, then an answer."""
    monkeypatch.setattr(environments, "ENVIRONMENTS", tmp_path)

    def make(name, answer, code=0):
        python = tmp_path / name / "bin" / "python"
        python.parent.mkdir(parents=True)
        said = f"echo 'chatter'; echo \"$@ $WHYLOGS_NO_ANALYTICS\" > {tmp_path}/asked; cat {tmp_path}/{name}.txt"
        python.write_text(f"#!/bin/sh\n{said}{' >&2' if code else ''}\nexit {code}\n")
        python.chmod(0o755)
        (tmp_path / f"{name}.txt").write_text(answer)
        (tmp_path / name / "installed").write_text("fake\nother<3")
        return Library(name, ("fake", "other<3"))

    return make


def judged(columns):
    seconds = {"import": 3.0, "reference": 2.0, "window": 40.0}
    return json.dumps({"seconds": seconds, "columns": columns, "megabytes": 1900, "versions": {"fake": "1.2"}})


def test_a_library_is_measured_by_what_its_script_says(tmp_path, made):
    fake = made("fake", judged(30))
    step = Step("step", answers(30), (Peer(fake.name, fake.side, (Target(20),)),))
    [row] = compare(step, tmp_path, 2, measure.here)
    assert row.theirs == Cost(40, 1900, 30, "fake 1.2; before: import 3.0 s, reference 2.0 s")
    assert row.verdict == "met"
    assert command.as_table([row]).caption == "fake: fake 1.2; before: import 3.0 s, reference 2.0 s"
    assert (tmp_path / "asked").read_text() == f"-m benchmarks.peers.fake {tmp_path} 1\n"


def test_a_library_that_judged_fewer_columns_is_no_comparison(tmp_path, made):
    step = Step("step", answers(30), (Peer("fake", made("fake", judged(29)).side),))
    with pytest.raises(AssertionError, match="'fake': 29"):
        compare(step, tmp_path, 1, measure.here)


def test_a_library_that_cannot_run_or_be_installed_is_listed_with_the_reason(tmp_path, made):
    broken = made("broken", "Traceback\nno Java on this machine\n", code=1)
    absent = Library("absent", (str(tmp_path / "nowhere.whl"),))
    peers = tuple(Peer(one.name, one.side, (Target(20),)) for one in (broken, absent))
    rows = compare(Step("step", answers(30), peers), tmp_path, 2, measure.here)
    assert [row.peer for row in rows] == ["broken", "absent"]
    assert rows[0].verdict == "not measured: no Java on this machine"
    assert rows[1].verdict.startswith("not measured: ")
    assert "nowhere" in rows[1].verdict
    assert not (tmp_path / "absent" / "installed").exists()
    for row in rows:
        assert (row.theirs, row.ratio, row.target, row.is_judged) == (None, None, "20×", False)
    assert json.loads(json.dumps([command.as_dict(row) for row in rows]))
    assert command.as_table(rows).row_count == 2


def test_a_reason_survives_its_way_out_of_a_process():
    assert str(pickle.loads(pickle.dumps(NotMeasured("gone")))) == "gone"


def test_ours_must_be_measured(tmp_path):
    def nowhere(_):
        raise NotMeasured("gone")

    with pytest.raises(NotMeasured, match="gone"):
        compare(Step("step", nowhere, ()), tmp_path, 1, measure.here)


def test_every_library_has_a_script_that_says_what_it_computes():
    for library in (*LIBRARIES, SMCLARIFY, FAIRLEARN):
        script = environments.ROOT / "benchmarks" / "peers" / f"{library.name}.py"
        assert ast.get_docstring(ast.parse(script.read_text()))


def test_libraries_are_installed_only_for_who_names_them(monkeypatch):
    asked = []
    monkeypatch.setattr(command, "measured", lambda names, *_: asked.extend(names) or [])
    command.main(names=None, rows=1000, rounds=1, json_file=None)
    assert {*asked} == {*BENCHMARKS} - INSTALLING


def test_a_fresh_process_measures_its_own_memory(tmp_path):
    ballast = bytearray(300_000_000)
    data.write_captures(tmp_path, 100, "CSV")
    cost = measure.apart(BENCHMARKS["ingest"].steps(100)[0].ours, tmp_path)
    assert cost.answer == 100
    assert 20 < cost.megabytes < len(ballast) / 1e6


def test_bias_answers_with_what_the_rates_of_its_rows_say(tmp_path):
    BENCHMARKS[BIAS].make(tmp_path, 2000)
    rows = data.groups(2000).to_pandas()
    groups = [rows[name] == value for name, value in {"sex": "f", "race": "b", "region": 3, "union": True}.items()]
    total = 0.0
    for inside in (*groups, rows["age"] > 40):
        for right, asked in ((rows.y == rows.p, rows.y >= 0), (rows.y == 1, rows.p == 1), (rows.p == 1, rows.y >= 0),
                             (rows.p == 1, rows.y == 1)):  # fmt: skip
            total += right[~inside & asked].mean() - right[inside & asked].mean()
    for step in BENCHMARKS[BIAS].steps(2000):
        assert measure.here(step.ours, tmp_path).answer == round(1e9 * total)
