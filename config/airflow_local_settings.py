"""Opt-in for the LocalExecutor: the scheduler imports the heavy libraries once, and every forked task has them.

Set MONITOR_TASKS_PRELOAD=1 and put this folder on PYTHONPATH. It imports and never calls: a library that has been
used in the parent can hang in the forked child.
"""

import os
import sys
from importlib import import_module

HEAVY = (
    "duckdb",
    "great_expectations",
    "pandas",
    "pyarrow.csv",
    "pyarrow.parquet",
    "scipy.stats",
    "shap",
    "sklearn.ensemble",
)
OURS = (
    "monitor_tasks.monitors.expectations",
    "monitor_tasks.judging",
    "monitor_tasks.on_tables",
    "monitor_tasks.retraining",
)

if os.environ.get("MONITOR_TASKS_PRELOAD") == "1" and "scheduler" in sys.argv:
    for name in (*HEAVY, *OURS):
        import_module(name)
