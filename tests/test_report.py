"""Reports: three answers and a failure, the status they add up to, and bytes that survive their file."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from monitor_tasks.baseline import Constraint, Constraints, Metric, in_order
from monitor_tasks.report import Finding, ModelCard, Report, State, Status, judge
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


@pytest.mark.parametrize(
    ("value", "deviation", "margin", "bounds", "state"),
    [
        (0.5, 0.125, 0.0, {"lower": 0.5625}, BROKEN),
        (0.5, None, 0.0, {"lower": 0.5625}, BROKEN),
        (0.5, None, 3.0, {"lower": 0.5625}, UNDECIDED),
        (0.5, 0.0, 3.0, {"lower": 0.5625}, BROKEN),
        (0.5, 0.125, 3.0, {"lower": 0.875}, KEPT),
        (0.5, 0.125, 3.0, {"lower": 0.876}, BROKEN),
        (0.5, 0.125, 3.0, {"upper": 0.125}, KEPT),
        (0.5, 0.125, 3.0, {"upper": 0.124}, BROKEN),
        (0.5, 0.125, 1.0, {"lower": 0.375, "upper": 0.375}, KEPT),
        (0.5, None, 0.0, {"lower": 0.5, "upper": 0.5}, KEPT),
        (0.5, None, 3.0, {"lower": 0.5, "upper": 0.5}, UNDECIDED),
        (math.inf, 0.125, 3.0, {"upper": 1.0}, BROKEN),
        (None, None, 3.0, {"upper": 1.0}, UNDECIDED),
    ],
)
def test_a_bound_gives_way_by_the_metrics_own_deviation(
    value: float | None, deviation: float | None, margin: float, bounds: dict[str, float], state: State
) -> None:
    (finding,) = judge([metric(value, deviation=deviation)], [constraint(margin=margin, **bounds)])
    assert finding.state is state
    if state is BROKEN:
        assert str(value) in finding.because


def test_every_enabled_constraint_is_answered_in_order() -> None:
    asked = [constraint(check="b", lower=1), constraint(check="a"), constraint(check="off", lower=1, enabled=False)]
    assert [(one.constraint.check, one.state) for one in judge([metric()], asked)] == [("b", BROKEN), ("a", KEPT)]


values = st.one_of(st.none(), st.floats(-10, 10))
bounds = st.one_of(st.none(), st.floats(-10, 10))


limits = st.tuples(bounds, bounds)
steps = st.tuples(st.floats(0, 5), st.floats(0, 5))


deviations = st.none() | st.floats(0, 5)


@given(
    st.builds(metric, values, st.integers(0, 50), deviation=deviations), limits, steps, st.integers(1, 50),
    st.tuples(st.floats(0, 5), st.floats(0, 1)),
)  # fmt: skip
def test_tightening_a_bound_never_removes_a_violation(
    measured: Metric,
    limits: tuple[float | None, float | None],
    steps: tuple[float, float],
    rows: int,
    margin: tuple[float, float],
) -> None:
    (lower, upper), (up, down) = limits, steps
    loose = constraint(lower=lower, upper=upper, minimum_rows=rows, margin=margin[0])
    tighter = {
        "lower": None if lower is None else lower + up,
        "upper": None if upper is None else upper - down,
        "margin": margin[0] * margin[1],
    }
    before, after = (judge([measured], [one])[0].state for one in (loose, loose.model_copy(update=tighter)))
    assert after is before or (before, after) == (KEPT, BROKEN) or before is UNDECIDED


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
    margin=st.floats(0, 10),
    enabled=st.booleans(),
)
details = st.dictionaries(names, st.integers(-(2**63), 2**63 - 1) | st.floats(-1e300, 1e300) | names, max_size=3)
metrics = st.builds(
    Metric,
    name=names,
    subject=names,
    value=st.none() | floats,
    n=st.integers(0),
    deviation=st.none() | floats,
    details=details,
)
findings = st.builds(Finding, constraint=constraints, metric=st.none() | metrics, state=st.sampled_from(State))


parameters = st.dictionaries(names, st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | names, max_size=3)
cards = st.builds(
    ModelCard,
    name=names,
    version=names,
    sha256=names,
    decision_threshold=st.none() | st.floats(0, 1),
    hyper_parameters=parameters,
    features=st.lists(names, max_size=3).map(tuple),
    categories=st.dictionaries(names, st.lists(names, max_size=2).map(tuple), max_size=2),
    address=st.none() | st.just("s3://bucket/model.skops"),
)


@given(st.lists(findings, max_size=3), st.lists(names, max_size=2), st.none() | cards)
def test_a_report_survives_its_file(found: list[Finding], notes: list[str], card: ModelCard | None) -> None:
    first = report(findings=found, notes=notes, model=card)
    again = Report.read(first.to_json(), "report.json")
    assert again == first
    assert again.to_json() == first.to_json()


def test_a_report_names_no_model_unless_one_was_declared() -> None:
    assert report(KEPT).model is None
    with pytest.raises(ValidationError, match=r"may not be empty or hold '\.\.'"):
        ModelCard(address="models/../../other")


CARD = ModelCard(version="1", sha256="a", decision_threshold=0.5, hyper_parameters={"depth": 3}, features=("age",))


@pytest.mark.parametrize(
    ("changed", "lines"),
    [
        ({}, []),
        ({"version": "2"}, ["the model's version changed from 1 to 2"]),
        ({"sha256": "b"}, ["the model's sha256 changed from a to b"]),
        ({"decision_threshold": 0.4}, ["the model's decision_threshold changed from 0.5 to 0.4"]),
        (
            {"hyper_parameters": {"depth": 4}},
            ["the model's hyper_parameters changed from {'depth': 3} to {'depth': 4}"],
        ),
        (
            {"sha256": "b", "version": "2"},
            ["the model's version changed from 1 to 2", "the model's sha256 changed from a to b"],
        ),
        ({"name": "other", "address": "/elsewhere"}, []),
    ],
)
def test_what_differs_from_the_former_model(changed: dict[str, object], lines: list[str]) -> None:
    assert list(ModelCard.model_validate({**CARD.model_dump(), **changed}).changes(CARD)) == lines


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
