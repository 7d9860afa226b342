"""A whole Airflow on this machine for as long as a ``with`` block: SQLite, LocalExecutor, loopback only."""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from examples.airflow_api import AirflowApi

PROJECT = Path(__file__).resolve().parents[1]
STARTUP = 120.0
EACH = """
import json, sys
from airflow.__main__ import main
for command in sys.argv[1:]:
    sys.argv = ["airflow", *json.loads(command)]
    main()
"""


def free_port() -> int:
    """A port of the loopback address that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


class LocalAirflow(AirflowApi):
    """Scheduler, DAG processor and API server in process groups of their own; all of them end with the block."""

    def __init__(self, home: Path, port: int, settings: Mapping[str, str] | None = None) -> None:
        """An Airflow whose files lie below `home` and whose pages are served on `port` of the loopback address."""
        super().__init__(f"http://127.0.0.1:{port}")
        self._logs = home / "airflow"
        self._logs.mkdir(parents=True, exist_ok=True)
        self._running: list[subprocess.Popen[bytes]] = []
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

    def run_all(self, *commands: Sequence[str]) -> None:
        """Several commands, one after the other, in one process: Airflow is imported once.

        Raises:
            RuntimeError: one failed; the message holds what was printed.
        """
        done = subprocess.run(
            [sys.executable, "-c", EACH, *map(json.dumps, commands)],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"airflow failed:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")

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

    def kill(self, service: str) -> None:
        """Kills a service and all that it has started, as a crash does; it may be started again."""
        for process in [one for one in self._running if one.args == ["airflow", service]]:
            _signal(process, signal.SIGKILL)
            process.wait()
            self._running.remove(process)

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

    def stop(self) -> None:
        """Ends every process that was started, and whatever they started."""
        end(self._running)
        self._running.clear()
        self._client.close()


def end(processes: Iterable[subprocess.Popen[bytes]]) -> None:
    """Ends processes and whatever is in their groups: asked first, then by force."""
    ending = list(processes)
    for number, patience in ((signal.SIGTERM, 8.0), (signal.SIGKILL, 5.0)):
        for process in ending:
            _signal(process, number)
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline and any(_group_lives(process) for process in ending):
            time.sleep(0.1)


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
