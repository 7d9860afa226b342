"""docker-compose.yml without Docker: every service's own command with its own environment, as processes here.

    python -m examples.composed          until Ctrl-C, with the secrets of .env, everything below .composed

The file is read as Compose reads it. What a container has of its own is stood in for: a service's name by a loopback
address, its volumes and folders by folders, its image by the environment that the Dockerfile's own commands make and
by Debian's packages postgresql, redis-server and those of scripts/s3_gateway.py.
"""

import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil
import yaml

from examples.airflow_api import AirflowApi
from examples.airflow_processes import PROJECT, end

FILE, IMAGE = PROJECT / "docker-compose.yml", PROJECT / "Dockerfile"
WORKDIR = "/opt/monitor"
PATIENCE = 300.0
"""Seconds until a service must be healthy, or over."""
PROGRAMS = {"postgres": "postgresql", "pg_isready": "postgresql-client", "redis-server": "redis-server"}
DEBIANS = ":".join(str(folder) for folder in Path("/usr/lib/postgresql").glob("*/bin"))
_NAMED = re.compile(r"\$(?:(\$)|\{(\w+)(?:(:?[-?])([^}]*))?\}|(\w+))")


def missing() -> list[str]:
    """Debian's packages that this machine lacks; the S3 server says itself what it lacks."""
    found = os.pathsep.join([os.environ["PATH"], DEBIANS])
    return [package for program, package in PROGRAMS.items() if not shutil.which(program, path=found)]


def interpolated(value: Any, variables: Mapping[str, str]) -> Any:
    """A value of the file with its variables filled in, as Compose does it.

    Raises:
        ValueError: a variable that has to be set is not.
    """
    if isinstance(value, dict):
        return {key: interpolated(inner, variables) for key, inner in value.items()}
    if isinstance(value, list):
        return [interpolated(inner, variables) for inner in value]
    return _NAMED.sub(lambda found: _filled(found, variables), value) if isinstance(value, str) else value


def _filled(found: re.Match[str], variables: Mapping[str, str]) -> str:
    dollar, name, sign, words, plain = found.groups()
    if dollar:
        return "$"
    known = variables.get(name or plain)
    if known or (known is not None and not (sign or "").startswith(":")):
        return known
    if sign and sign.endswith("?"):
        raise ValueError(f"required variable {name} {words}")
    return str(words) if sign else ""


def services(variables: Mapping[str, str], file: Path = FILE) -> dict[str, dict[str, Any]]:
    """The services of the file by name."""
    found: dict[str, dict[str, Any]] = interpolated(yaml.safe_load(file.read_text()), variables)["services"]
    return found


def read_env(text: str) -> dict[str, str]:
    """The variables of a file such as .env."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def dags_folder(folder: Path) -> Path:
    """A folder of the project's DAG files without endpoints, to be mounted in the place of the project's own."""
    (folder / "dags" / "endpoints").mkdir(parents=True)
    for path in (PROJECT / "dags").glob("*.py"):
        shutil.copy(path, folder / "dags")
    return folder / "dags"


class Composed:
    """The services as processes; all of them end with the block."""

    def __init__(self, folder: Path, variables: Mapping[str, str], mounts: Mapping[str, Path] | None = None) -> None:
        """Everything lies below `folder`; `mounts` puts folders in the place of those that the file binds."""
        self.folder = folder
        self.services = services(variables)
        self.mounts = {"./dags": PROJECT / "dags", **(mounts or {})}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        net = f"127.{random.randint(64, 250)}.{random.randint(1, 250)}"  # so that the ports can be the file's own
        self.addresses = {name: f"{net}.{number}" for number, name in enumerate(self.services, 1)}
        login = {"username": variables.get("ADMIN_USER", "admin"), "password": variables["ADMIN_PASSWORD"]}
        self.api = AirflowApi(f"http://{self.addresses['api-server']}:8080", login)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o755)  # the database's own user comes through here

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.api.close()
        self.stop(*self.processes)

    def build(self) -> None:
        """Makes the image's environment by the commands of the Dockerfile."""
        commands = re.findall(r"^RUN (uv sync .*)$", IMAGE.read_text(), re.MULTILINE)
        for command in commands:
            environment = {**os.environ, "UV_PROJECT_ENVIRONMENT": str(self.folder / "venv")}
            environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
            anew = [
                "--reinstall-package",
                "monitor-tasks",
            ]  # where uv has built it before, it looks no more at the sources
            subprocess.run([*command.split(), *anew, "--quiet"], cwd=PROJECT, env=environment, check=True)

    def up(self, *names: str) -> None:
        """Starts services and what they depend on, each when those before it are healthy, or over; and waits for them.

        Raises:
            RuntimeError: one ended, or it took too long.
        """
        wanted = names or tuple(self.services)
        for name in wanted:
            self.start(name)
        for name in wanted:
            self._wait(name, "healthy" if "healthcheck" in self.services[name] else "completed")

    def start(self, name: str) -> None:
        """Starts one service as soon as what it depends on is as the file wants it."""
        if name in self.processes:
            return
        for needed, how in self.services[name].get("depends_on", {}).items():
            self.start(needed)
            self._wait(needed, how["condition"])
        command = self._command(name)
        with self.log(name).open("ab") as log:
            self.processes[name] = subprocess.Popen(
                command, env=self.environment(name), cwd=PROJECT, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def revive(self) -> list[str]:
        """Starts again what has ended by itself, where its restart policy wants that; the names."""
        ended = [name for name, process in self.processes.items() if process.poll() is not None]
        again = [name for name in ended if self.services[name]["restart"] != "no"]
        self.stop(*again)
        for name in again:
            self.start(name)
        return again

    def stop(self, *names: str) -> None:
        """Ends services and all that they started, whichever group that is in."""
        ending = [self.processes.pop(name) for name in names]
        started = [child for process in ending for child in _family(process.pid)]
        end(ending)
        for child in started:
            with suppress(psutil.NoSuchProcess):
                child.kill()

    def log(self, name: str) -> Path:
        """Where a service's words are."""
        (self.folder / "logs").mkdir(exist_ok=True)
        return self.folder / "logs" / f"{name}.log"

    def is_healthy(self, name: str) -> bool:
        """Whether the service's own health check says so."""
        kind, *test = self.services[name]["healthcheck"]["test"]
        words = ["sh", "-c", *test] if kind == "CMD-SHELL" else test
        command = [self._here(name, word) for word in words]
        done = subprocess.run(command, env=self.environment(name), cwd=PROJECT, capture_output=True, check=False)
        return done.returncode == 0

    def environment(self, name: str) -> dict[str, str]:
        """The environment of a service: the file's, and what every container has."""
        said = self.services[name].get("environment", {})
        home = self.folder / "containers" / name
        home.mkdir(parents=True, exist_ok=True)
        return {
            "PATH": os.pathsep.join([str(self.folder / "venv/bin"), DEBIANS, os.environ["PATH"]]),
            "HOME": str(home),
            "HOSTNAME": socket.gethostname(),
            "LANG": "C.UTF-8",
            **{key: self._here(name, str(value)) for key, value in said.items()},
        }

    def run(self, name: str, *command: str) -> str:
        """The output of one command in a service's environment, as by ``docker compose exec``."""
        done = subprocess.run(
            command, env=self.environment(name), cwd=PROJECT, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{command} failed in {name}:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
        return done.stdout

    def credentials(self) -> dict[str, str]:
        """What opens the S3 server: the worker's own connection, as plain values."""
        known = json.loads(self.environment("worker")["AIRFLOW_CONN_MONITOR_S3"])
        return {
            "aws_access_key_id": known["login"],
            "aws_secret_access_key": known["password"],
            "aws_region": known["extra"]["region_name"],
            "aws_endpoint": known["extra"]["endpoint_url"],
        }

    def busy(self) -> float:
        """The seconds of the processors that the services took, with all that they started and saw end."""
        times = [one.cpu_times() for process in self.processes.values() for one in _family(process.pid)]
        return float(sum(one.user + one.system + one.children_user + one.children_system for one in times))

    def memory(self) -> dict[str, int]:
        """The bytes that each service's processes hold; what they share counts once."""
        return {name: sum(_held(one) for one in _family(process.pid)) for name, process in list(self.processes.items())}

    def _wait(self, name: str, condition: str) -> None:
        deadline, process = time.monotonic() + PATIENCE, self.processes[name]
        while time.monotonic() < deadline:
            code = process.poll()
            if "completed" in condition and code == 0:
                return
            if code is not None and self.services[name]["restart"] == "no":
                raise RuntimeError(f"{name} ended with {code}:\n{self.log(name).read_text()[-4000:]}")
            if "healthy" in condition and self.is_healthy(name):
                return
            self.revive()
            process = self.processes[name]
            time.sleep(0.5)
        raise RuntimeError(f"{name} is not {condition} after {PATIENCE:.0f} s; its log is {self.log(name)}")

    def _command(self, name: str) -> list[str]:
        """The service's command, as its image would start it."""
        command = [self._here(name, word) for word in self.services[name]["command"]]
        return [*self._database(name), *command[1:]] if command[0] == "postgres" else command

    def _database(self, name: str) -> list[str]:
        """PostgreSQL as its image starts it: made at the first start, and never as root."""
        known = self.environment(name)
        data, sockets = Path(known["PGDATA"]), self.folder / "containers" / name
        user = [] if os.getuid() else ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"]
        if not data.exists():
            data.mkdir(parents=True)
            secret = sockets / "secret"
            secret.write_text(known["POSTGRES_PASSWORD"])
            if user:
                for path in (data, sockets, secret):
                    shutil.chown(path, "postgres", "postgres")
            how = ["--auth-local=trust", "--auth-host=scram-sha-256", "--encoding=UTF8", "--no-sync"]
            made = ["initdb", f"--pgdata={data}", f"--username={known['POSTGRES_USER']}", f"--pwfile={secret}", *how]
            subprocess.run([*user, *made], env=known, check=True, capture_output=True)
            single = [*user, "postgres", "--single", "-D", str(data), "postgres"]
            create = f"CREATE DATABASE {known['POSTGRES_DB']}\n"
            subprocess.run(single, env=known, check=True, capture_output=True, text=True, input=create)
            secret.unlink()
        return [*user, "postgres", "-D", str(data), "-k", str(sockets)]

    def _here(self, name: str, text: str) -> str:
        """What stands for a container's addresses and folders on this machine."""
        for other, address in self.addresses.items():
            text = re.sub(rf"(?<![\w./-]){other}(?=:\d)|(?<=//){other}(?=:\d)", address, text)
        own = self.addresses[name]
        text = re.sub(r"(?<=//)localhost(?=:\d)|(?<=host=)localhost\b|(?<=-h )localhost\b|\b0\.0\.0\.0\b", own, text)
        for inside, outside in self._folders(name):
            text = re.sub(rf"(?<![\w/.-]){re.escape(inside)}(?=[/:\"'\s]|$)", str(outside), text)
        return text

    def _folders(self, name: str) -> Iterator[tuple[str, Path]]:
        """A container's folders and those that stand for them, the deepest first."""
        found = {WORKDIR: PROJECT, "/var/lib": self.folder / "containers" / name / "var/lib"}
        for volume in self.services[name].get("volumes", []):
            source, target = volume.split(":")[:2]
            found[target] = self.mounts[source] if source.startswith(".") else self.folder / "volumes" / source
            found[target].mkdir(parents=True, exist_ok=True)
        return iter(sorted(found.items(), key=lambda pair: -len(pair[0])))


def _family(pid: int) -> list[psutil.Process]:
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _held(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return 0


def main() -> None:
    """All services with the secrets of .env, until Ctrl-C."""
    if missing():
        sys.exit("not installed: " + ", ".join(missing()))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with Composed(PROJECT / ".composed", {**read_env((PROJECT / ".env").read_text()), **os.environ}) as composed:
        composed.build()
        composed.up()
        print(f"Airflow is at {composed.api.url}; user and password are in .env; Ctrl-C ends it.")
        with suppress(KeyboardInterrupt):
            signal.pause()


if __name__ == "__main__":
    main()
