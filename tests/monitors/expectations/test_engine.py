"""The library at work: the same bytes anywhere, nothing sent, nothing printed, nothing loaded before it is asked."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from monitor_tasks.monitors.expectations import engine, validate
from monitor_tasks.profiles.columns import TableProfile
from tests.monitors.expectations.samples import FROM_PROFILE, PROFILE, TABLE, everything

ROOT = Path(__file__).parents[3]


def test_results_are_the_same_bytes_in_any_process_and_order_of_rows() -> None:
    script = (
        "import sys; from tests.monitors.expectations.samples import TABLE, everything; "
        "sys.stdout.buffer.write(everything(TABLE))"
    )
    run = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, check=True)
    assert run.stdout == everything(TABLE)
    assert b"Traceback" not in run.stdout
    backwards = validate(TableProfile.of(TABLE.take(list(range(5, -1, -1)))), (), FROM_PROFILE, None)
    assert backwards.results == validate(PROFILE, (), FROM_PROFILE, None).results


def test_great_expectations_reads_the_stored_results_as_its_own() -> None:
    from great_expectations.core.expectation_validation_result import (
        ExpectationSuiteValidationResult,
        expectationSuiteValidationResultSchema,
    )

    stored = json.loads(everything(TABLE))
    assert [*stored] == ["constraints", "expectations"]
    for name, suite in stored.items():
        read = expectationSuiteValidationResultSchema.load(suite)
        assert isinstance(read, ExpectationSuiteValidationResult)
        assert (read.suite_name, read.success) == (name, all(one["success"] for one in suite["results"]))
        assert read.statistics["evaluated_expectations"] == len(read.results) == len(suite["results"]) > 0
        assert len(read.get_failed_validation_results().results) == read.statistics["unsuccessful_expectations"]
        again = read.to_json_dict()
        assert [one["result"] for one in again["results"]] == [one["result"] for one in suite["results"]]
        assert [one["expectation_config"]["kwargs"] for one in again["results"]] == [
            one["expectation_config"]["kwargs"] for one in suite["results"]
        ]


def test_no_connection_is_tried_from_the_first_import_on_and_analytics_are_off() -> None:
    script = """
import os, socket

def refuse(*_, **__):
    os._exit(3)

for name in ("connect", "connect_ex", "sendto"):
    setattr(socket.socket, name, refuse)
socket.getaddrinfo = socket.create_connection = refuse
from tests.monitors.expectations.samples import TABLE, everything
from monitor_tasks.monitors.expectations.engine import _context
everything(TABLE)
assert os.environ["GX_ANALYTICS_ENABLED"] == "false"
assert _context().variables.config.analytics_enabled is False
"""
    wished = {**os.environ, "GX_ANALYTICS_ENABLED": "true"}
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=wished, capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


def test_nothing_is_sent_and_nothing_is_printed(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("a network attempt")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    everything(TABLE)
    assert os.environ["GX_ANALYTICS_ENABLED"] == "false"
    assert capfd.readouterr() == ("", "")


def test_importing_the_room_loads_neither_great_expectations_nor_pandas() -> None:
    script = (
        "import sys, monitor_tasks.monitors.expectations; "
        "sys.exit(bool({'great_expectations', 'pandas'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_many_expectations_are_asked_some_at_a_time_with_the_same_results(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, asked, sizes = everything(TABLE), engine._validated, []

    def counted(some: dict[int, Any], batch: Any) -> Any:
        sizes.append(len(some))
        return asked(some, batch)

    monkeypatch.setattr(engine, "_validated", counted)
    monkeypatch.setattr(engine, "AT_ONCE", 7)
    assert everything(TABLE) == whole
    assert max(sizes) == 7
    assert len(sizes) > 2
