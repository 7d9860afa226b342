"""The architecture is a test: its contracts are sentences, they are kept, and each of them can break."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "monitor_tasks"
CONTRACTS = {
    contract["name"]: contract
    for contract in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
}
VERBS = {
    *("tasks", "comparing", "restating", "retraining", "promoting", "training", "evidence", "replaying", "tuning"),
    *("remembered", "staging", "intake", "rehearsing", "indexing", "reading", "cleaning"),
    *("judging", "on_tables", "explaining", "dialects", "sending", "site", "cli"),
    *("dashboard", "serving"),
}
NOUNS = {path.stem for path in PACKAGE.glob("*.py")} - VERBS - {"__init__"}
MODULES = sorted(PACKAGE.rglob("*.py"))

# One import for each sentence that this sentence alone must refuse.
OFFENCES = {
    "Every arrow points down the storeys, and every room has its storey": ("attic.py", ""),
    "Nouns know no tables, no files and no libraries but pydantic and YAML": ("value.py", "import rich"),
    "Tables know no endpoint, no thresholds and no storage": ("tables/__init__.py", "import monitor_tasks.endpoint"),
    "Profiles know no thresholds, no files and no column's role": ("profiles/__init__.py", "import pathlib"),
    "Metrics know no thresholds and no tables": ("metrics/__init__.py", "import monitor_tasks.report"),
    "Monitors know no files and no clocks": ("monitors/__init__.py", "import monitor_tasks.window"),
    "Monitors know nothing of each other": ("monitors/one.py", "import monitor_tasks.monitors.another"),
    "Only expectations knows Great Expectations": ("monitors/one.py", "import great_expectations"),
    "The dialect of SageMaker does no input or output": ("sagemaker/__init__.py", "import monitor_tasks.io"),
    "Nobody below the tasks knows the dialect of SageMaker": ("pages/__init__.py", "import monitor_tasks.sagemaker"),
    "What reaches outside does no maths": ("io/__init__.py", "import scipy"),
    "Pages decide nothing": ("pages/__init__.py", "import monitor_tasks.profiles"),
    "Nothing hangs on a page but the tasks and the command line": ("report.py", "import monitor_tasks.pages"),
    "Plots are drawn in pages only": ("metrics/__init__.py", "import jinja2"),
    "The package has never heard of Airflow": ("window.py", "def late():\n    from airflow.sdk import task"),
    "Object stores are known to io only": ("profiles/__init__.py", "import obstore"),
    "AWS clients appear in io only": ("sagemaker/__init__.py", "import boto3"),
    "Tasks, the command line and the nouns do no maths themselves": ("baseline.py", "import numpy"),
}


def check(source: Path, config: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter on the package below `source`."""
    command = [Path(sys.executable).with_name("lint-imports"), "--no-logo", "--no-cache", "--config", config]
    return subprocess.run(command, cwd=source, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)


def verdicts(output: str) -> dict[str, str]:
    """Return KEPT or BROKEN for each sentence."""
    lines = re.finditer(r"^(.+) (KEPT|BROKEN)(?: \(.*\))?$", output, re.MULTILINE)
    return {line.group(1): line.group(2) for line in lines}


def imports(path: Path) -> Iterator[str]:
    """Yield every name a module imports from another, in full."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{name.name}" for name in node.names)


def public(tree: ast.Module | ast.ClassDef) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    """Yield the public functions and classes of a module, and the public methods of those classes."""
    for node in tree.body:
        is_named = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        if is_named and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from public(node)


def test_every_contract_is_a_sentence() -> None:
    assert len(CONTRACTS) >= 10
    for name in CONTRACTS:
        assert re.match(r"[A-Z].+ .+ .+[^.]$", name), name


def test_every_contract_is_kept() -> None:
    checked = check(ROOT / "src", ROOT / "pyproject.toml")
    assert verdicts(checked.stdout) == dict.fromkeys(CONTRACTS, "KEPT"), checked.stdout
    assert checked.returncode == 0, checked.stdout


def test_every_contract_can_break(tmp_path: Path) -> None:
    shutil.copytree(PACKAGE, tmp_path / "monitor_tasks", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "monitor_tasks/monitors/another.py").touch()
    for file, line in OFFENCES.values():
        with (tmp_path / "monitor_tasks" / file).open("a") as module:
            module.write(f"\n{line}\n")
    checked = check(tmp_path, ROOT / "pyproject.toml")
    assert verdicts(checked.stdout) == dict.fromkeys(OFFENCES, "BROKEN"), checked.stdout
    assert checked.returncode == 1
    assert OFFENCES.keys() == CONTRACTS.keys()


def test_the_contracts_name_every_noun() -> None:
    named = CONTRACTS["Nouns know no tables, no files and no libraries but pydantic and YAML"]["source_modules"]
    assert {f"monitor_tasks.{noun}" for noun in NOUNS} <= set(named), "add the new noun to this contract"


@pytest.mark.parametrize("room", ["tables", "profiles", "metrics"])
@pytest.mark.parametrize("judging", sorted({"report", "verdict"} & NOUNS))
def test_the_contracts_keep_judging_from_measuring(room: str, judging: str) -> None:
    contracts = [c for c in CONTRACTS.values() if c.get("source_modules") == [f"monitor_tasks.{room}"]]
    assert any(f"monitor_tasks.{judging}" in c["forbidden_modules"] for c in contracts), "add it to this contract"


def test_nouns_import_no_library_but_pydantic_and_yaml() -> None:
    graph = grimp.build_graph("monitor_tasks", include_external_packages=True, cache_dir=None)
    used = {name for noun in NOUNS for name in graph.find_modules_directly_imported_by(f"monitor_tasks.{noun}")}
    libraries = {name for name in used if not name.startswith("monitor_tasks.")} - sys.stdlib_module_names
    assert libraries <= {"pydantic", "yaml"}


@pytest.mark.parametrize(
    ("room", "name"),
    [
        ("metrics", "monitor_tasks.baseline.Constraint"),
        ("pages", "monitor_tasks.report.judge"),
        ("pages", "monitor_tasks.verdict.decide"),
    ],
)
def test_measuring_is_not_judging_and_showing_is_not_deciding(room: str, name: str) -> None:
    assert [path for path in (PACKAGE / room).rglob("*.py") if name in imports(path)] == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_everything_public_says_what_it_is(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), "the module has no docstring"
    assert [f"{path.name}:{node.lineno} {node.name}" for node in public(tree) if not ast.get_docstring(node)] == []
