"""docker-compose.yml is what it says: complete, healthy by its own checks, without a password that anybody knows."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from examples.composed import FILE, IMAGE, Composed, interpolated, read_env, services
from scripts.make_env import filled

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = (ROOT / ".env.example").read_text()
SECRETS = re.findall(r"^(\w+)=$", EXAMPLE, re.MULTILINE)
ALSO = {"image", "build", "restart", "init", "security_opt", "cap_drop", "user", "stop_grace_period", "ports"}
"""What a container has that a process does not need; everything else in the file is honoured by Composed."""
READ = {"command", "environment", "volumes", "depends_on", "healthcheck"}
ONE_SHOT = {"init"}


@pytest.fixture
def variables() -> dict[str, str]:
    return read_env(filled(EXAMPLE))


@pytest.fixture
def known(variables: dict[str, str]) -> dict[str, dict[str, Any]]:
    return services(variables)


def texts(value: Any) -> list[str]:
    """Every text inside a value of the file."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [value] if isinstance(value, str) else [text for one in inner for text in texts(one)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${A}", "1"),
        ("$A-${B:-2}-${C-3}", "1-2-3"),
        ("${E:-4}${E-5}", "4"),
        ("${A:?said}", "1"),
        ("$$A $${A}", "$A ${A}"),
        ("{'a': [1, '$A']}", "{'a': [1, '1']}"),
        ("${missing}", ""),
    ],
)
def test_variables_are_filled_in_as_compose_does_it(text: str, expected: str) -> None:
    assert interpolated(text, {"A": "1", "E": ""}) == expected


@pytest.mark.parametrize("name", SECRETS)
def test_without_a_secret_nothing_starts_and_it_is_named(name: str, variables: dict[str, str]) -> None:
    for value in ({}, {name: ""}):
        with pytest.raises(ValueError, match=rf"required variable {name} is not set, see \.env\.example"):
            services({**{one: known for one, known in variables.items() if one != name}, **value})


def test_no_secret_has_a_default() -> None:
    said = "\n".join(texts(yaml.safe_load(FILE.read_text())))
    used = dict(re.findall(r"\$\{(\w+)(:?[-?])", said))
    assert set(SECRETS) == {name for name, sign in used.items() if sign == ":?"}
    assert {name for name, sign in used.items() if sign == ":-"} == set(read_env(EXAMPLE)) - set(SECRETS)
    assert not re.search(r"(?i)(password|secret\w*|_key)\w*: *(?!\$\{)[\"']?\w", FILE.read_text())


def test_the_defaults_are_those_of_the_example(variables: dict[str, str]) -> None:
    said = dict(re.findall(r"\$\{(\w+):-([^}]*)\}", FILE.read_text()))
    assert said == {name: variables[name] for name in said}


def test_every_service_that_stays_has_a_health_check(known: dict[str, dict[str, Any]]) -> None:
    assert {name for name, one in known.items() if "healthcheck" not in one} == ONE_SHOT
    assert {name for name, one in known.items() if one["restart"] == "no"} == ONE_SHOT
    assert {key for one in known.values() for key in one} <= READ | ALSO
    for one in known.values():
        for needed, how in one.get("depends_on", {}).items():
            expected = "service_completed_successfully" if needed in ONE_SHOT else "service_healthy"
            assert how == {"condition": expected}


def test_volumes_are_named_and_only_the_pages_are_open(known: dict[str, dict[str, Any]]) -> None:
    named = set(yaml.safe_load(FILE.read_text())["volumes"])
    used = {volume.split(":")[0] for one in known.values() for volume in one.get("volumes", [])}
    assert used - {"./dags"} == named
    assert {name: one["ports"] for name, one in known.items() if "ports" in one} == {
        "api-server": ["127.0.0.1:8080:8080"]
    }


def test_it_names_only_commands_that_exist(known: dict[str, dict[str, Any]]) -> None:
    programs = {
        words[0]
        for one in known.values()
        for words in (one["command"], one.get("healthcheck", {}).get("test", [" ", "airflow"])[1:])
    }
    ours = {"airflow", "celery", "python", "python3"}
    assert {word.split()[0] for word in programs} - ours == {"postgres", "pg_isready", "redis-cli", "sh", "bash"}
    commands = [one["command"] for one in known.values() if one["command"][0] == "airflow"]
    checks = [
        one["healthcheck"]["test"][1:]
        for one in known.values()
        if one.get("healthcheck", {}).get("test", ["", ""])[1] == "airflow"
    ]
    code = "\n".join(
        [
            "import sys",
            "from airflow.cli import cli_parser",
            "parser = cli_parser.get_parser()",
            f"for words in {[words[1:] for words in (*commands, *checks)]!r}: parser.parse_args(words)",
            "import celery.backends.database, airflow.providers.celery.executors.celery_executor",
            "import airflow.providers.fab.auth_manager.fab_auth_manager",
        ]
    )
    executor = {"AIRFLOW__CORE__EXECUTOR": "CeleryExecutor", "AIRFLOW__CELERY__BROKER_URL": "redis://nowhere:1/0"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env={"PATH": "", "HOME": str(ROOT / ".composed-none"), "AIRFLOW_HOME": "", **executor},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_the_image_is_of_the_lock_and_not_of_root() -> None:
    stages = re.split(r"^FROM ", IMAGE.read_text(), flags=re.MULTILINE)[2:]
    for stage in stages:
        assert stage.rstrip().splitlines()[-1] == "USER monitor"
    assert re.findall(r"^RUN uv sync (--locked)", IMAGE.read_text(), re.MULTILINE) == ["--locked"] * 2
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert ignored[1] == "*"
    assert not [line for line in ignored if line.startswith("!.")]
    assert ".env" in (ROOT / ".gitignore").read_text().splitlines()


def test_secrets_are_made_once(tmp_path: Path) -> None:
    shutil.copy(ROOT / ".env.example", tmp_path)
    command = [sys.executable, str(ROOT / "scripts/make_env.py"), str(tmp_path)]
    subprocess.run(command, check=True)
    made = read_env((tmp_path / ".env").read_text())
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600
    assert len({made[name] for name in SECRETS}) == len(SECRETS)
    assert all(len(made[name]) >= 44 for name in SECRETS)
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert again.returncode == 1
    assert again.stderr.startswith("make_env: .env is there already")
    assert read_env((tmp_path / ".env").read_text()) == made


def test_a_process_finds_what_a_container_finds(tmp_path: Path, variables: dict[str, str]) -> None:
    composed = Composed(tmp_path, variables)
    address = composed.addresses
    worker = composed.environment("worker")
    assert worker["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == f"http://{address['api-server']}:8080/execution/"
    assert worker["AIRFLOW__CELERY__BROKER_URL"].endswith(f"@{address['redis']}:6379/0")
    assert worker["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].endswith(f"@{address['postgres']}:5432/airflow")
    assert worker["MONITOR_TASKS_HOME"] == str(tmp_path / "volumes/home")
    assert worker["AIRFLOW__CORE__DAGS_FOLDER"] == str(ROOT / "dags")
    assert worker["PYTHONPATH"] == f"{ROOT}:{ROOT}/config"
    assert composed.environment("api-server")["AIRFLOW__API__HOST"] == address["api-server"]
    assert "AIRFLOW_CONN_MONITOR_S3" not in composed.environment("scheduler")
