"""Frame: what stands around every page of the dashboard, and how its pages name each other."""

import re
from base64 import b64encode
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any, NamedTuple
from urllib.parse import quote

from markupsafe import Markup, escape

from monitor_tasks.pages.numbers import text
from monitor_tasks.pages.report import environment
from monitor_tasks.value import UserError
from monitor_tasks.window import Window


class Page(NamedTuple):
    """A page and the Content-Security-Policy that it is served with."""

    content: bytes
    policy: str


class Place(NamedTuple):
    """Where a page lies and how it leads to others: below a server, or as files beside each other."""

    steps: tuple[str, ...] = ()
    """The names of the folders that the page lies in, from the overview on."""
    files: bool = False
    """Whether the pages are files in folders, which a browser opens without a server."""
    airflow: str = ""
    """Where Airflow's own pages begin; empty where there is no Airflow."""
    alone: bool = False
    """Whether the page is handed out by itself, so that it leads nowhere."""
    days: str = ""
    """How far back the page was asked to look, where a reader said so."""
    theirs: frozenset[str] | None = None
    """Which pages there are, of a site of files; None where a server makes each one that is asked for."""

    def at(self, *steps: str) -> "Place":
        """The same, of another page."""
        return self._replace(steps=steps)

    def to(self, *steps: str) -> str:
        """The way from here to another page of the dashboard; empty where there is none.

        >>> Place(("endpoints", "churn")).to("endpoints", "a b", "missed")
        '../../endpoints/a%20b/missed/'
        """
        if self.alone or (self.theirs is not None and "/".join(steps) not in self.theirs):
            return ""
        way = "../" * len(self.steps) + "".join(f"{quote(step, safe='')}/" for step in steps)
        return way + "index.html" if self.files else way or "./"

    @property
    def kept(self) -> str:
        """The way to the same page as one file."""
        return "" if self.files else f"?{f'days={self.days}&' if self.days else ''}alone=true"

    def dag(self, dag_id: str, run_id: str = "") -> str:
        """Where Airflow shows a DAG, or one of its runs; empty where there is no Airflow."""
        if not self.airflow or self.alone:
            return ""
        run = f"/runs/{quote(run_id, safe='')}" if run_id else ""
        return f"{self.airflow}dags/{quote(dag_id, safe='')}{run}"


def rendered(template: str, place: Place, title: str, trail: Sequence[tuple[str, str]] = (), **shown: Any) -> Page:
    """A page of the dashboard: its template in the frame that all of them have.

    `trail` leads from the overview to this page: names, and where each of them is.
    """
    page = environment().get_template(f"board/{template}")
    content = page.render(
        title=text(title), trail=trail, place=place, link=linked, style=style(), script=script(),
        policy=policy(), saved_as=re.sub(r"[^\w.-]+", "-", "-".join(place.steps) or "endpoints")[:100] + ".html",
        **shown,
    )  # fmt: skip
    return Page(content.encode("utf-8", "replace"), f"{policy()}; frame-ancestors 'self'")


def linked(address: str, words: str, **attributes: str) -> Markup:
    """Words that lead somewhere, or the words alone where there is nowhere to lead."""
    told = escape(text(words))
    if not address:
        return Markup("<bdi>{}</bdi>").format(told)
    more = Markup("").join(Markup(' {}="{}"').format(name.replace("_", "-"), one) for name, one in attributes.items())
    return Markup('<a href="{}"{}><bdi>{}</bdi></a>').format(address, more, told)


@cache
def style() -> str:
    """The report's own style, its colours by the page's theme, and what the dashboard adds."""
    return _themed(_file("report.css")) + _file("board/board.css")


@cache
def script() -> str:
    """All that runs in a page: sorting, searching, copying, and Airflow's own choice of light or dark."""
    return _file("board/board.js")


@cache
def policy() -> str:
    """What a page may load and run: its own style and script, known by their hashes, and nothing else."""
    return (
        f"default-src 'none'; style-src '{hashed(style())}'; script-src '{hashed(script())}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def hashed(source: str) -> str:
    """The hash by which a Content-Security-Policy knows a style or a script."""
    return f"sha256-{b64encode(sha256(source.encode()).digest()).decode()}"


def windowed(window: Window) -> str:
    """A window as a step of an address: ``20260101T000000Z_PT1H``."""
    start, _, duration = str(window).partition("/")
    return f"{re.sub('[-:]', '', start)}_{duration}"


def window_named(step: str) -> Window:
    """The window that a step of an address names.

    Raises:
        UserError: it names none.
    """
    if not re.fullmatch(r"[\d]{8}T[\d]{6}Z_P[\dDTHMS]{1,30}", step):
        raise UserError(f"{text(step)!r} names no window; write it as 20260101T000000Z_PT1H")
    return Window.parse(step.replace("_", "/", 1))


def moment(when: datetime | None) -> str:
    """A moment as a person reads it.

    >>> moment(datetime(2026, 1, 1, 5))
    '2026-01-01 05:00'
    """
    return "–" if when is None else f"{when:%Y-%m-%d %H:%M}"


def _file(name: str) -> str:
    return files("monitor_tasks.pages").joinpath(f"templates/{name}").read_text("utf-8")


def _themed(css: str) -> str:
    """The style, where a colour that differs by theme follows `color-scheme`: Airflow's pages have a switch for it."""
    light, dark = (dict(re.findall(r"--(\w+):(#\w+)", found)) for found in re.findall(r":root\{([^}]*)\}", css)[:2])
    both = ";".join(f"--{name}:light-dark({light[name]},{dark[name]})" for name in light)
    return f"{css}\n:root{{{both}}}\n@media print{{:root{{color-scheme:light}}}}\n"
