"""What the README tells people to do is done here: its commands run, its links lead somewhere, its tables are true."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from examples.loan_scoring.simulate import simulate
from examples.loan_scoring.story import EIGHT
from monitor_tasks.cli import EXIT, app
from monitor_tasks.configuration import read_yaml
from monitor_tasks.endpoint import Endpoint
from monitor_tasks.gates import Gate, GateRecord, Move
from monitor_tasks.judging import check, read_baseline, suggest
from monitor_tasks.monitors.settings import MONITORS
from monitor_tasks.report import ModelCard, State, Status
from monitor_tasks.site import Site, load_endpoint
from monitor_tasks.staging import label_names
from monitor_tasks.tables import labels, ledger
from monitor_tasks.tables.files import read_table
from monitor_tasks.tables.joining import Counts
from monitor_tasks.tables.lines import LineReason
from monitor_tasks.tables.several_labels import together
from monitor_tasks.window import parse_time

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
SMALL = ROOT / "docs/examples"
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


def commands(text: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[list[str], Any]]:
    """Does what the text tells people to type, and sees the exit code that stands beside it."""
    for line in lines(text):
        words = shlex.split(line, comments=True)
        if words[:1] == ["export"]:
            monkeypatch.setenv(*words[1].split("=", 1))
        if words[:1] == ["monitor-tasks"]:
            said = re.search(r"# exit code (\d)$", line)
            assert said, f"no exit code stands beside: {line}"
            done = CliRunner().invoke(app, words[1:])
            assert done.exit_code == int(said[1]), f"{line}\n{done.output}\n{done.exception!r}"
            yield words, done


def section(title: str) -> str:
    """What stands below a title of the README, up to the next one."""
    return README.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def cells(text: str, first: str) -> list[list[str]]:
    """The table that begins with the cell `first`, its title line too, without marks of code."""
    found = re.search(rf"^(\| {first} \|.*\n)\|[-|]+\n((?:\|.*\n)+)", text, re.MULTILINE)
    assert found, f"no table that begins with {first!r}"
    return [[cell.strip().strip("`") for cell in row.split("|")[1:-1]] for row in (found[1] + found[2]).splitlines()]


def column(text: str, first: str) -> list[str]:
    """The first column of the table that begins with the cell `first`, without its title."""
    return [row[0] for row in cells(text, first)[1:]]


def anchors(page: Path) -> set[str]:
    """What a link into the page may name: its titles, as they stand in addresses."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def promoted(home: Path) -> None:
    """What the demo's retraining leaves, as far as commands look at it: a record, and a champion after all windows."""
    yaml = ROOT / "dags/endpoints/loan-scoring.yaml"
    site = Site(load_endpoint(str(yaml), yaml.read_text(), str(home)))
    site.store.create(f"{site.name}/episodes/log/000001", b'{"opened_by": "2026-01-01T03:00:00Z/PT1H"}')
    record = GateRecord(
        endpoint=site.name, episode="000001", gate=Gate.PROMOTE, outcome="passed", because="better", by="all gates"
    )
    site.store.create(f"{site.name}/episodes/000001/retraining/000001", record.to_json())
    new = Move(
        endpoint=site.name, kind="promoted", episode="000001", model=ModelCard(version="2"), baseline="",
        former_model=ModelCard(version="1"), former_baseline="", since="2026-01-01T08:00:00Z", because="", by="us",
    )  # fmt: skip
    site.store.create(f"{site.name}/models/moves/000001", new.to_json())


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what the README's commands find in a checkout after ``make demo``."""
    simulate(tmp_path / ".demo", EIGHT, parse_time("2026-01-01T00:00:00Z"), ROWS, seed=7)
    shutil.copy(ROOT / "examples/loan_scoring/suite.json", tmp_path / ".demo")
    shutil.copytree(ROOT / "dags/endpoints", tmp_path / "dags/endpoints")
    shutil.copytree(SMALL, tmp_path / "docs/examples")
    promoted(tmp_path / ".demo")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MONITOR_TASKS_ROOTS", raising=False)
    return tmp_path


def test_every_command_ends_with_the_exit_code_that_stands_beside_it(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = {(words[1], done.exit_code) for words, done in commands(README, monkeypatch)}
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
    functions = set(re.findall(r"@task(?:\.branch)?(?:\(.*\))?\n +def (\w+)\(", code.partition("def broken_dag")[0]))
    operators = set(re.findall(r'task_id="(\w+)"', code))
    assert set(boxes) == (functions - {"run_monitor"}) | operators | {row.task for row in MONITORS.values()}


def test_the_graph_is_the_one_at_the_top_of_the_dag() -> None:
    (graph,) = blocks(section("The sentence"), "text")
    said = (ROOT / "dags/monitor_endpoints.py").read_text().split('"""')[1]
    assert textwrap.indent(graph, "    ") in said


def test_the_tables_of_monitors_are_those_of_the_code() -> None:
    _, reads, finds = re.split(r"^(?=\| monitor \|)", section("The monitors"), flags=re.MULTILINE)
    assert column(reads, "monitor") == column(finds, "monitor") == list(MONITORS)
    for name, rows, *_ in cells(reads, "monitor")[1:]:
        assert {"explained": "sample"}.get(MONITORS[name].stage, MONITORS[name].stage) in rows


def test_the_demo_told_what_the_story_tells() -> None:
    (told,) = blocks(section("See it"), "text")
    start = parse_time("2026-01-01T00:00:00Z")
    hours = [f"{start + timedelta(hours=one.hour):%Y-%m-%dT%H:%M:%SZ}/PT1H  {one.name} " for one in EIGHT]
    windows = [line for line in told.splitlines() if line.startswith("2026-")]
    assert len(windows) == len(hours)
    assert [line for line, hour in zip(windows, hours, strict=True) if not line.startswith(hour)] == []


@pytest.mark.parametrize("name", ["model_quality", "bias"])
@pytest.mark.parametrize("rule", ["observed", "interval"])
def test_the_rules_find_in_the_small_tables_what_is_said(name: str, rule: str) -> None:
    title, *rows = cells(section("The one rule"), "table")
    said = {row[0]: row[title.index(f"{name} {rule}")] for row in rows}
    text = (SMALL / f"{name}.yaml").read_text().replace("rule: interval", f"rule: {rule}")
    settings = read_yaml(MONITORS[name].settings, text, f"{name}.yaml").value
    assert set(said) == {path.stem for path in SMALL.glob("*.csv")}
    tables = {table: read_table((SMALL / f"{table}.csv").read_bytes(), f"{table}.csv") for table in said}
    known = read_baseline("", name, settings, suggest(name, settings, tables["reference"]).get)
    reports = {table: check(name, settings, rows, known).report("", "") for table, rows in tables.items()}
    found = {table: f"{len(report.violations)} of {len(report.findings)}" for table, report in reports.items()}
    assert found == said


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
    assert column(text, "reason") == [reason.value for reason in ledger.Reason]
    assert column(text, "text") == [reason.value for reason in LineReason]
    assert column(text, "fate") == [fate.replace("_", " ") for fate in ledger.FATES]


def test_every_reason_and_count_of_labels_is_explained() -> None:
    text = (ROOT / "docs/labels.md").read_text()
    assert column(text, "reason") == [reason.value for reason in labels.LabelReason]
    assert column(text, "fate") == list(labels.FATES)
    assert column(text, "count") == list(Counts._fields)
    one, several = (labels.parse_label(example.strip().encode()) for example in blocks(text, "json"))
    assert one == ("loan-17", "1")
    assert several == ("batch-4", together(["0", ""]))


def test_the_example_of_an_endpoint_is_one() -> None:
    (text,) = blocks(section("Add your endpoint"), "yaml")
    endpoint = Endpoint.parse(text, "README.md")
    assert endpoint.endpoint_name == "churn"
    assert endpoint.schedule.cron == "0 * * * *"
    assert list(endpoint.configured()) == list(MONITORS)
    assert label_names(endpoint) == ("churned",)
    assert endpoint.ground_truth
    assert endpoint.model


def test_every_decision_says_why_what_and_what_follows() -> None:
    pages = sorted((ROOT / "docs/decisions").glob("*.md"))
    assert [page.name[:4] for page in pages] == [f"{number:04d}" for number in range(1, len(pages) + 1)]
    for page in pages:
        assert re.findall(r"^(?:# (\d+)\. |\*\*(\w+)\.\*\*)", page.read_text(), re.MULTILINE) == [
            (str(int(page.name[:4])), ""),
            *(("", word) for word in ("Context", "Decision", "Consequence")),
        ]


def test_the_python_that_is_asked_for_is_the_one_that_is_needed() -> None:
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"].removeprefix(">=")
    assert f"Python {needed} or newer" in README


@pytest.mark.parametrize(
    ("name", "largest"),
    [("dag-graph", 200_000), ("dashboard-endpoint", 150_000), ("dashboard-window", 150_000)],
)
def test_the_picture_is_one_and_small(name: str, largest: int) -> None:
    picture = ROOT / f"docs/images/{name}.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size < largest


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_page_names_a_place_of_one_machine(page: Path) -> None:
    assert re.findall(rf"(?:{re.escape(os.sep)}(?:home|root|Users|tmp|work)\b\S*)", page.read_text()) == []
