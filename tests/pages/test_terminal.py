"""The terminal's table: plain words, broken data first, reasons once, and no control character of the data."""

import io

from rich.console import Console

from monitor_tasks.baseline import Constraint, Metric
from monitor_tasks.pages.terminal import report_table
from monitor_tasks.report import Report, judge


def shown(*judged: tuple[Constraint, float | None], notes: tuple[str, ...] = (), n: int = 100) -> str:
    metrics = [Metric(name=one.metric, subject=one.subject, value=value, n=n, because="no numbers")
               for one, value in judged]  # fmt: skip
    findings = judge(metrics, [one for one, _ in judged])
    known = {"endpoint": "e", "monitor": "m", "window": "w", "baseline": "b", "rows": 1650}
    console = Console(file=io.StringIO(), width=200)
    console.print(report_table(Report(**known, findings=findings, notes=notes)))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


COMPLETE = Constraint(check="completeness_check", metric="completeness", subject="age", lower=0.9, cause="data")
DRIFT = Constraint(check="psi_drift_check", metric="drift_psi", subject="plan", upper=0.2)


def test_what_broke_is_told_in_plain_words_broken_data_first() -> None:
    table = shown((DRIFT, 0.5), (COMPLETE, 0.6))
    assert "CompletedWithViolations: 1,650 rows; constraints: 0 kept, 2 broken, 0 undecided, 0 failed" in table
    data, world = "60 % of the cells are filled; 40 of 100 cells are missing", "population stability index 0.5"
    assert -1 < table.index(data) < table.index(world)
    assert "at least 90 %" in table
    assert "at most 0.2" in table


def test_reasons_are_told_once_with_their_number() -> None:
    others = [COMPLETE.model_copy(update={"subject": name, "minimum_rows": 30 + i}) for i, name in enumerate("abc")]
    table = shown(*((one, 1.0) for one in others), notes=("by position",), n=20)
    assert "note: 3 undecided: not enough data\n" in table
    assert "note: by position" in table
    assert "note: 1 undecided: no numbers" in shown((DRIFT, None))


def test_a_name_is_neither_markup_nor_a_command_to_the_terminal() -> None:
    table = shown((COMPLETE.model_copy(update={"subject": "[red]\x1b[31m\x07x"}), 0.1))
    assert "[red]\ufffd[31m\ufffdx" in table
    assert "\x1b" not in table
