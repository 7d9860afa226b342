"""What config/airflow_local_settings.py does for Airflow: backfills wait apart, and only forking processes preload."""

import importlib.util
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parents[2]


def loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("local_settings", ROOT / "config/airflow_local_settings.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("dag_id", "run_id", "waits"),
    [
        ("monitor__churn", "backfill__2026-01-01T00:00:00+00:00", True),
        ("labels__churn", "backfill__2026-01-01T00:00:00+00:00", True),
        ("monitor__churn", "scheduled__2026-01-01T00:00:00+00:00", False),
        ("monitor__churn", "manual__2026-01-01T00:00:00+00:00", False),
        ("somebody_elses", "backfill__2026-01-01T00:00:00+00:00", False),
        ("monitor__churn", None, False),
    ],
)
def test_only_our_backfills_wait_in_their_pool(
    dag_id: str, run_id: str | None, waits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MONITOR_TASKS_BACKFILL_POOL", "past")
    task = SimpleNamespace(dag_id=dag_id, run_id=run_id, pool="default_pool", priority_weight=5)
    loaded().task_instance_mutation_hook(task)
    assert (task.pool, task.priority_weight) == (("past", 0) if waits else ("default_pool", 5))


def test_without_a_pool_there_is_no_hook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MONITOR_TASKS_BACKFILL_POOL", raising=False)
    assert not hasattr(loaded(), "task_instance_mutation_hook")


@pytest.mark.parametrize(
    ("words", "executor", "forks"),
    [
        ("celery worker --skip-serve-logs", "CeleryExecutor", True),
        ("scheduler", "CeleryExecutor", False),
        ("scheduler", "LocalExecutor", True),
        ("scheduler", None, True),
        ("celery stop", "CeleryExecutor", False),
        ("api-server", "LocalExecutor", False),
    ],
)
def test_only_what_tasks_are_forked_from_preloads(
    words: str, executor: str | None, forks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AIRFLOW__CORE__EXECUTOR", raising=False)
    if executor:
        monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", executor)
    assert loaded().forks_tasks(["airflow", *words.split()]) is forks
