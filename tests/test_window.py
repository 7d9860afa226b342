"""Windows and schedules: half-open, in UTC, no gap and no overlap."""

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor_tasks.endpoint import Endpoint
from monitor_tasks.value import UserError
from monitor_tasks.window import HOUR, Schedule, Window, format_duration, format_time, parse_duration, parse_time

moments = st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
hour_sets = st.sets(st.integers(0, 23), min_size=1).map(lambda hours: Schedule(tuple(sorted(hours))))


def at(text: str) -> datetime:
    return parse_time(f"2026-{text}:00Z")


def endpoint(**more: object) -> Endpoint:
    known = {"endpoint_name": "e", "root": "/r", "capture": {"address": "/c"}, "monitors": {"data_quality": {}}}
    return Endpoint.model_validate({**known, **more})


@given(moments)
def test_a_moment_survives_its_text(moment: datetime) -> None:
    assert parse_time(format_time(moment)) == moment
    assert format_time(moment).endswith("Z")


@pytest.mark.parametrize(
    "text", ["2026-01-01", "2026-01-01T00:00:00", "{%s}", "", "1767225600", "2026-02-30T00:00:00Z"]
)
def test_a_moment_needs_a_date_and_a_zone(text: str) -> None:
    with pytest.raises(ValueError, match=r"zone|isoformat|range"):
        parse_time(text)


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("PT1H", timedelta(hours=1)),
        ("P1D", timedelta(days=1)),
        ("-PT6H", timedelta(hours=-6)),
        ("-P1DT2H", timedelta(days=-1, hours=-2)),
        ("-PT0H", timedelta()),
        ("PT1M30S", timedelta(seconds=90)),
    ],
)
def test_durations(text: str, span: timedelta) -> None:
    assert parse_duration(text) == span


@pytest.mark.parametrize("text", ["", "P", "PT", "1H", "PT1.5H", "P1M", "P1W", "PT1H ", "--PT1H", "P99999999999D"])
def test_what_is_no_duration_says_so(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a duration|longer than"):
        parse_duration(text)


@given(st.timedeltas(timedelta(), timedelta(days=4000)))
def test_a_duration_survives_its_text(span: timedelta) -> None:
    whole = timedelta(seconds=int(span.total_seconds()))
    assert parse_duration(format_duration(whole)) == whole


@given(moments, st.integers(1, 10**7))
def test_a_window_survives_its_text(moment: datetime, seconds: int) -> None:
    start = moment.replace(microsecond=0)
    window = Window.of(start, start + timedelta(seconds=seconds))
    assert Window.parse(str(window)) == window
    assert Window.parse(f"{format_time(window.start)}/{format_time(window.end)}") == window


def test_a_window_is_half_open_and_in_utc() -> None:
    local = datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))
    window = Window.of(local, local + HOUR)
    assert str(window) == "2026-01-01T00:00:00Z/PT1H"
    instant = timedelta(microseconds=1)
    found = [window.contains(at("01-01T00:00") + step) for step in (-instant, 0 * HOUR, HOUR - instant, HOUR)]
    assert found == [False, True, True, False]


@pytest.mark.parametrize(
    "text",
    [
        *("", "2026-01-01T00:00:00Z", "2026-01-01/P1D", "2026-01-01T00:00:00Z/-PT1H", "2026-01-01T00:00:00Z/PT0H"),
        *("2026-01-01T01:00:00Z/2026-01-01T00:00:00Z", "9999-12-31T23:00:00Z/PT9H", "0001-01-01T00:00:00Z/PT1H"),
        *("2026-01-01T00:00:00.5Z/PT1H", "2026-01-01T00:00:00Z/P99999999999D", "{{ ds }}/PT1H", "../../etc/PT1H"),
    ],
)
def test_what_is_no_window_is_one_clear_error(text: str) -> None:
    with pytest.raises(UserError, match="window"):
        Window.parse(text)


def test_the_hours_that_a_window_touches() -> None:
    window = Window.parse("2026-01-01T00:30:00Z/PT1H")
    assert window.hours() == [at("01-01T00:00"), at("01-01T01:00")]
    assert window.hours(around=1) == [at("01-01T00:00") + step * HOUR for step in (-1, 0, 1, 2)]
    assert Window.parse("2026-01-01T00:00:00Z/PT1H").hours() == [at("01-01T00:00")]


@pytest.mark.parametrize(
    ("expression", "hours", "cron"),
    [
        ("cron(0 * ? * * *)", range(24), "0 * * * *"),
        ("@hourly", range(24), "0 * * * *"),
        ("0 * * * *", range(24), "0 * * * *"),
        ("cron(0 0/1 ? * * *)", range(24), "0 * * * *"),
        ("cron(0 17 ? * * *)", [17], "0 17 * * *"),
        ("@daily", [0], "0 0 * * *"),
        ("cron(0 0/12 ? * * *)", [0, 12], "0 0,12 * * *"),
        ("cron(0 17/5 ? * * *)", [17, 22], "0 17,22 * * *"),
        ("0 */6 * * *", [0, 6, 12, 18], "0 0,6,12,18 * * *"),
        ("0 3,15 * * *", [3, 15], "0 3,15 * * *"),
        ("cron(0 0/5 ? * * *)", [0, 5, 10, 15, 20], "0 0,5,10,15,20 * * *"),
        ("NOW", [], None),
    ],
)
def test_schedules(expression: str, hours: list[int], cron: str | None) -> None:
    schedule = Schedule.parse(expression)
    assert (schedule.hours, schedule.cron) == (tuple(hours), cron)
    assert schedule.cron is None or Schedule.parse(schedule.cron) == schedule


@pytest.mark.parametrize(
    "expression",
    [
        *("", "cron(5 * ? * * *)", "cron(0 24 ? * * *)", "cron(0 0/0 ? * * *)", "cron(0 0/25 ? * * *)", "@weekly"),
        *("cron(0 * ? * MON *)", "*/5 * * * *", "0 0 1 * *", "0 , * * *", "now", "0 * * * *\n", "rate(1 hour)"),
    ],
)
def test_what_is_no_schedule_says_what_is(expression: str) -> None:
    with pytest.raises(ValueError, match="is not a schedule: write cron"):
        Schedule.parse(expression)


def test_uneven_steps_give_a_short_window_over_midnight() -> None:
    windows = list(Schedule.parse("cron(0 0/5 ? * * *)").windows(at("01-01T00:00"), at("01-02T05:00")))
    assert [(window.end.hour, (window.end - window.start) // HOUR) for window in windows] == [
        *((5, 5), (10, 5), (15, 5), (20, 5), (0, 4), (5, 5)),
    ]


@given(hour_sets, moments, st.integers(1, 200))
def test_windows_tile_time_without_gap_or_overlap(schedule: Schedule, start: datetime, hours: int) -> None:
    end = start + hours * HOUR
    windows = list(schedule.windows(start, end))
    assert all(first.end == second.start for first, second in pairwise(windows))
    assert all(window.end.hour in schedule.hours and schedule.has(window) for window in windows)
    assert all(schedule.ending(window.end) == window for window in windows)
    ends = [hour for hour in Window.of(start, end).hours(1) if start <= hour <= end and hour.hour in schedule.hours]
    assert [window.end for window in windows] == ends[1:]


def test_only_the_schedules_own_windows_are_its_own() -> None:
    schedule = Schedule.parse("0 */6 * * *")
    assert schedule.has(Window.parse("2026-01-01T06:00:00Z/PT6H"))
    for other in ("2026-01-01T06:00:00Z/PT12H", "2026-01-01T06:00:00Z/PT1H", "2026-01-01T07:00:00Z/PT6H"):
        assert not schedule.has(Window.parse(other))
    with pytest.raises(UserError, match="ends at 2026-01-01T07:00:00Z"):
        schedule.ending(at("01-01T07:00"))
    with pytest.raises(UserError, match="schedule NOW"):
        Schedule.parse("NOW").ending(at("01-01T06:00"))


@given(hour_sets, moments)
def test_the_newest_window_is_over_and_the_next_is_not(schedule: Schedule, moment: datetime) -> None:
    window = endpoint(schedule_expression=schedule.cron).window_at(moment)
    assert window.end <= moment
    following = next(iter(schedule.windows(window.end, window.end + timedelta(days=2))))
    assert (following.start, following.end > moment) == (window.end, True)


def test_a_window_on_demand_is_counted_from_the_runs_hour() -> None:
    known = endpoint(schedule_expression="NOW", data_analysis_start_time="-PT6H", data_analysis_end_time="-PT1H")
    assert str(known.window_at(at("01-01T12:34"))) == "2026-01-01T06:00:00Z/PT5H"
    assert str(endpoint(schedule_expression="NOW").window_at(at("01-01T12:34"))) == "2026-01-01T11:00:00Z/PT1H"


INTERVAL = (at("01-01T03:00"), at("01-01T04:00"))
POINT = (at("01-01T03:00"), at("01-01T03:00"))


@pytest.mark.parametrize(
    ("asked", "key", "interval", "window"),
    [
        ("2026-01-01T01:00:00Z/PT1H", "2026-01-01T02:00:00Z/PT1H", INTERVAL, "2026-01-01T01:00:00Z/PT1H"),
        (None, "2026-01-01T02:00:00Z/PT1H", INTERVAL, "2026-01-01T02:00:00Z/PT1H"),
        ("", "", INTERVAL, "2026-01-01T03:00:00Z/PT1H"),
        (None, None, INTERVAL, "2026-01-01T03:00:00Z/PT1H"),
        (None, None, POINT, "2026-01-01T11:00:00Z/PT1H"),
        (None, None, None, "2026-01-01T11:00:00Z/PT1H"),
    ],
    ids=["params", "partition key", "empty params", "scheduled", "manual", "API without a logical date"],
)
def test_the_window_of_a_run(
    asked: str | None, key: str | None, interval: tuple[datetime, datetime] | None, window: str
) -> None:
    assert str(endpoint().window_for(asked, key, interval, at("01-01T12:34"))) == window


def test_a_run_asked_for_no_window_says_so() -> None:
    with pytest.raises(UserError, match="2026-01-01T00"):
        endpoint().window_for("yesterday", None, None, at("01-01T12:00"))
