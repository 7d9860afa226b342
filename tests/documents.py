"""Documents whose figures are measured: tests compare what is committed, ``python -m tests.documents`` writes it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "docs"


def table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    return "\n".join(map(_line, [head, ["---"] * len(head), *lines])).replace("| --- ", "|---").replace("--- |", "---|")


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _documents() -> Mapping[str, Callable[[], str]]:
    from scripts.packages import page as licences
    from tests.conformance.page import text as conformance
    from tests.monitors.expectations.page import text as expectations

    return {"conformance.md": conformance, "expectations.md": expectations, "licences.md": licences}


if __name__ == "__main__":
    for name, text in _documents().items():
        (FOLDER / name).write_text(text())
