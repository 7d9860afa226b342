"""Opt-in for the LocalExecutor: the scheduler imports the heavy libraries once, and every forked task has them.

Set MONITOR_TASKS_PRELOAD=1 and put this folder on PYTHONPATH. It imports and never calls: a library that has been
used in the parent can hang in the forked child.
"""

import os
import sys

if os.environ.get("MONITOR_TASKS_PRELOAD") == "1" and "scheduler" in sys.argv:
    import great_expectations  # noqa: F401
    import pandas  # noqa: F401
    import pyarrow.csv
    import pyarrow.parquet
    import scipy.stats
    import sklearn.ensemble  # noqa: F401

    import monitor_tasks.monitors.expectations
    import monitor_tasks.on_tables  # noqa: F401
