"""What the README tells people to do is done here: its commands run, its links lead somewhere, its tables are true."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from examples.loan_scoring.simulate import simulate
from examples.loan_scoring.story import FIVE
from monitor_tasks.cli import EXIT, app
from monitor_tasks.endpoint import Endpoint
from monitor_tasks.report import State, Status
from monitor_tasks.tables.ledger import FATES, Reason
from monitor_tasks.window import parse_time

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
ROWS = 300


def blocks(text: str, *languages: str) -> list[str]:
    """The insides of the fenced blocks in these languages, without what they are indented by."""
    found = re.findall(r"^( *)```(\w+)\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
    return [re.sub(f"^{indent}", "", inside, flags=re.MULTILINE) for indent, name, inside in found if name in languages]


def lines(text: str) -> Iterator[str]:
    """Every line of the blocks that a person types, without its prompt."""
    for block in blocks(text, "console", "bash"):
        yield from (line.removeprefix("$ ") for line in block.splitlines() if line.strip())


def section(title: str) -> str:
    """What stands below a title of the README, up to the next one."""
    return README.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def column(text: str, first: str) -> list[str]:
    """The first column of the table that begins with the cell `first`, without marks of code."""
    found = re.search(rf"^\| {first} \|.*\n\|[-|]+\n((?:\|.*\n)+)", text, re.MULTILINE)
    assert found, f"no table that begins with {first!r}"
    return [row.split("|")[1].strip().strip("`") for row in found[1].splitlines()]


def anchors(page: Path) -> set[str]:
    """What a link into the page may name: its titles, as they stand in addresses."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what the README's commands find in a checkout after ``make demo``."""
    simulate(tmp_path / ".demo", FIVE, parse_time("2026-01-01T00:00:00Z"), ROWS, seed=7)
    shutil.copy(ROOT / "examples/loan_scoring/suite.json", tmp_path / ".demo")
    shutil.copytree(ROOT / "dags/endpoints", tmp_path / "dags/endpoints")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MONITOR_TASKS_ROOTS", raising=False)
    return tmp_path


def test_every_command_ends_with_the_exit_code_that_stands_beside_it(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = set()
    for line in lines(README):
        words = shlex.split(line, comments=True)
        if words[:1] == ["export"]:
            monkeypatch.setenv(*words[1].split("=", 1))
        if words[:1] == ["monitor-tasks"]:
            said = re.search(r"# exit code (\d)$", line)
            assert said, f"no exit code stands beside: {line}"
            done = CliRunner().invoke(app, words[1:])
            assert done.exit_code == int(said[1]), f"{line}\n{done.output}\n{done.exception!r}"
            seen.add((words[1], int(said[1])))
    assert {verb for verb, _ in seen} == set(column(section("The command line"), "verb"))
    assert {str(code) for _, code in seen} == set(column(section("The command line"), "exit code"))


def test_the_verbs_are_those_of_the_command_line() -> None:
    known = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    assert set(column(section("The command line"), "verb")) == known


def test_the_command_is_installed() -> None:
    command = Path(sys.executable).with_name("monitor-tasks")
    done = subprocess.run([command, "schema"], capture_output=True, text=True, check=True)
    assert done.stdout == (ROOT / "docs/endpoint.schema.json").read_text()


def test_states_statuses_and_exit_codes_are_those_of_the_code() -> None:
    assert column(section("The one rule"), "state") == [state.value for state in State]
    assert sorted(column(section("The one rule"), "status")) == sorted(status.value for status in Status)
    assert column(section("The command line"), "exit code") == [str(code) for code in sorted(set(EXIT.values()))]


def test_the_boxes_are_those_of_the_dag() -> None:
    boxes = column(section("The sentence"), "box")
    graph = " ".join(blocks(section("The sentence"), "text"))
    assert set(boxes) == set(re.findall(r"[a-z_]+", graph))
    code = (ROOT / "dags/monitor_endpoints.py").read_text()
    assert [box for box in boxes if f"def {box}(" not in code and f'"{box}"' not in code] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_make_target_exists(page: Path) -> None:
    typed = [line.partition("#")[0].strip() for line in lines(page.read_text())]
    named = {words[1] for words in map(shlex.split, typed) if words[:1] == ["make"]}
    named |= set(re.findall(r"`make ([\w-]+)", page.read_text()))
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert named <= targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if "://" not in link:
            path, _, anchor = link.partition("#")
            target = page.parent / path if path else page
            assert target.exists(), f"{page.name} links to {link}"
            assert not anchor or anchor in anchors(target), f"{page.name} links to {link}"


def test_every_reason_for_quarantine_is_explained() -> None:
    text = (ROOT / "docs/capture.md").read_text()
    assert column(text, "reason") == [reason.value for reason in Reason]
    assert column(text, "fate") == [fate.replace("_", " ") for fate in FATES]


def test_the_example_of_an_endpoint_is_one() -> None:
    (text,) = blocks(section("Add your endpoint"), "yaml")
    endpoint = Endpoint.parse(text, "README.md")
    assert endpoint.endpoint_name == "churn"
    assert endpoint.schedule.cron == "0 * * * *"


def test_the_python_that_is_asked_for_is_the_one_that_is_needed() -> None:
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"].removeprefix(">=")
    assert f"Python {needed} or newer" in README


def test_the_picture_is_one_and_small() -> None:
    picture = ROOT / "docs/images/dag-graph.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size < 200_000


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_page_names_a_place_of_one_machine(page: Path) -> None:
    assert re.findall(rf"(?:{re.escape(os.sep)}(?:home|root|Users|tmp|work)\b\S*)", page.read_text()) == []
