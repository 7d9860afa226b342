"""The newest window's numbers as Prometheus reads them: its text format, one gauge a line, without timestamps."""

import re
from collections.abc import Iterator, Mapping
from math import isinf

from monitor_tasks.report import Report, State, Status
from monitor_tasks.verdict import Verdict
from monitor_tasks.window import Window

PREFIX = "monitor_tasks_"
_HELP = {
    "window_end_seconds": "End of the window that these numbers are about, in seconds since 1970.",
    "status": "1 for the status of the window, 0 for the others.",
    "findings": "Constraints by what became of them.",
    "rows": "Rows that the monitor saw.",
    "metric": "A metric that a constraint judges.",
}
Sample = tuple[dict[str, str], float]
_END = re.compile(rf"^{PREFIX}window_end_seconds{{.*}} (\d+)$", re.MULTILINE)


def exposition(verdict: Verdict, reports: Mapping[str, Report]) -> bytes:
    """The text file of a window: its end, its status, and for each monitor its findings, rows and metrics."""
    samples: dict[str, list[Sample]] = {
        "window_end_seconds": [({}, float(Window.parse(verdict.window).end.timestamp()))],
        "status": [({"status": str(one)}, float(one is verdict.status)) for one in Status],
        "findings": [
            ({"monitor": name, "state": str(state)}, float(len(report.having(state))))
            for name, report in reports.items()
            for state in State
        ],
        "rows": [({"monitor": name}, float(report.rows)) for name, report in reports.items()],
        "metric": list(_metrics(reports)),
    }
    lines = [line for name, found in samples.items() for line in _family(name, verdict.endpoint, found)]
    return ("\n".join(lines) + "\n").encode()


def end_of(text: bytes) -> int:
    """The end of the window that such a file is about, in seconds; 0 where it tells none."""
    found = _END.search(text.decode("utf-8", "replace"))
    return int(found[1]) if found else 0


def _metrics(reports: Mapping[str, Report]) -> Iterator[Sample]:
    """Every judged number once: two constraints may judge the same one."""
    told = set[tuple[str, str, str]]()
    for name, report in reports.items():
        for metric in (one.metric for one in report.findings if one.metric is not None):
            if metric.value is not None and (key := (name, metric.name, metric.subject)) not in told:
                told.add(key)
                yield {"monitor": name, "metric": metric.name, "subject": metric.subject}, metric.value


def _family(name: str, endpoint: str, samples: list[Sample]) -> Iterator[str]:
    if samples:
        yield f"# HELP {PREFIX}{name} {_HELP[name]}"
        yield f"# TYPE {PREFIX}{name} gauge"
    for labels, value in samples:
        told = ",".join(f'{key}="{_escaped(text)}"' for key, text in {"endpoint": endpoint, **labels}.items())
        yield f"{PREFIX}{name}{{{told}}} {_number(value)}"


def _escaped(text: str) -> str:
    r"""A label's value: backslash, quote and line feed are written with a backslash, half a character as none.

    >>> _escaped('a"b')
    'a\\"b'
    """
    whole = text.encode("utf-8", "replace").decode()
    return whole.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    if isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)
