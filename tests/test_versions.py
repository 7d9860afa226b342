"""Stored files outlive releases: former forms are read, newer ones refused by name, and no form changes unnoticed."""

import ast
import json
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import pytest

from monitor_tasks import profiles
from monitor_tasks.io.executions import Execution
from monitor_tasks.io.store import Store
from monitor_tasks.judging import read_baseline
from monitor_tasks.monitors.settings import ModelQualitySettings
from monitor_tasks.site import Site
from monitor_tasks.value import STORED, Artifact, UserError
from tests.golden.kinds import FOLDER, KINDS, fields, form, missing

PACKAGE = Path(__file__).parents[1] / "src/monitor_tasks"
GOLDEN = sorted(path.stem for path in FOLDER.glob("*.json"))
FORMER = [one for one in GOLDEN if int(one.partition(".v")[2]) < KINDS[one.partition(".v")[0]].version]
TOLD = (
    "the form has changed: give it a new version in the code, keep a reader of the former one, and write its golden "
    "file by `python -m tests.golden.kinds`"
)


def stored(name: str) -> bytes:
    return (FOLDER / f"{name}.json").read_bytes()


def versioned() -> Iterator[tuple[str, int]]:
    """Every class of the package that writes a version, and which one."""
    for module in iter_modules(profiles.__path__):
        for one in vars(import_module(f"monitor_tasks.profiles.{module.name}")).values():
            if isinstance(one, type) and "SCHEMA_VERSION" in vars(one):
                yield one.__name__, one.SCHEMA_VERSION  # type: ignore[attr-defined]
    for kind in Artifact.__subclasses__():
        yield kind.__name__, kind.SCHEMA_VERSION


def test_every_kind_has_a_golden_file_of_its_present_version() -> None:
    assert missing() == {}
    assert len({*versioned()}) + len(STORED) == len(KINDS)
    assert sorted(version for _, version in {*versioned()}) + sorted(STORED.values()) == [
        *sorted(kind.version for name, kind in KINDS.items() if f"{name}.json" not in STORED),
        *sorted(kind.version for name, kind in KINDS.items() if f"{name}.json" in STORED),
    ]


def test_whoever_writes_a_version_takes_it_from_the_table_or_the_class() -> None:
    literal = [
        f"{path.name}:{node.lineno}"
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Dict)
        for key, value in zip(node.keys, node.values, strict=True)
        if isinstance(key, ast.Constant) and key.value == "schema_version" and isinstance(value, ast.Constant)
    ]
    assert literal == []


@pytest.mark.parametrize("name", KINDS)
def test_what_is_written_has_the_form_of_its_version(name: str) -> None:
    kind = KINDS[name]
    written = kind.write()
    assert json.loads(written)["schema_version"] == kind.version
    assert form(json.loads(written)) == form(json.loads(stored(f"{name}.v{kind.version}"))), TOLD


@pytest.mark.parametrize("kind", Artifact.__subclasses__(), ids=lambda kind: kind.__name__)
def test_no_value_in_an_artifact_has_another_field(kind: type[Artifact]) -> None:
    golden = FOLDER / f"fields/{kind.__name__}.v{kind.SCHEMA_VERSION}.json"
    assert fields(kind) == json.loads(golden.read_bytes()), TOLD


@pytest.mark.parametrize("name", GOLDEN)
def test_every_version_is_read(name: str) -> None:
    kind = KINDS[name.partition(".v")[0]]
    read, present = kind.read(stored(name)), kind.read(kind.write())
    assert type(read) is type(present)
    if hasattr(present, "rows"):
        assert read.rows == present.rows
    if name.startswith("labels"):
        assert (read["predictions"], read["matched"]) == (present["predictions"], present["matched"]) == (2, 1)


@pytest.mark.parametrize("name", [one for one in FORMER if not one.startswith("labels")])
def test_a_former_version_is_written_again_in_the_present_form(name: str) -> None:
    kind = KINDS[name.partition(".v")[0]]
    again = json.loads(kind.read(stored(name)).to_json())
    assert again["schema_version"] == kind.version
    assert again.keys() >= json.loads(stored(name)).keys()


def test_former_versions_are_there() -> None:
    assert [
        *("classes.v1", "columns.v1", "columns.v2", "labels.v1", "residuals.v1", "sample.v1", "scores.v1")
    ] == FORMER


def newer(name: str) -> tuple[bytes, str]:
    """A golden file as a newer release might write it, and what is said of it."""
    version = KINDS[name].version
    content: dict[str, Any] = {**json.loads(stored(f"{name}.v{version}")), "schema_version": version + 1, "news": 1}
    read = f"versions 1 to {version}" if version > 1 else "version 1"
    return json.dumps(content).encode(), f"this release reads {read}; upgrade monitor-tasks"


@pytest.mark.parametrize("name", KINDS)
def test_a_newer_version_is_refused(name: str) -> None:
    text, said = newer(name)
    with pytest.raises(UserError, match=rf"written as version {KINDS[name].version + 1} of [\w.]+, {said}$"):
        KINDS[name].read(text)


def test_a_newer_baseline_names_its_file() -> None:
    text, said = newer("scores")
    settings = ModelQualitySettings(probability_attribute="score")
    with pytest.raises(UserError, match=rf"^baseline b1: profile\.json: written as version 3 of ScoreProfile, {said}$"):
        read_baseline("b1", "model_quality", settings, {"profile.json": text}.get)
    text, said = newer("partition")
    with pytest.raises(UserError, match=rf"^baseline b1: edges\.json: written as version 2 of Partition, {said}$"):
        read_baseline("b1", "model_quality", settings, {"edges.json": text}.get)


@pytest.mark.parametrize("name", ["ledger", "labels"])
def test_a_newer_file_of_an_execution_names_its_address(name: str, tmp_path: Path) -> None:
    text, said = newer(name)
    site = Site.__new__(Site)
    site.store = Store(str(tmp_path))
    key = Execution(site.store, "captured", {}).commit({f"{name}.json": text})
    with pytest.raises(UserError, match=rf"^{tmp_path}/captured/.*manifest\.json: written as version .*, {said}$"):
        site.told(key, f"{name}.json")
