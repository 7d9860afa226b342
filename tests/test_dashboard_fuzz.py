"""Whatever the dashboard is asked, it answers: cases that a fuzzer makes of its own OpenAPI, and never a 5xx."""

from collections import Counter
from pathlib import Path

import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from monitor_tasks.dashboard import Endpoints
from monitor_tasks.indexing import compact
from monitor_tasks.serving import dashboard_app
from tests.watched import step, watched

KNOWN = {
    "endpoint": ["churn"], "window": [step(0), step(1), step(2)], "monitor": ["data_quality", "bias"],
    "file": ["report.json", "report.html", "profile.json"],
}  # fmt: skip
"""What is really there, so that many a case gets beyond the first question."""


def answers(folder: Path, monkeypatch: pytest.MonkeyPatch, cases: int) -> Counter[int]:
    """The answers to so many cases of every address, by their code."""
    monkeypatch.setenv("MONITOR_TASKS_HOME", str(folder))
    compact(watched(folder))
    app = dashboard_app(Endpoints(folder / "endpoints"))
    found = Counter[int]()
    for asked in schemathesis.openapi.from_asgi("/openapi.json", app).get_all_operations():
        operation = asked.ok()

        @seed(7)
        @settings(max_examples=cases, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(operation.as_strategy(), st.data())
        def ask(case: schemathesis.Case, data: st.DataObject) -> None:
            for name in case.path_parameters:
                if name in KNOWN and data.draw(st.booleans()):
                    case.path_parameters[name] = data.draw(st.sampled_from(KNOWN[name]))
            answer = client.request(case.method, case.formatted_path, params=case.query)
            found[answer.status_code] += 1
            assert answer.status_code < 500, (case.formatted_path, case.query, answer.text[:300])

        with TestClient(app, raise_server_exceptions=False) as client:
            ask()
    return found


def test_a_few_hundred_cases_have_no_answer_of_5xx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = answers(tmp_path, monkeypatch, 20)
    assert found.total() >= 200
    assert found[200] > 20


@pytest.mark.long
def test_thousands_of_cases_have_no_answer_of_5xx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = answers(tmp_path, monkeypatch, 600)
    assert found.total() >= 5000
    assert found[200] > 400
