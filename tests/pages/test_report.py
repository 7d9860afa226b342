"""The page of a report: nothing remote, nothing injected, never too large, the same bytes, and nothing hidden."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from monitor_tasks.baseline import Baseline, Constraint, Metric
from monitor_tasks.exhibit import Comparison, Curve, Exhibit, Pair
from monitor_tasks.monitors.data_quality import DataQuality
from monitor_tasks.monitors.settings import DataQualitySettings
from monitor_tasks.pages.numbers import text
from monitor_tasks.pages.report import SIZE_LIMIT, report_page
from monitor_tasks.pages.words import LOOK_AT, STATUSES
from monitor_tasks.profiles.columns import Edges, TableProfile
from monitor_tasks.report import Finding, ModelCard, Report, State, Status, judge

ROOT = Path(__file__).resolve().parents[2]
NAUGHTY = ROOT.parent / "shared/data/naughty-strings/blns.json"
VOID = {"meta", "br"}
KNOWN = {
    "a", "article", "b", "bdi", "body", "br", "caption", "dd", "details", "div", "dl", "dt", "em", "figcaption",
    "figure", "g", "h1", "h2", "h3", "h4", "head", "header", "html", "li", "line", "main", "meta", "p", "path",
    "section", "span", "strong", "style", "summary", "svg", "table", "tbody", "td", "text", "th", "thead", "title",
    "tr", "ul",
}  # fmt: skip


class Page(HTMLParser):
    """What a browser would make of the page: its elements, attributes and text; open and close must match."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.text = ""
        self.texts: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str, str]] = []
        self.open: list[str] = []
        self.feed(page.decode())
        self.close()
        assert self.open == []
        self.text = "".join(self.texts)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")


def finding(subject: str = "age", state: State = State.KEPT, **known: object) -> Finding:
    constraint = Constraint(check="completeness_check", metric="completeness", subject=subject, lower=0.9, cause="data")
    metric = Metric(name="completeness", subject=subject, value=0.5 if state is State.BROKEN else 0.95, n=100)
    return Finding(constraint=constraint, metric=metric, state=state, because="", **known)


def report(*findings: Finding, rows: int = 100, **known: object) -> Report:
    head = {"endpoint": "loans", "monitor": "data_quality", "window": "2026-01-01T00:00:00Z/PT1H", "baseline": "b1"}
    return Report(**{**head, **known}, rows=rows, findings=findings)


def histogram(subject: str) -> Comparison:
    pairs = tuple(Pair(label="", here=a, baseline=b, unit="share") for a, b in ((0.1, 0.2), (0.6, 0.3), (0.3, 0.5)))
    return Comparison(title="Fractional column", subject=subject, cuts=(1.0, 2.0), pairs=pairs)


def shapes(names: list[str]) -> list[Exhibit]:
    """A chart for the first name, tables for the others: to draw them all takes a minute."""
    pairs = (Pair(label="x", here=0.5, baseline=0.5),)
    return [histogram(names[0]), *(Comparison(title="String column", subject=name, pairs=pairs) for name in names[1:])]


def broken_page(exhibits: tuple[Exhibit, ...] = ()) -> bytes:
    return report_page(report(finding(state=State.BROKEN)), exhibits or (histogram("age"),))


def checked(here: pa.Table, there: pa.Table) -> tuple[Report, tuple[Exhibit, ...]]:
    """The data-quality report of one table against another, without Great Expectations."""
    monitor, edges = DataQuality(DataQualitySettings()), Edges.of(there)
    mine, theirs = monitor.profile(here, edges), monitor.profile(there, edges)
    baseline = Baseline("b1", tuple(monitor.suggest([theirs])), theirs)
    found = judge(monitor.measure(mine, baseline), baseline.constraints)
    return report(*found, rows=here.num_rows), monitor.exhibits(mine, baseline, edges)


@pytest.fixture(scope="module")
def naughty() -> list[str]:
    if not NAUGHTY.exists():
        pytest.skip("the naughty strings are not on this machine")
    return [one for one in json.loads(NAUGHTY.read_text()) if one.strip()]


def chunks(strings: list[str], size: int) -> Iterator[list[str]]:
    unique = list(dict.fromkeys(strings))
    yield from (unique[at : at + size] for at in range(0, len(unique), size))


def read_aloud(page: bytes) -> str:
    """The page's text, its elements apart."""
    return " ".join(" ".join(Page(page).texts).split())


def squeezed(words: str) -> str:
    return " ".join(text(words).replace("\r", "\n").split())


def is_safe(page: bytes) -> Page:
    found = Page(page)
    assert found.tags <= KNOWN
    for tag, name, value in found.attributes:
        assert not name.startswith("on"), (tag, name)
        assert name != "style"
        assert name not in {"src", "srcset", "xlink:href", "action", "xmlns"}
        assert name != "href" or value.startswith("#")
    assert b"http://" not in page.split(b"</style>")[0]
    assert not re.search(rb"(?i)<(script|link|iframe|object|embed|img|base|form)|@import|url\(", page)
    ids = [value for _, name, value in found.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert {value[1:] for _, name, value in found.attributes if name == "href"} <= {*ids}
    return found


def counted(page: bytes) -> dict[str, int]:
    """How many subjects the page tells in full, in a line, by name, or not at all, as it says."""
    words = page.decode()
    told = re.findall(r"<p>(?:And )?([\d,]+) more with(?:out a)? violations?, of which", words)
    lost = re.findall(r"<p>And ([\d,]+) more with(?:out a)? violations?, which", words)
    found = {
        "cards": words.count('<article class="card out"') + words.count('<details class="card"'),
        "rows": len(re.findall(r'<tr(?: id="s\d+")?><th scope="row"><bdi>[^<]*</bdi></th><td>(?:<svg|</td>)', words)),
        "names": len(re.findall("<li><bdi>", words)),
        "lost": sum(int(one.replace(",", "")) for one in lost),
    }
    assert found["names"] == sum(int(one.replace(",", "")) for one in told)
    return found


def test_naughty_columns_and_endpoints_are_text(naughty: list[str]) -> None:
    plain = {name for _, name, _ in is_safe(broken_page()).attributes} | {"rowspan"}
    survived = 0
    for names in chunks(naughty, 20):
        findings = [finding(name, state) for name in names for state in (State.BROKEN, State.UNDECIDED)]
        page = report_page(
            report(*findings, endpoint=names[0], notes=tuple(names)), [histogram(name) for name in names]
        )
        found = is_safe(page)
        assert {name for _, name, _ in found.attributes} <= plain
        shown = " ".join(found.text.split())
        for name in names:
            assert squeezed(name) in shown
            survived += 1
    print(f"{survived} injected, {survived} survived as text, 0 lost")  # noqa: T201


def test_naughty_categories_are_text(naughty: list[str]) -> None:
    for names in chunks(naughty, 24):
        pairs = tuple(Pair(label=name, here=0.1, baseline=0.0, unit="share") for name in names)
        exhibit = Comparison(title="String column", subject="age", pairs=pairs)
        shown = " ".join(is_safe(broken_page((exhibit,))).text.split())
        assert [name for name in names if squeezed(name) not in shown] == []


def test_markup_stays_text_where_no_list_of_strings_is() -> None:
    bad = "</style><script>alert(1)</script><svg onload=x>\"'`{{7*7}}"
    everywhere = finding(bad, State.BROKEN).model_copy(update={"because": bad})
    pairs = (Pair(label=bad, here=1.0, baseline=0.0, unit="share"),)
    shown = Comparison(title=bad, subject=bad, pairs=pairs, note=bad, facts=(Pair(label=bad, here=1, baseline=2),))
    model = ModelCard(name=bad, version=bad, hyper_parameters={bad: bad})
    window = report(everywhere, endpoint=bad, monitor=bad, baseline=bad, notes=(bad,), model=model, window=bad)
    found = is_safe(report_page(window, (shown, Comparison(title=bad, pairs=pairs))))
    assert found.text.count("alert(1)") > 10
    assert "49" not in found.text


def test_the_policy_allows_this_style_and_nothing_else() -> None:
    found = Page(broken_page())
    policy = next(value for tag, name, value in found.attributes if name == "content" and "default-src" in value)
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert "script" not in found.tags


def test_every_chart_has_a_name_and_its_numbers_stand_in_a_table() -> None:
    curve = Curve(title="curve", across="a", up="b", here=((0, 0), (0.5, 0.9), (1, 1)), baseline=((0, 0), (1, 1)))
    page = report_page(report(finding(state=State.BROKEN)), (histogram("age"), curve, histogram("")))
    found = Page(page)
    charts = [name for tag, name, _ in found.attributes if tag == "svg" and name in {"aria-label", "aria-hidden"}]
    assert len(charts) == page.count(b"<svg")
    assert all(value for tag, name, value in found.attributes if name == "aria-label")
    for number in ("60.0 %", "30.0 %", "1 to 2", "over 2", "90.0 %"):
        assert number in found.text


def test_the_numbers_of_an_axis_are_not_rounded_with_the_paths() -> None:
    exhibit = histogram("age").model_copy(update={"cuts": (0.35, 0.45)})
    assert {"0.35", "0.45"} <= set(Page(broken_page((exhibit,))).texts)


@pytest.mark.parametrize("everything_breaks", [False, True])
def test_three_hundred_columns_stay_under_the_limit(everything_breaks: bool) -> None:
    draw = np.random.default_rng(1)
    names = [f"a_feature_with_a_long_name_{i}" for i in range(300)]
    there = pa.table({name: draw.normal(size=400) for name in names})
    shift = 1.0 if everything_breaks else 0.0
    here = pa.table({name: draw.normal(shift if i % 9 else 1.0, 1, size=200) for i, name in enumerate(names)})
    page = report_page(*checked(here, there))
    assert len(page) < SIZE_LIMIT
    found = is_safe(page)
    assert "Violations" in found.text
    if not everything_breaks:
        assert all(name in found.text for name in names)


@pytest.mark.parametrize("every", [1, 3, 10_000])
def test_a_thousand_columns_of_long_names_are_all_named(every: int) -> None:
    names = [f"{i:04} {'a rather long <name> & more' * 4}"[:100] for i in range(1000)]
    states = [State.KEPT if i % every else State.BROKEN for i in range(1000)]
    findings = [finding(name, state) for name, state in zip(names, states, strict=True)]
    page = report_page(report(*findings), [histogram(name) for name in names])
    assert len(page) < SIZE_LIMIT
    shown = is_safe(page).text
    assert [name for name in names if name not in shown] == []
    told = counted(page)
    assert (sum(told.values()), told["lost"]) == (1000, 0)


def test_four_thousand_columns_are_all_named() -> None:
    names = [f"feature_number_{i}" for i in range(4096)]
    findings = [finding(name, State.KEPT if i % 9 else State.BROKEN) for i, name in enumerate(names)]
    page = report_page(report(*findings), [histogram(name) for name in names])
    told = counted(page)
    assert len(page) < SIZE_LIMIT
    assert (sum(told.values()), told["lost"]) == (4096, 0)


def test_what_has_no_room_is_counted() -> None:
    names = [f"{i} {chr(34) * 120}" for i in range(4096)]
    page = report_page(report(*(finding(name, State.BROKEN) for name in names)), ())
    told = counted(page)
    assert len(page) < SIZE_LIMIT
    assert sum(told.values()) == 4096
    assert told["lost"] > 1000


def test_many_findings_of_one_column_are_counted() -> None:
    findings = [finding(state=State.BROKEN)] * 30 + [finding(state=State.KEPT)] * 30
    shown = Page(report_page(report(*findings), ())).text
    assert "And 10 more are broken: report.json has all of them" in shown
    assert "And 30 more that are kept: report.json has all of them" in shown


def test_a_thousand_naughty_columns_are_text(naughty: list[str]) -> None:
    names = list(dict.fromkeys(f"{one} {i}"[:100] for i in range(3) for one in naughty))[:1000]
    pairs = [tuple(Pair(label=one, here=0.5, baseline=0.0, unit="share") for one in naughty[at : at + 12])
             for at in range(len(names))]  # fmt: skip
    shapes = [
        Comparison(title="String column", subject=name, pairs=pair) for name, pair in zip(names, pairs, strict=True)
    ]
    page = report_page(report(*(finding(name, State.BROKEN) for name in names)), shapes)
    assert len(page) < SIZE_LIMIT
    shown = " ".join(is_safe(page).text.split())
    assert sum(squeezed(name) in shown for name in names) >= len(names) - counted(page)["lost"]


def test_a_missing_column_is_named_where_the_number_of_columns_broke() -> None:
    there = pa.table({"a": np.arange(100.0), "gone": np.arange(100.0)})
    here = pa.table({"a": np.arange(100.0), "new": np.arange(100.0), "newer": np.arange(100.0)})
    shown = read_aloud(report_page(*checked(here, there)))
    assert "only on one side gone: this window has no such column" in shown
    assert "only on one side newer: the baseline has no such column" in shown


def test_ten_thousand_columns_categories_and_long_names_stay_under_the_limit() -> None:
    findings = [finding(f'{i}"&<' * 500, State.BROKEN if i % 2 else State.UNDECIDED) for i in range(10_000)]
    page = report_page(report(*findings), [histogram(one.constraint.subject) for one in findings])
    assert len(page) < SIZE_LIMIT
    assert "report.json has all of them" in is_safe(page).text
    assert sum(counted(page).values()) == 10_000
    values = pa.table({"c": [f"value {i}" for i in range(10_000)]})
    page = report_page(*checked(values, pa.table({"c": ["value 1", "value 2"] * 100})))
    assert len(page) < 50_000
    assert "10,000 different values" in Page(page).text


def test_the_same_window_gives_the_same_bytes_in_every_process() -> None:
    program = (
        "from tests.pages.test_report import *; import hashlib;"
        "curve = Curve(title='c', across='a', up='b', here=((0, 0), (1, 1)));"
        "window = report(finding(state=State.BROKEN), finding('b', State.UNDECIDED));"
        "page, again = (report_page(window, (histogram('age'), curve)) for _ in range(2));"
        "assert page == again; print(hashlib.sha256(page).hexdigest())"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True,
            env={"PYTHONHASHSEED": seed, "PATH": "/usr/bin:/bin", "TZ": zone, "LC_ALL": "C", "PYTHONPATH": str(ROOT)},
        ).stdout
        for seed, zone in (("0", "UTC"), ("1", "Asia/Tokyo"), ("17", "America/New_York"))
    }  # fmt: skip
    assert len(found) == 1


def test_a_kept_window_loads_no_chart_library() -> None:
    program = (
        "import sys; from tests.pages.test_report import *; sys.modules.pop('altair', None);"
        "report_page(report(finding()), (histogram('age'), histogram('')));"
        "assert not {'altair', 'vl_convert'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_the_verbs_load_no_page() -> None:
    program = "import sys, monitor_tasks.tasks; assert not {'jinja2', 'altair', 'vl_convert'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


@pytest.mark.parametrize(
    ("window", "word"),
    [
        (report(finding(state=State.UNDECIDED), rows=0), "No data"),
        (report(finding(state=State.UNDECIDED)), "Not enough data"),
        (report(baseline=""), "Not enough data"),
        (report(finding(state=State.FAILED)), "Failed"),
        (report(finding()), "Healthy"),
        (report(finding(state=State.BROKEN)), "Violations"),
        (report(), "Healthy"),
    ],
)
def test_a_status_is_said_in_words(window: Report, word: str) -> None:
    assert f" {word}" in is_safe(report_page(window, ())).text


def test_a_violation_says_what_was_seen_expected_how_sure_and_what_to_look_at() -> None:
    rule = {"rule": "A column is as complete as it was", "reason": "7 of 99 are missing", "slices": 10, "alarms": 0}
    one = finding(state=State.BROKEN)
    one = one.model_copy(update={"constraint": one.constraint.model_copy(update=rule)})
    shown = read_aloud(report_page(report(one), (histogram("age"),)))
    assert "age : 50 % of the cells are filled; 50 of 100 cells are missing (allowed: at least 90 %)" in shown
    assert "expected A column is as complete as it was: at least 90 %" in shown
    assert "why this bound 7 of 99 are missing" in shown
    assert "how sure 100 cells" in shown
    assert "false alarms 0 of 10 slices of the reference" in shown
    assert "means broken data: mend the source" in shown
    assert f"look at {LOOK_AT['completeness_check']}" in shown
    assert "not tried on slices" not in shown


def test_what_was_not_tried_on_slices_is_said_once() -> None:
    shown = Page(report_page(report(*(finding(name, State.BROKEN) for name in "abc")), ())).text
    assert shown.count("3 of these constraints were not tried on slices in time of the reference") == 1


def test_broken_data_is_told_before_a_changed_world() -> None:
    drift = Constraint(check="psi_drift_check", metric="drift_psi", subject="age", upper=0.2)
    moved = Finding(constraint=drift, metric=Metric(name="drift_psi", value=1.0, n=9), state=State.BROKEN)
    shown = Page(report_page(report(moved, finding(state=State.BROKEN)), ())).text
    summary, cards = shown.split("In short")[1].split("What broke")
    for part, (data, world) in ((summary, ("broken data", "a changed world")), (cards, ("50 % of", "stability index"))):
        assert -1 < part.index(data) < part.index(world)


def test_violations_come_first_and_the_others_in_the_order_of_the_table() -> None:
    names = ["zulu", "alpha", "mike", "bravo"]
    findings = [finding(name, State.BROKEN if name in ("mike", "alpha") else State.KEPT) for name in sorted(names)]
    shown = Page(report_page(report(*findings), shapes(names))).text.split("What broke")[-1]
    places = [shown.index(name) for name in ("alpha", "mike", "zulu", "bravo")]
    assert places == sorted(places)


def test_what_is_undecided_says_how_many_rows_were_needed() -> None:
    few = Constraint(check="psi_drift_check", metric="drift_psi", subject="age", upper=0.2, minimum_rows=3207)
    metric = Metric(name="drift_psi", subject="age", value=0.1, n=1650)
    shown = Page(report_page(report(*judge([metric], [few])), ())).text
    assert "not enough data" in shown
    assert "drift (population stability index) of age (1,650 of 3,207 cells)" in shown


def test_the_page_has_landmarks_headings_and_captions() -> None:
    page = broken_page().decode()
    assert [page.count(f"<{tag}>") for tag in ("header", "main", "h1")] == [1, 1, 1]
    assert page.count("<table>") == page.count("<caption>")
    assert page.count("<section") == page.count("<section aria-labelledby=")
    levels = [int(level) for level in re.findall(r"<h(\d)", page)]
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert page.count('class="scroll"') == page.count('class="scroll" role="region" tabindex="0"')
    assert "@media print" in page
    assert "prefers-color-scheme:dark" in page


def test_a_deviation_says_how_far_beyond_the_bound() -> None:
    metric = Metric(name="recall", value=0.5, n=100, deviation=0.1, details={"p_value": 0.003})
    constraint = Constraint(check="LessThanThreshold", metric="recall", lower=0.9, margin=3.0)
    one = Finding(constraint=constraint, metric=metric, state=State.BROKEN)
    shown = Page(report_page(report(one), ())).text
    assert "one standard deviation by chance is 0.1; the bound gives way by 3 of them, 0.3" in shown
    assert "the value lies 4 of them outside the bound" in shown
    assert "p = 0.003" in shown


def test_a_value_just_outside_is_never_shown_as_its_bound() -> None:
    metric = Metric(name="completeness", subject="age", value=0.9999999, n=10_000_000)
    constraint = Constraint(check="completeness_check", metric="completeness", subject="age", lower=1.0)
    shown = Page(report_page(report(Finding(constraint=constraint, metric=metric, state=State.BROKEN)), ())).text
    assert "99.99999 %" in shown


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), 1e308, -1e308, 0.0, None])
def test_any_number_has_a_page(value: float | None) -> None:
    metric = Metric(name="minimum", subject="age", value=value, n=1, deviation=1e300)
    constraint = Constraint(check="non_negative_check", metric="minimum", subject="age", lower=-1e308, upper=1e308)
    is_safe(report_page(report(Finding(constraint=constraint, metric=metric, state=State.BROKEN)), ()))


def test_every_status_has_its_words() -> None:
    assert STATUSES.keys() == set(Status)


def test_a_missing_and_a_new_column_are_told() -> None:
    there = pa.table({"a": np.arange(100.0), "gone": np.arange(100.0)})
    here = pa.table({"a": np.arange(100.0), "new": np.arange(100.0)})
    shown = Page(report_page(*checked(here, there))).text
    assert "this window has no such column" in shown
    assert "the baseline has no such column" in shown


def test_an_empty_window_is_drawn() -> None:
    there = pa.table({"a": np.arange(3000.0), "b": ["x", "y", "z"] * 1000})
    window, exhibits = checked(there.slice(0, 0), there)
    assert "No data" in is_safe(report_page(window, exhibits)).text
    assert isinstance(exhibits[0], Comparison)
    assert TableProfile.of(there).rows == 3000
