"""The index: equal whoever writes it in whatever order, never behind what stands, and mended where it is damaged."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import count
from math import inf, nan
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from monitor_tasks import indexing, reading, tasks
from monitor_tasks.baseline import Constraint, Metric
from monitor_tasks.cli import app
from monitor_tasks.history import History, begun
from monitor_tasks.io.index import Index, Mark, note_change
from monitor_tasks.io.store import Store, Unreachable
from monitor_tasks.report import Report, State, Status, bounds, judge
from monitor_tasks.shard import LETTERS, Damaged, Shard, WindowRecord, joined
from monitor_tasks.site import Site, load_endpoint
from monitor_tasks.summary import EndpointSummary, Risk, differences
from monitor_tasks.value import UserError
from monitor_tasks.verdict import Permission
from monitor_tasks.window import Window, parse_time

START = parse_time("2026-01-05T20:00:00Z")
MOMENT = parse_time("2026-01-07T00:00:00Z")
ALLOWED = Permission(retraining=True)
YAML = "endpoint_name: history\nroot: {root}\ncapture: {{address: capture}}\nowner: churn-team\ntags: [churn]\n"
MONITORS = "monitors: {data_quality: {}, attribution: {}}\nmodel: {address: model.onnx}\n"
ROOMS = count()


def site(root: str = "", more: str = "") -> Site:
    """A site in a memory of its own, or at a root."""
    text = YAML.format(root=root or f"memory://indexing-{next(ROOMS)}") + MONITORS + more
    return Site(load_endpoint("history.yaml", text, "/"))


def hours(number: int) -> list[Window]:
    return list(site().endpoint.schedule.windows(START, START + timedelta(hours=number)))


def report(place: Site, window: Window, drift: float | None, monitor: str = "data_quality", rows: int = 100) -> Report:
    constraints = [
        Constraint(check="drift_check", metric="drift_ks", subject="age", upper=0.1, margin=1.0),
        Constraint(check="completeness_check", metric="completeness", subject="income", lower=0.9, cause="data"),
    ]
    metrics = [
        Metric(name="drift_ks", subject="age", value=drift, n=rows, deviation=0.01, because="no drift to speak of"),
        Metric(name="completeness", subject="income", value=1.0, n=rows),
    ]
    told = {"endpoint": place.name, "monitor": monitor, "window": str(window), "baseline": "b" * 20, "rows": rows}
    return Report(**told, findings=judge(metrics, constraints))


def reported(place: Site, window: Window, drift: float | None, monitor: str = "data_quality") -> str:
    execution = place.execution(monitor, window, {"drift": str(drift)})
    return execution.commit({"report.json": report(place, window, drift, monitor).to_json()}, shown=("report.json",))


def run(place: Site, window: Window, drift: float | None) -> None:
    ledger = json.dumps({"totals": {"read": 100, "used": 100}}).encode()
    place.execution("captured", window, {}).commit({"ledger.json": ledger})
    keys = {name: reported(place, window, drift, name) for name in ("data_quality", "attribution")}
    tasks.choose_action(place, window, keys, ALLOWED)


def shards(place: Site) -> dict[str, bytes]:
    """The newest shard of every day."""
    return {day: place.store.get(one.key) for day, one in Index(place.store, place.name).shards().shards.items()}


def told(place: Site) -> tuple[EndpointSummary, History]:
    """What pages are told."""
    return reading.overview([place], moment=MOMENT)[0], reading.history(place, START, MOMENT)


STEPS = st.lists(st.tuples(st.integers(0, 7), st.sampled_from([0.0, 0.3, None, 0.3, -1.0])), min_size=1, max_size=8)


@settings(max_examples=12)
@given(STEPS)
def test_compacting_now_and_then_ends_like_reindexing_at_the_end_and_readers_are_never_behind(
    steps: Sequence[tuple[int, float | None]],
) -> None:
    place, windows = site(), hours(8)
    for number, drift in steps:
        if drift == -1.0:
            indexing.compact(place)
        else:
            run(place, windows[number], drift)
        fresh = site(place.endpoint.root)
        before = told(fresh)
        indexing.compact(fresh)
        assert told(fresh) == before, "what is read does not depend on what was compacted"
    assert not any(one.is_new for one in indexing.reindex(place))
    assert not place.store.entries("history/index/changed"), "every mark is answered"
    kept = shards(place)
    for entry in place.store.entries("history/index"):
        place.store.delete(entry.key)
    indexing.reindex(place)
    assert shards(place) == kept


@settings(max_examples=10)
@given(st.randoms(use_true_random=False), st.lists(st.sampled_from([0.0, 0.3, None]), min_size=2, max_size=6))
def test_any_order_of_execution_ends_in_the_same_bytes(random: Random, drifts: list[float | None]) -> None:
    windows, found = hours(len(drifts)), []
    for order in (range(len(drifts)), random.sample(range(len(drifts)), len(drifts))):
        place = site()
        for number in order:
            reported(place, windows[number], drifts[number])
            if random.random() < 0.4:
                indexing.compact(place)
        indexing.compact(place)
        found.append(shards(place))
    assert found[0] == found[1]


def test_a_history_holds_what_the_reports_say_with_every_number_as_it_was() -> None:
    place, windows, random = site(), hours(9), Random(5)
    drifts = [random.uniform(0, 0.3) for _ in windows]
    drifts[3], drifts[6] = inf, None  # type: ignore[call-overload]
    for window, drift in zip(windows, drifts, strict=True):
        if window != windows[5]:
            run(place, window, drift)
    run(place, windows[7], 0.25)  # judged again
    indexing.compact(place)
    found = reading.history(place, START, MOMENT)
    assert found.windows == tuple(one for one in windows if one != windows[5])
    for monitor in ("data_quality", "attribution"):
        for series in (one for one in found.series if one.monitor == monitor):
            for place_, record in enumerate(found.records):
                (one,) = (
                    x
                    for x in place.report(record.monitors[monitor].key).findings
                    if x.constraint.metric == series.metric
                )
                assert one.metric is not None
                assert series.values[place_] == one.metric.value
                assert (series.lower[place_], series.upper[place_]) == bounds(one.constraint, one.metric)
                assert series.states[place_] == LETTERS[one.state]
    assert {one.window for one in found.marks if one.kind == "restatement"} == {windows[7]}
    assert found.missed[0].window == windows[5]
    (only,) = reading.history(place, windows[1].start, windows[2].end, "attribution", "drift_ks").series
    assert only.key == ("attribution", "drift_check", "drift_ks", "age")
    assert only.values == drifts[1:3]


def test_the_overview_says_status_risk_episode_lag_and_what_is_missing() -> None:
    place, windows = site(), hours(12)
    for window in windows[:8]:
        if window != windows[2]:
            run(place, window, 0.3 if window >= windows[6] else 0.0)
    one = reading.overview([place], windows=10, moment=windows[9].end)[0]
    assert (one.name, one.owner, one.tags, one.monitors) == (
        "history", "churn-team", ("churn",), ("data_quality", "attribution"),
    )  # fmt: skip
    assert one.windows == tuple(windows[:9]), "the tenth may still run"
    healthy, broken = Status.COMPLETED, Status.WITH_VIOLATIONS
    expected = [healthy, healthy, None, healthy, healthy, healthy, broken, broken, None]
    assert [cell.status for cell in one.strips["data_quality"]] == expected
    assert one.strips["attribution"][7].because == "drift_ks of age"
    assert [missed.window for missed in one.missed] == [windows[2], windows[8]]
    assert (one.risk, one.last_window, one.capture_lag) == (Risk.HIGH, windows[7], timedelta(hours=2))
    (episode,) = one.episodes
    assert (episode.first, episode.last, episode.windows) == (windows[6], windows[7], 2)
    run(place, windows[8], 0.0)
    healed = reading.overview([place], moment=windows[9].end)[0]
    assert (healed.risk, healed.episodes) == (Risk.LOW, ())
    late = reading.overview([place], moment=windows[9].end + timedelta(hours=5))[0]
    assert (late.risk, late.behind) == (Risk.UNKNOWN, 5)
    assert late.because == f"no verdict since {windows[8].end:%Y-%m-%d %H:%M}; 5 windows have ended since then"
    long_ago = reading.overview([place], moment=windows[9].end + timedelta(days=300))[0]
    assert long_ago.windows[-1] == windows[8], "the strip ends where the windows do"
    assert (long_ago.risk, long_ago.behind) == (Risk.UNKNOWN, 300 * 24)


def test_a_window_says_since_when_it_is_broken_and_how_much_that_matters() -> None:
    place = site(more="policy: {rules: [{monitor: attribution, severity: medium}]}\n")
    windows = hours(9)
    for window, drift in zip(windows, (0.3, 0.0, 0.3, None, 0.3, 0.3, 0.3, 0.3, 0.3), strict=True):
        run(place, window, drift)
    indexing.compact(place)
    seen = reading.window_of(place, windows[8])
    assert {(one.monitor, one.broken.metric, one.since, one.severity) for one in seen.violations} == {
        ("data_quality", "drift_ks", windows[2], "high"),
        ("attribution", "drift_ks", windows[2], "medium"),
    }
    assert seen.ledger["totals"]["used"] == 100
    assert seen.reports["attribution"].violations[0].metric
    assert seen.artifacts["verdict"]["verdict.json"].endswith("/verdict.json")
    assert [len(keys) for keys in seen.revisions.values()] == [1, 1, 1, 1]
    with pytest.raises(UserError, match="has no execution; run the window first"):
        reading.window_of(place, hours(12)[11])


def test_an_endpoint_without_any_window_is_unknown_and_nothing_is_written_of_it() -> None:
    place = site()
    assert indexing.compact(place) == indexing.reindex(place) == []
    one = reading.overview([place], moment=MOMENT)[0]
    assert (one.risk, one.because, one.windows, one.capture_lag) == (
        Risk.UNKNOWN, "no window was judged yet", (), None,
    )  # fmt: skip
    assert reading.history(place, START, MOMENT).windows == ()
    assert reading.coverage(place) == (0, ())
    assert len(reading.coverage(place, START, MOMENT).missed) == 28, "asked for a span, all of it is missing"
    assert reading.baselines(place) == ()


def test_a_store_that_does_not_answer_costs_only_its_own_endpoint() -> None:
    good, bad = site(), site()
    run(good, hours(1)[0], 0.0)
    bad.__dict__["store"] = Failing()
    found = reading.overview([bad, good], moment=MOMENT)
    assert [bool(one.error) for one in found] == [True, False]
    assert found[0].risk is Risk.UNKNOWN


class Failing(Store):
    """A store that answers nothing."""

    def __init__(self) -> None:
        super().__init__("memory://failing")

    def entries(self, prefix: str = "") -> list[object]:  # type: ignore[override]
        raise Unreachable(f"{prefix}: does not answer")


def spoil(place: Site, change: Callable[[bytes], bytes]) -> str:
    """Changes the shard that there is."""
    (entry,) = Index(place.store, place.name).shards().shards.values()
    place.store.put(entry.key, change(place.store.get(entry.key)))
    return entry.key


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[: len(text) // 2],
        lambda text: text[:-40],
        lambda _: b"",
        lambda text: text.replace(b"0.3", b"0.4"),
    ],
    ids=["half", "almost whole", "empty", "changed"],
)
def test_a_damaged_shard_is_read_from_what_stands_and_written_again(change: Callable[[bytes], bytes]) -> None:
    place = site()
    run(place, hours(1)[0], 0.3)
    indexing.compact(place)
    (right,), before = shards(place).values(), told(place)
    key = spoil(place, change)
    with pytest.raises(Damaged, match="monitor-tasks reindex writes it again"):
        Shard.read(place.store.get(key), key)
    assert told(place) == before
    run(place, hours(2)[1], 0.3)
    indexing.compact(place)
    assert {len(Shard.read(one, "").windows) for one in shards(place).values()} == {2}
    spoil(place, change)
    assert [one.is_new for one in indexing.reindex(place)] == [True]
    assert right != shards(place)["2026-01-05"]


def test_a_shard_of_a_newer_version_is_refused() -> None:
    place = site()
    run(place, hours(1)[0], 0.3)
    indexing.compact(place)
    spoil(place, lambda text: text.replace(b'{"schema_version":1', b'{"schema_version":9', 1))
    with pytest.raises(UserError, match="written as version 9 of ShardHead"):
        reading.history(place, START, MOMENT)
    with pytest.raises(UserError, match="upgrade monitor-tasks"):
        indexing.reindex(place)


def test_an_execution_that_cannot_be_read_is_failed_and_never_healthy() -> None:
    place, windows = site(), hours(3)
    for window in windows:
        run(place, window, 0.0)
    keys = [reported(place, window, 0.0) for window in windows]
    place.store.delete(keys[0].replace("manifest.json", "report.json"))
    place.store.put(keys[1].replace("manifest.json", "report.json"), b"{}")
    place.store.delete(f"{place.folder('data_quality', windows[2])}/revisions/log/000001")
    place.store.put(f"{place.folder('data_quality', windows[2])}/revisions/log/000002", b"0" * 20)
    indexing.reindex(place)
    found = reading.history(place, START, MOMENT).records
    reasons = ("report.json: nothing is there", "was changed after it was committed", "manifest.json: nothing is there")
    for window, record, because in zip(windows, found, reasons, strict=True):
        broken = record.monitors["data_quality"]
        assert (record.window, broken.status) == (window, Status.FAILED)
        assert record.unreadable == {"data_quality": broken.because}
        assert because in broken.because
        assert record.monitors["attribution"].status is Status.COMPLETED
        assert "data_quality" not in reading.window_of(place, windows[0]).reports


def test_what_cannot_be_had_now_is_an_error_and_no_failed_window(monkeypatch: pytest.MonkeyPatch) -> None:
    place = site()
    run(place, hours(1)[0], 0.0)
    chunks = Store.chunks

    def refused(self: Store, key: str) -> object:
        if key.endswith("report.json"):
            raise Unreachable(f"{key}: does not answer")
        return chunks(self, key)

    monkeypatch.setattr(Store, "chunks", refused)
    with pytest.raises(Unreachable):
        indexing.compact(place)
    assert shards(place) == {}


def test_whoever_compacts_second_reads_what_the_first_has_written(monkeypatch: pytest.MonkeyPatch) -> None:
    place, windows = site(), hours(3)
    run(place, windows[0], 0.0)
    indexing.compact(place)
    run(place, windows[1], 0.0)
    create, others = Index.create, [lambda: (run(place, windows[2], 0.3), indexing.compact(place))]

    def overtaken(self: Index, day: str, former: str, content: bytes) -> str:
        if others:
            others.pop()()
        return create(self, day, former, content)

    monkeypatch.setattr(Index, "create", overtaken)
    indexing.compact(place)
    (shard,) = (Shard.read(one, "") for one in shards(place).values())
    assert [one.window for one in shard.windows] == windows
    assert place.store.entries("history/index/changed") == []
    assert len(place.store.files("history/index/days")) == 2, "the newest shard, and that the index was begun"
    assert not any(one.is_new for one in indexing.reindex(place))


def test_a_mark_whose_execution_was_killed_stays_until_it_runs_again() -> None:
    place, windows = site(), hours(2)
    run(place, windows[0], 0.0)
    indexing.compact(place)
    note_change(place.store, place.folder("data_quality", windows[1]), 1)
    assert [one.windows for one in indexing.compact(place)] == [0]
    mark = Mark("2026/01/05/22", "data_quality", 1)
    assert Index(place.store, place.name).look().marks == [mark] == [Mark.read(mark.name)]
    before = told(place)
    run(place, windows[1], 0.0)
    assert told(place) != before, "nothing that was held in memory hides it"
    indexing.compact(place)
    assert Index(place.store, place.name).look().marks == []


def test_a_day_that_has_not_changed_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    place, windows = site(), hours(12)
    for window in windows:
        run(place, window, 0.0)
    indexing.compact(place)
    run(place, windows[0], 0.3)
    read, get = list[str](), Store.get
    monkeypatch.setattr(Store, "get", lambda self, key: read.append(key) or get(self, key))
    assert [(one.day, one.windows) for one in indexing.compact(place)] == [("2026-01-05", 1)]
    assert not any("2026/01/06" in key or "2026-01-06" in key for key in read)
    reading.overview([place], moment=MOMENT)
    read.clear()
    reading.overview([place], moment=MOMENT)
    assert read == []


def test_spans_monitors_that_were_taken_away_and_other_schedules_are_remembered() -> None:
    place, window = site(), hours(1)[0]
    run(place, window, 0.0)
    span = Window.parse("2026-01-05T23:30:00Z/PT45M")
    run(place, span, 0.3)
    other = site(place.endpoint.root, "schedule_expression: '@daily'\n")
    other.endpoint.__dict__["monitors"] = other.endpoint.monitors.model_copy(update={"attribution": None})
    indexing.compact(other)
    assert {day: len(Shard.read(text, "").windows) for day, text in shards(place).items()} == {
        "2026-01-05": 1, "2026-01-06": 1,
    }  # fmt: skip
    assert reading.history(place, START, MOMENT).windows == (window,), "a span is none of the schedule's windows"
    seen = reading.window_of(place, span)
    assert (seen.record.own, seen.record.window) == (False, span)
    assert {*seen.reports} == {"data_quality", "attribution"}
    on_demand = site(place.endpoint.root, "schedule_expression: NOW\n")
    assert reading.history(on_demand, START, MOMENT).windows == (window, span)
    assert reading.overview([on_demand], moment=MOMENT)[0].windows == (window, span)
    assert reading.coverage(on_demand, START, MOMENT) == (0, ())


def test_numbers_that_are_not_finite_survive_their_file() -> None:
    window = hours(1)[0]
    keys = [("m", "c", name, "NaN") for name in "abcd"]
    values = (inf, -inf, nan, None)
    record = WindowRecord(place="2026/01/05/21", text=str(window), numbers={})
    judged = [indexing.Judged(key, State.KEPT, value, value, None) for key, value in zip(keys, values, strict=True)]
    shard = Shard.of("e", "2026-01-05", [(record, judged)])
    again = Shard.read(shard.to_bytes(), "")
    found = [one.values[0] for one in joined([(1, again.packed)])]
    assert [repr(one) for one in found] == ["inf", "-inf", "nan", "None"]
    assert Shard.of("e", "2026-01-05", [(record, again.judged()[record.place])]).to_bytes() == shard.to_bytes()
    assert json.loads(again.metrics), "it is JSON for everybody"


def test_states_tell_where_what_lasts_began() -> None:
    assert begun("") == (None, False)
    assert begun("k.u") == (None, True)
    assert begun("kbkb.ub") == (3, True)


def test_two_baselines_differ_by_their_constraints() -> None:
    one, two, three = (Constraint(check="c", metric="m", subject=subject, upper=0.1) for subject in "abc")
    wider = two.model_copy(update={"upper": 0.2, "reason": "it was 0.15"})
    found = differences({"data_quality": [one, two]}, {"data_quality": [wider, three]})
    assert [(x.kind, x.fields, (x.after or x.before).subject) for x in found] == [  # type: ignore[union-attr]
        ("changed", ("upper", "reason"), "b"),
        ("added", (), "c"),
        ("removed", (), "a"),
    ]


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The YAML of an endpoint with six hours, of which the fourth never ran and the fifth has no verdict."""
    home, text = tmp_path_factory.mktemp("indexed"), YAML.format(root="results") + MONITORS
    (home / "history.yaml").write_text(text)
    place, windows = Site(load_endpoint(str(home / "history.yaml"), text, str(home))), hours(6)
    for window in (*windows[:3], windows[5]):
        run(place, window, 0.0)
    reported(place, windows[4], 0.0)
    return home / "history.yaml"


def typed(*words: object) -> tuple[int, str]:
    """The exit code and all that was printed, as one line."""
    done = CliRunner().invoke(app, [str(word) for word in words], env={"COLUMNS": "240"})
    return done.exit_code, " ".join(done.output.split())


def test_coverage_lists_the_windows_without_a_verdict(stored: Path) -> None:
    span = ("--from", "2026-01-05T20:00:00Z", "--to", "2026-01-06T02:00:00Z")
    code, text = typed("coverage", stored, *span)
    assert code == 1
    assert "history: 4 of 6 windows have a verdict" in text
    assert "2026-01-05T23:00:00Z/PT1H │ never ran" in text
    assert "2026-01-06T00:00:00Z/PT1H │ no report of attribution" in text
    code, text = typed("coverage", stored.parent, *span[:3], "2026-01-05T23:00:00Z")
    assert (code, text) == (0, "history: 3 of 3 windows have a verdict")
    code, text = typed("coverage", stored, *span, "--json")
    assert json.loads(text)[0]["missed"][0] == {
        "window": "2026-01-05T23:00:00Z/PT1H", "because": "never ran", "maintenance": "",
    }  # fmt: skip
    assert typed("coverage", stored.parent / "results")[0] == 2
    assert typed("coverage", stored, "--from", "yesterday")[0] == 2


def test_reindex_says_what_it_read_and_wrote(stored: Path) -> None:
    assert typed("reindex", stored) == (0, "5 windows of 2 days were read, 2 days written anew")
    assert typed("reindex", stored) == (0, "5 windows of 2 days were read, 0 days written anew")
    assert typed("reindex", stored, "--changed") == (0, "0 windows of 0 days were read, 0 days written anew")
    empty = stored.with_name("empty.yml")
    empty.write_text(stored.read_text().replace("results", "nothing"))
    assert typed("reindex", empty)[0] == 3
    assert typed("coverage", empty)[0] == 3


def test_reading_for_a_page_loads_nothing_that_measures() -> None:
    code = "import sys, monitor_tasks.reading; print(sorted({'numpy', 'pandas', 'pyarrow', 'duckdb'} & {*sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
