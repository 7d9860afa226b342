"""Reports: three answers and a failure, the status they add up to, and bytes that survive their file."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor_tasks.baseline import Constraint, Constraints, Metric, in_order
from monitor_tasks.report import Finding, Report, State, Status, judge
from monitor_tasks.value import UserError

KEPT, BROKEN, UNDECIDED, FAILED = State.KEPT, State.BROKEN, State.UNDECIDED, State.FAILED


def metric(value: float | None = 0.5, n: int = 100, **more: object) -> Metric:
    return Metric.model_validate({"name": "m", "value": value, "n": n, **more})


def constraint(**more: object) -> Constraint:
    return Constraint.model_validate({"check": "c", "metric": "m", **more})


@pytest.mark.parametrize(
    ("measured", "bounds", "state", "because"),
    [
        (metric(0.5), {"lower": 0.5}, KEPT, ""),
        (metric(0.5), {"upper": 0.5}, KEPT, ""),
        (metric(0.5), {}, KEPT, ""),
        (metric(0.5), {"lower": 0.6}, BROKEN, "0.5 is below 0.6"),
        (metric(0.5), {"upper": 0.4}, BROKEN, "0.5 is above 0.4"),
        (metric(-math.inf), {"lower": -1e308}, BROKEN, "-inf is below -1e+308"),
        (metric(math.inf), {"upper": math.inf}, KEPT, ""),
        (metric(math.nan), {"upper": 1.0}, BROKEN, "nan is above 1.0"),
        (metric(None, because="every cell is missing"), {"lower": 1.0}, UNDECIDED, "every cell is missing"),
        (metric(0.5, n=29), {"lower": 0.6, "minimum_rows": 30}, UNDECIDED, "not enough data: 29 rows, 30 needed"),
        (metric(0.5, n=30), {"lower": 0.6, "minimum_rows": 30}, BROKEN, "0.5 is below 0.6"),
        (metric(0.5, n=0), {"lower": 0.6}, UNDECIDED, "not enough data: 0 rows, 1 needed"),
        (metric(0.5, subject="a"), {"lower": 0.6}, UNDECIDED, "m of the table was not measured"),
        (metric(0.5), {"lower": 0.6, "subject": "a"}, UNDECIDED, "m of a was not measured"),
    ],
)
def test_judging(measured: Metric, bounds: dict[str, object], state: State, because: str) -> None:
    (finding,) = judge([measured], [constraint(**bounds)])
    assert (finding.state, finding.because) == (state, because)


def test_every_enabled_constraint_is_answered_in_order() -> None:
    asked = [constraint(check="b", lower=1), constraint(check="a"), constraint(check="off", lower=1, enabled=False)]
    assert [(one.constraint.check, one.state) for one in judge([metric()], asked)] == [("b", BROKEN), ("a", KEPT)]


values = st.one_of(st.none(), st.floats(-10, 10))
bounds = st.one_of(st.none(), st.floats(-10, 10))


limits = st.tuples(bounds, bounds)
steps = st.tuples(st.floats(0, 5), st.floats(0, 5))


@given(st.builds(metric, values, st.integers(0, 50)), limits, steps, st.integers(1, 50))
def test_tightening_a_bound_never_removes_a_violation(
    measured: Metric, limits: tuple[float | None, float | None], steps: tuple[float, float], rows: int
) -> None:
    (lower, upper), (up, down) = limits, steps
    loose = constraint(lower=lower, upper=upper, minimum_rows=rows)
    tighter = {"lower": None if lower is None else lower + up, "upper": None if upper is None else upper - down}
    before, after = (judge([measured], [one])[0].state for one in (loose, loose.model_copy(update=tighter)))
    assert after is before or (before, after) == (KEPT, BROKEN)


def report(*states: State, rows: int = 100, baseline: str = "b", **more: object) -> Report:
    findings = tuple(Finding(constraint=constraint(), metric=metric(), state=state) for state in states)
    known = {"endpoint": "e", "monitor": "m", "window": "w", "baseline": baseline, "rows": rows}
    return Report.model_validate({**known, "findings": findings, **more})


@pytest.mark.parametrize(
    ("found", "status"),
    [
        (report(KEPT), Status.COMPLETED),
        (report(KEPT, UNDECIDED), Status.COMPLETED),
        (report(), Status.COMPLETED),
        (report(UNDECIDED), Status.NOT_ENOUGH_DATA),
        (report(baseline=""), Status.NOT_ENOUGH_DATA),
        (report(KEPT, BROKEN), Status.WITH_VIOLATIONS),
        (report(FAILED, BROKEN), Status.WITH_VIOLATIONS),
        (report(KEPT, FAILED), Status.FAILED),
        (report(UNDECIDED, FAILED), Status.FAILED),
        (report(UNDECIDED, rows=0), Status.NO_DATA),
        (report(rows=0, baseline=""), Status.NO_DATA),
    ],
)
def test_status(found: Report, status: Status) -> None:
    assert found.status is status


def test_findings_by_state_keep_their_order() -> None:
    found = report(BROKEN, KEPT, BROKEN)
    assert found.violations == found.having(BROKEN) == (found.findings[0], found.findings[2])


names = st.text(st.characters(codec="utf-8"), max_size=8)
floats = st.floats(allow_nan=False)
constraints = st.builds(
    Constraint,
    check=names,
    metric=names,
    subject=names,
    lower=st.none() | floats,
    upper=st.none() | floats,
    reason=names,
    expected=st.lists(names, max_size=3).map(tuple),
    minimum_rows=st.integers(1, 10**12),
    enabled=st.booleans(),
)
details = st.dictionaries(names, st.integers(-(2**63), 2**63 - 1) | st.floats(-1e300, 1e300) | names, max_size=3)
metrics = st.builds(Metric, name=names, subject=names, value=st.none() | floats, n=st.integers(0), details=details)
findings = st.builds(Finding, constraint=constraints, metric=st.none() | metrics, state=st.sampled_from(State))


@given(st.lists(findings, max_size=3), st.lists(names, max_size=2))
def test_a_report_survives_its_file(found: list[Finding], notes: list[str]) -> None:
    first = report(findings=found, notes=notes)
    again = Report.read(first.to_json(), "report.json")
    assert again == first
    assert again.to_json() == first.to_json()


def test_infinities_are_words_and_the_text_is_strict_json() -> None:
    one = constraint(lower=-math.inf, upper=math.inf)
    assert b'"lower": "-Infinity"' in one.to_json()
    assert Constraint.from_json(one.to_json()) == one
    assert metric(math.inf).to_json().count(b'"Infinity"') == 1


def test_a_damaged_or_newer_file_is_one_clear_error() -> None:
    good = Constraints(monitor="m", constraints=(constraint(),)).to_json()
    for damaged, key in (
        (good[:-9], "(whole file)"),
        (b"", "(whole file)"),
        (b"\xff", "(whole file)"),
        (good.replace(b'"check"', b'"chek"'), "constraints.0.check"),
        (good.replace(b'"monitor"', b'"minotor"'), "monitor"),
    ):
        with pytest.raises(UserError, match=r"^a/b.json: not a readable Constraints: .*restore the file") as caught:
            Constraints.read(damaged, "a/b.json")
        assert key in str(caught.value)
    newer = good.replace(b'"schema_version": 1', b'"schema_version": 2').replace(b'"monitor"', b'"news": 1, "monitor"')
    with pytest.raises(UserError, match=r"^a/b.json: written as version 2 .* upgrade monitor-tasks$"):
        Constraints.read(newer, "a/b.json")


def test_constraints_stand_in_the_order_of_the_columns() -> None:
    mixed = [constraint(subject=subject, check=check) for subject in ("b", "a", "") for check in "21"]
    found = in_order(mixed, ["a", "b"])
    assert [one.subject + one.check for one in found] == ["2", "1", "a2", "a1", "b2", "b1"]


def test_a_key_tells_constraints_apart() -> None:
    known = {constraint(check=check, subject=subject).key for check in "cd" for subject in ("", "x")}
    assert known == {"c:m:", "c:m:x", "d:m:", "d:m:x"}
