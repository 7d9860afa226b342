"""Clarify's own library: every bias metric of tables of rows, as it would write them into analysis.json.

Run as ``python -m benchmarks.peers.smclarify FILE``: the file holds tables as JSON, each with its columns and what a
bias configuration says of them. The last line printed is a list of metrics by group for each table.
"""

import json
import sys
from pathlib import Path
from typing import Any


def analysed(table: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Every metric's value by group; what has an error is None, what is infinite a text."""
    import pandas as pd
    from smclarify.bias.report import FacetColumn, LabelColumn, StageType, bias_report

    rows = pd.DataFrame(table["columns"])
    label, predicted = (LabelColumn(name, rows[name], table["positive"]) for name in ("y", "p"))
    found: dict[str, dict[str, Any]] = {}
    for stage in (StageType.PRE_TRAINING, StageType.POST_TRAINING):
        facet = FacetColumn(table["facet"], table["values"])
        for group in bias_report(rows, facet, label, stage, predicted, group_variable=rows["group"]):
            metrics = {one["name"]: one["value"] for one in group["metrics"]}
            found.setdefault(group["value_or_threshold"], {}).update(metrics)
    return found


if __name__ == "__main__":
    import logging

    logging.disable(logging.CRITICAL)
    tables = json.loads(Path(sys.argv[1]).read_text())
    print(json.dumps([analysed(table) for table in tables]))
