"""Opt-in for the LocalExecutor: the scheduler imports the heavy libraries once, and every forked task has them.

Set MONITOR_TASKS_PRELOAD=1 and put this folder on PYTHONPATH. It imports and never calls: a library that has been
used in the parent can hang in the forked child. What models are asked by is imported once as well, in a process
apart that knows no secret.
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
    "sklearn.ensemble",
)
OURS = (
    "monitor_tasks.monitors.expectations",
    "monitor_tasks.judging",
    "monitor_tasks.on_tables",
    "monitor_tasks.retraining",
)

MODELS = ("monitor_tasks.explaining", "pandas", "shap", "skops.io", "sklearn.cluster", "sklearn.ensemble")

if os.environ.get("MONITOR_TASKS_PRELOAD") == "1" and "scheduler" in sys.argv:
    import_module("monitor_tasks.io.limited").prepare(MODELS)
    for name in (*HEAVY, *OURS):
        import_module(name)
