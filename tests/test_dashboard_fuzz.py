"""Whatever the dashboard is asked, it answers: cases that a fuzzer makes of its own OpenAPI, and never a 5xx."""

from collections import Counter
from pathlib import Path

import pytest
import schemathesis
from fastapi.testclient import TestClient

from monitor_tasks.dashboard import Endpoints
from monitor_tasks.indexing import compact
from monitor_tasks.serving import dashboard_app
from tests.fuzzing import answers
from tests.watched import watched


def served(folder: Path, monkeypatch: pytest.MonkeyPatch, cases: int) -> Counter[int]:
    """The answers of the dashboard of one endpoint."""
    monkeypatch.setenv("MONITOR_TASKS_HOME", str(folder))
    compact(watched(folder))
    app = dashboard_app(Endpoints(folder / "endpoints"))
    with TestClient(app, raise_server_exceptions=False) as client:
        return answers(schemathesis.openapi.from_asgi("/openapi.json", app), client, cases)


def test_a_few_hundred_cases_have_no_answer_of_5xx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = served(tmp_path, monkeypatch, 20)
    assert found.total() >= 200
    assert found[200] > 20


@pytest.mark.long
def test_thousands_of_cases_have_no_answer_of_5xx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = served(tmp_path, monkeypatch, 600)
    assert found.total() >= 5000
    assert found[200] > 400
