"""What the scheduler preloads: its forks ask models in forks of a process that has imported all and knows no secret."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCHEDULER = """
import json, os, sys
sys.argv = ["airflow", "scheduler"]
import airflow_local_settings
from monitor_tasks.io.limited import in_a_process
for _ in range(2):
    if os.fork() == 0:
        print(in_a_process("tests.dags.test_preload:known", [b""], "the model").decode(), flush=True)
        os._exit(0)
    os.wait()
"""


def known(_: bytes) -> bytes:
    """What a limited work finds: the models' libraries, the process that it was forked from, and no secret."""
    keeper = os.getppid()
    server = int(Path(f"/proc/{keeper}/stat").read_text().rpartition(")")[2].split()[1])
    environment = Path(f"/proc/{server}/environ").read_bytes() + repr(dict(os.environ)).encode()
    libraries = [name for name in ("pandas", "shap", "skops.io", "sklearn.ensemble") if name in sys.modules]
    return json.dumps([libraries, server, b"AIRFLOW__CORE__FERNET_KEY" in environment]).encode()


@pytest.mark.long
def test_tasks_that_are_forked_from_the_scheduler_ask_models_without_importing_again() -> None:
    environment = os.environ | {
        "MONITOR_TASKS_PRELOAD": "1",
        "AIRFLOW__CORE__FERNET_KEY": "secret",
        "PYTHONPATH": os.pathsep.join([str(ROOT / "config"), str(ROOT), os.environ.get("PYTHONPATH", "")]),
    }
    done = subprocess.run(
        [sys.executable, "-c", SCHEDULER], env=environment, capture_output=True, text=True, check=True, timeout=300
    )
    first, second = (json.loads(line) for line in done.stdout.splitlines())
    assert first == second
    assert first[0] == ["pandas", "shap", "skops.io", "sklearn.ensemble"]
    assert first[2] is False
