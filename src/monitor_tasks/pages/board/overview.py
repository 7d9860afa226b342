"""The page of all endpoints: one line each, with a strip for every monitor."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from monitor_tasks.episodes import Episode
from monitor_tasks.pages.board import common
from monitor_tasks.pages.board.frame import Page, Place, moment, rendered
from monitor_tasks.pages.board.strips import state_of, strip, strip_in_words
from monitor_tasks.pages.charts import Drawing
from monitor_tasks.pages.numbers import NOTHING, sentence, text
from monitor_tasks.summary import EndpointSummary, Risk
from monitor_tasks.window import format_time

RANKS = {Risk.HIGH: 0, Risk.MEDIUM: 1, Risk.UNKNOWN: 2, Risk.LOW: 3}
RISK_SIGNS: Mapping[str, str] = {Risk.HIGH: "▲", Risk.MEDIUM: "◆", Risk.UNKNOWN: "?", Risk.LOW: "✓"}
"""A sign beside the colour of each risk."""


class _Open(NamedTuple):
    """An open episode."""

    name: str
    address: str
    since: str
    severity: str


class _Line(NamedTuple):
    """One endpoint as a line of the table."""

    name: str
    address: str
    owner: str
    owner_code: str
    tags: list[str]
    tag_codes: str
    error: str
    risk: str
    rank: int
    sign: str
    because: str
    strips: list[tuple[str, Drawing, str]]
    episodes: list[_Open]
    last: str
    last_address: str
    last_sort: str
    lag: str
    lag_sort: str
    coverage: str
    coverage_sort: str
    missed: int
    missed_address: str


def overview_page(place: Place, summaries: Sequence[EndpointSummary]) -> Page:
    """All endpoints, those with the highest risk first."""
    ordered = sorted(summaries, key=lambda one: (RANKS[one.risk], bool(one.error), one.name))
    owners = sorted({one.owner for one in ordered if one.owner})
    tags = sorted({tag for one in ordered for tag in one.tags})
    return rendered(
        "overview.html.j2", place, "Model dashboard", summary=_summary(ordered), risks=[*RANKS],
        lines=[_line(place, one, owners, tags) for one in ordered], owners=[text(one) for one in owners],
        tags=[text(one) for one in tags], forms=common.forms(),
    )  # fmt: skip


def _summary(summaries: Sequence[EndpointSummary]) -> str:
    """All endpoints in one sentence."""
    risks = Counter(one.risk for one in summaries)
    told = [f"{risks[risk]:,} with {risk} risk" for risk in (Risk.HIGH, Risk.MEDIUM, Risk.LOW) if risks[risk]]
    unknown = [f"{risks[Risk.UNKNOWN]:,} of which too little is known"] if risks[Risk.UNKNOWN] else []
    what = "endpoint" if len(summaries) == 1 else "endpoints"
    return f"{len(summaries):,} {what}: {', '.join((*told, *unknown))}." if summaries else "No endpoint."


def _line(place: Place, one: EndpointSummary, owners: Sequence[str], tags: Sequence[str]) -> _Line:
    strips = {name.replace("_", " "): [state_of(cell.status) for cell in cells] for name, cells in one.strips.items()}
    last, lag = one.last_window, one.capture_lag
    return _Line(
        name=text(one.name),
        address="" if one.error else place.to("endpoints", one.name),
        owner=text(one.owner),
        owner_code=f"o{owners.index(one.owner)}" if one.owner else "",
        tags=[text(tag, 40) for tag in one.tags[:8]],
        tag_codes=" ".join(f"t{tags.index(tag)}" for tag in one.tags),
        error=sentence(one.error),
        risk=one.risk,
        rank=RANKS[one.risk],
        sign=RISK_SIGNS[one.risk],
        because=sentence(one.because),
        strips=[(name, strip(states), strip_in_words(states)) for name, states in strips.items()],
        episodes=[_open(place, one.name, episode) for episode in one.episodes],
        last=moment(last.end) if last else "none yet",
        last_address=common.to_window(place, one.name, last) if last else "",
        last_sort=common.moment_sort(last.end if last else None),
        lag=f"{common.lasting(lag)} ago" if lag is not None else NOTHING,
        lag_sort=common.told_number(lag.total_seconds() if lag is not None else None),
        coverage=common.percent(one.label_coverage),
        coverage_sort=common.told_number(one.label_coverage),
        missed=missed_in(one),
        missed_address=place.to("endpoints", one.name, "missed"),
    )


def missed_in(one: EndpointSummary) -> int:
    """How many windows have no verdict: among those of the strip, and all since the last that has one."""
    return one.behind + sum(one.last_window is None or gap.window < one.last_window for gap in one.missed)


def _open(place: Place, name: str, episode: Episode) -> _Open:
    since = format_time(episode.first.start).replace("T", " ").removesuffix(":00Z")
    return _Open(
        f"episode {text(episode.number.lstrip('0') or episode.number)}", common.to_window(place, name, episode.first),
        since, text(episode.severity),
    )  # fmt: skip
