"""Questions to Airflow's API, as a person who is logged in."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

READING = timedelta(seconds=4)
"""As long as nobody answers."""


class AirflowApi:
    """Airflow's API at an address: without a password where everybody is an admin, else by name and password."""

    def __init__(self, url: str, login: Mapping[str, str] | None = None) -> None:
        """Nothing is asked yet; `login` is a username and a password."""
        self.url = url
        self._login = login
        self._client = httpx.Client(base_url=url, timeout=120, trust_env=False)

    def close(self) -> None:
        """Hangs up."""
        self._client.close()

    def get(self, path: str, **query: Any) -> Any:
        """The answer of Airflow's API to a question, as JSON."""
        return self._ask("GET", path, params=query)

    def post(self, path: str, content: Mapping[str, Any]) -> Any:
        """The answer of Airflow's API to a request, as JSON."""
        return self._ask("POST", path, json=content)

    def patch(self, path: str, content: Mapping[str, Any]) -> Any:
        """The answer of Airflow's API to a change, as JSON."""
        return self._ask("PATCH", path, json=content)

    def questions(self) -> list[str]:
        """Where a person's answer is waited for: the addresses of what to answer.

        Only what a person could have read: Airflow 3.3 tries a task again, and forgets the answer, where that comes
        before its scheduler has noted that the task waits.
        """
        asked = self.get("/dags/~/dagRuns/~/hitlDetails", response_received=False)["hitl_details"]
        read = datetime.now(UTC) - READING
        tasks = [one["task_instance"] for one in asked]
        tasks = [one for one in tasks if one["start_date"] and datetime.fromisoformat(one["start_date"]) < read]
        place = "/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/{map_index}/hitlDetails"
        return [place.format(**one) for one in tasks]

    def answer(self, question: str, option: str) -> None:
        """A person's answer to a question."""
        self.patch(question, {"chosen_options": [option], "params_input": {}})

    def approve(self) -> None:
        """Says yes to whatever is asked, as a person would on Airflow's page; who is asked again says it again."""
        self._answer_all("Approve")

    def reject(self) -> None:
        """Says no to whatever is asked."""
        self._answer_all("Reject")

    def states(self, dag_id: str) -> dict[str, str]:
        """The state of every run of a DAG by the run's id."""
        runs = self.get(f"/dags/{dag_id}/dagRuns", limit=100)["dag_runs"]
        return {run["dag_run_id"]: run["state"] for run in runs}

    def boxes(self, dag_id: str, run: str) -> dict[str, str]:
        """The state of every task of a run by the task's id."""
        tasks = self.get(f"/dags/{dag_id}/dagRuns/{run}/taskInstances")["task_instances"]
        return {task["task_id"]: task["state"] for task in tasks}

    def _answer_all(self, option: str) -> None:
        for question in self.questions():
            self.answer(question, option)

    def _ask(self, method: str, path: str, **how: Any) -> Any:
        if "Authorization" not in self._client.headers:
            asked = self._client.post("/auth/token", json=dict(self._login)) if self._login else None
            token = (asked or self._client.get("/auth/token")).raise_for_status().json()["access_token"]
            self._client.headers["Authorization"] = f"Bearer {token}"
        return self._client.request(method, f"/api/v2{path}", **how).raise_for_status().json()
