"""An episode's retraining as a page: what became of each gate, and challenger and champion beside each other."""

from collections.abc import Sequence
from typing import Any

from monitor_tasks.exhibit import ModelComparison
from monitor_tasks.gates import Gate, GateRecord
from monitor_tasks.pages.compared import shown
from monitor_tasks.pages.numbers import text
from monitor_tasks.pages.report import environment, rendered

LONGEST = 1024
"""Characters of a reason; the record holds no longer ones."""
QUESTIONS = {
    Gate.CHECK_EVIDENCE: "Is there enough to learn from?",
    Gate.APPROVE: "Does a person agree?",
    Gate.TRAIN: "Is there a new model?",
    Gate.COMPARE: "May it take the champion's place?",
    Gate.PROMOTE: "Is it the champion?",
}
ANSWERS = {"passed": "yes", "refused": "no", "failed": "not known: it failed"}
STATES = {"passed": "kept", "refused": "undecided", "failed": "broken"}
"""The colours of a report's states."""


def in_short(known: Sequence[GateRecord]) -> str:
    """How the retraining stands, as a sentence."""
    last = known[-1]
    if last.gate is Gate.PROMOTE and last.outcome == "passed":
        said = text(last.because, LONGEST)
        return f"{said[:1].upper()}{said[1:]}."
    if last.outcome == "passed":
        return f"{last.gate} was passed; the next gate has not answered yet."
    return f"{last.gate} {'refused' if last.outcome == 'refused' else 'failed'}, and the champion stays in place."


def retraining_page(known: Sequence[GateRecord]) -> bytes:
    """The record of one retraining as a self-contained HTML file; the newest comparison counts."""
    parts: Any = environment().get_template("parts.html.j2").module
    found = [one.details["comparison"] for one in known if "comparison" in one.details][-1:]
    compared = [parts.compared(shown(ModelComparison.model_validate(one))) for one in found]
    return rendered(
        "retrained.html.j2", endpoint=text(known[0].endpoint), episode=known[0].episode, summary=in_short(known),
        lines=[_line(one) for one in known], compared="".join(compared),
    )  # fmt: skip


def _line(one: GateRecord) -> tuple[str, ...]:
    said = (text(words, LONGEST) for words in (one.by, one.because))
    return QUESTIONS[one.gate], STATES[one.outcome], ANSWERS[one.outcome], *said
