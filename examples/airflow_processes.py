"""A whole Airflow on this machine for as long as a ``with`` block: SQLite, LocalExecutor, loopback only."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

PROJECT = Path(__file__).resolve().parents[1]
STARTUP = 120.0


def free_port() -> int:
    """A port of the loopback address that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


class LocalAirflow:
    """Scheduler, DAG processor and API server in process groups of their own; all of them end with the block."""

    def __init__(self, home: Path, port: int, settings: Mapping[str, str] | None = None) -> None:
        """An Airflow whose files lie below `home` and whose pages are served on `port` of the loopback address."""
        self.url = f"http://127.0.0.1:{port}"
        self._logs = home / "airflow"
        self._logs.mkdir(parents=True, exist_ok=True)
        self._running: list[subprocess.Popen[bytes]] = []
        self._client = httpx.Client(base_url=self.url, timeout=30, trust_env=False)
        self.environment = {
            **os.environ,
            "AIRFLOW_HOME": str(home / "airflow"),
            "MONITOR_TASKS_HOME": str(home),
            "MONITOR_TASKS_PRELOAD": "1",
            "PYTHONPATH": os.pathsep.join(map(str, (PROJECT / "src", PROJECT, PROJECT / "config"))),
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
            "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags"),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow' / 'airflow.db'}",
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(port),
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "3600",
            "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
            "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "False",  # the story's hours only, not the present one
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
            **(settings or {}),
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def run(self, *arguments: str) -> str:
        """One command of Airflow's own command line; its output.

        Raises:
            RuntimeError: the command failed; the message holds what it printed.
        """
        done = subprocess.run(
            ["airflow", *arguments], env=self.environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"airflow {' '.join(arguments)} failed:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
        return done.stdout

    def start(self, *services: str) -> None:
        """Starts services of Airflow, each in a process group of its own, logging to a file of its own."""
        for service in services:
            with (self._logs / f"{service}.log").open("wb") as log:
                self._running.append(
                    subprocess.Popen(
                        ["airflow", service],
                        env=self.environment,
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                        start_new_session=True,
                    )
                )

    def wait_until_up(self) -> None:
        """Returns when the API answers.

        Raises:
            RuntimeError: a service ended, or it took too long.
        """
        deadline = time.monotonic() + STARTUP
        while time.monotonic() < deadline:
            self.check()
            try:
                if self._client.get("/api/v2/monitor/health").is_success:
                    return
            except httpx.TransportError:
                time.sleep(0.3)
        raise RuntimeError(f"Airflow did not answer in {STARTUP:.0f} s; its logs are in {self._logs}")

    def check(self) -> None:
        """Makes sure that every service still runs.

        Raises:
            RuntimeError: one has ended by itself.
        """
        for process in self._running:
            if process.poll() is not None:
                raise RuntimeError(f"{process.args} ended with {process.returncode}; its log is in {self._logs}")

    def get(self, path: str, **query: Any) -> Any:
        """The answer of Airflow's API to a question, as JSON."""
        return self._ask("GET", path, params=query)

    def post(self, path: str, content: Mapping[str, Any]) -> Any:
        """The answer of Airflow's API to a request, as JSON."""
        return self._ask("POST", path, json=content)

    def patch(self, path: str, content: Mapping[str, Any]) -> Any:
        """The answer of Airflow's API to a change, as JSON."""
        return self._ask("PATCH", path, json=content)

    def states(self, dag_id: str) -> dict[str, str]:
        """The state of every run of a DAG by the run's id."""
        runs = self.get(f"/dags/{dag_id}/dagRuns", limit=100)["dag_runs"]
        return {run["dag_run_id"]: run["state"] for run in runs}

    def _ask(self, method: str, path: str, **how: Any) -> Any:
        if "Authorization" not in self._client.headers:
            token = self._client.get("/auth/token").raise_for_status().json()["access_token"]
            self._client.headers["Authorization"] = f"Bearer {token}"
        return self._client.request(method, f"/api/v2{path}", **how).raise_for_status().json()

    def stop(self) -> None:
        """Ends every process that was started, and whatever they started."""
        for ending, patience in ((signal.SIGTERM, 8.0), (signal.SIGKILL, 5.0)):
            for process in self._running:
                _signal(process, ending)
            deadline = time.monotonic() + patience
            while time.monotonic() < deadline and any(_group_lives(process) for process in self._running):
                time.sleep(0.1)
        self._running.clear()
        self._client.close()


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return


def _group_lives(process: subprocess.Popen[bytes]) -> bool:
    process.poll()
    try:
        os.killpg(process.pid, 0)
    except ProcessLookupError:
        return False
    return True
