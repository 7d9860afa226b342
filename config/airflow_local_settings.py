"""Two options for Airflow, each by a variable of the environment; put this folder on PYTHONPATH.

MONITOR_TASKS_PRELOAD=1: where tasks are forked from, the LocalExecutor's scheduler or Celery's worker, imports the
heavy libraries once, and every task has them. It imports and never calls: a library that has been used in the parent
can hang in the forked child. What models are asked by is imported once as well, in a process apart that knows no
secret.

MONITOR_TASKS_BACKFILL_POOL=name: the tasks of our backfills wait in that pool, which has to be there, and behind the
others. With fewer slots than there are workers, a backfill can never hold up the present hour.
"""

import os
import sys
from importlib import import_module
from typing import Any

HEAVY = (
    "duckdb",
    "great_expectations",
    "pandas",
    "pyarrow.csv",
    "pyarrow.parquet",
    "scipy.stats",
    "sklearn.ensemble",
)
OURS = (
    "monitor_tasks.monitors.expectations",
    "monitor_tasks.judging",
    "monitor_tasks.on_tables",
    "monitor_tasks.retraining",
)

MODELS = ("monitor_tasks.explaining", "pandas", "shap", "skops.io", "sklearn.cluster", "sklearn.ensemble")
BACKFILL_POOL = os.environ.get("MONITOR_TASKS_BACKFILL_POOL")


def forks_tasks(arguments: list[str]) -> bool:
    """Whether this command of Airflow is one that tasks are forked from."""
    executor = os.environ.get("AIRFLOW__CORE__EXECUTOR", "LocalExecutor")
    return arguments[1:3] == ["celery", "worker"] or ("scheduler" in arguments and executor == "LocalExecutor")


if os.environ.get("MONITOR_TASKS_PRELOAD") == "1" and forks_tasks(sys.argv):
    import_module("monitor_tasks.io.limited").prepare(MODELS)
    for name in (*HEAVY, *OURS):
        import_module(name)

if BACKFILL_POOL:

    def task_instance_mutation_hook(task_instance: Any) -> None:
        """Lets the tasks of our backfills wait in their own pool, behind every other task."""
        ours = task_instance.dag_id.startswith(("monitor__", "labels__"))
        if ours and (task_instance.run_id or "").startswith("backfill__"):
            task_instance.pool, task_instance.priority_weight = BACKFILL_POOL, 0
