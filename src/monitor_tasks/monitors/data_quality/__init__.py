"""Data quality: column set, types, completeness, domains, formats and drift of every column against the baseline.

    reference --rules--> constraints          window --measures--> metrics          (judged in report.py)

A new check is a rule in `rules.py`, a measure in `measures.py`, and a line in the table of each.
"""

from monitor_tasks.monitors.data_quality.columns import align, column_names
from monitor_tasks.monitors.data_quality.monitor import DataQuality
from monitor_tasks.monitors.data_quality.rules import THRESHOLDS

__all__ = ["THRESHOLDS", "DataQuality", "align", "column_names"]
