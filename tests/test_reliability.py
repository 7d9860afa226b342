"""The page on what survives names tests that are there."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs/reliability.md").read_text()


def test_every_test_that_the_page_names_is_there() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)
    missing = [(file, name) for file, name in named if f"def {name}(" not in (ROOT / file).read_text()]
    assert (missing, len(named) >= 10) == ([], True)


def test_every_figure_says_what_was_injected() -> None:
    table = PAGE.partition("| what happens |")[2].partition("\n\n")[0].splitlines()[2:]
    figures = [line.split("|")[3].strip() for line in table]
    assert [one for one in figures if not re.match(r"\d+(,\d+)* injected, \d+", one)] == []
