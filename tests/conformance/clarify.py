"""Random tables, every bias metric of them by Clarify's own library, and by our monitor from the same rows.

``python -m tests.conformance.clarify`` asks the library anew, in an environment of its own.
"""

import json
from functools import cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa

from benchmarks.environments import SMCLARIFY
from monitor_tasks.monitors.bias import Bias
from monitor_tasks.monitors.settings import BiasSettings
from tests.conformance.case import Pairs

ANSWERS = Path(__file__).with_name("clarify.json")
"""What smclarify 0.5 says of the tables."""
TABLES = 36


def tables() -> list[dict[str, Any]]:
    """Tables with facets of each kind: named values, a threshold, each value against the rest."""
    return [_table(Random(seed)) for seed in range(TABLES)]


def _table(chance: Random) -> dict[str, Any]:
    size = 100 + int(chance.random() * 100)
    kinds = 2 if chance.random() < 0.5 else 4
    lean = chance.random()

    def some(of: int) -> list[int]:
        return [int(chance.random() * of) for _ in range(size)]

    def measures() -> list[float]:
        return [round(chance.random(), 9) for _ in range(size)]

    sex, income, wealth = some(3), measures(), measures()
    y = [min(int(x * kinds), kinds - 1) if chance.random() < 0.7 else int(chance.random() * kinds) for x in income]
    p = [
        min(int((x + lean * (s == 1) / 2) * kinds), kinds - 1) if chance.random() < 0.7 else int(chance.random() * 2)
        for x, s in zip(wealth, sex, strict=True)
    ]
    facet, values = (("sex", [1]), ("sex", [0, 2]), ("age", [40]), ("sex", None))[int(chance.random() * 4)]
    columns = {"sex": sex, "age": [18 + x for x in some(60)], "group": some(3), "income": income, "wealth": wealth}
    positive = [1] if kinds == 2 or chance.random() < 0.5 else [1, 3]
    return {"columns": {**columns, "y": y, "p": p}, "facet": facet, "values": values, "positive": positive}


def asked() -> list[dict[str, dict[str, Any]]]:
    """What the library says of the tables now.

    Raises:
        NotMeasured: it cannot be installed or does not run.
    """
    with TemporaryDirectory() as folder:
        file = Path(folder) / "tables.json"
        file.write_text(json.dumps(tables()))
        found: list[dict[str, dict[str, Any]]] = json.loads(SMCLARIFY.said(file))
        return found


@cache
def ours() -> list[dict[tuple[str, str], float | None]]:
    """What our monitor says of the tables, by group and metric."""
    return [_by_monitor(table) for table in tables()]


def _by_monitor(table: dict[str, Any]) -> dict[tuple[str, str], float | None]:
    settings = BiasSettings.model_validate(
        {
            "label": "y", "predicted_label": "p", "label_values_or_threshold": table["positive"],
            "facets": [{"name": table["facet"], "value_or_threshold": table["values"] or []}],
            "group_variable": "group",
        }
    )  # fmt: skip
    monitor = Bias(settings)
    found = monitor.statistics(monitor.profile(pa.table(table["columns"])))
    return {(str(one.details["facet_value"]), one.name): one.value for one in found}


def pairs(name: str, answers: list[dict[str, dict[str, Any]]] | None = None) -> Pairs:
    """One metric of every group of every table by our monitor and by the library."""
    for mine, theirs in zip(ours(), answers or json.loads(ANSWERS.read_text()), strict=True):
        for group, metrics in theirs.items():
            if name in metrics:
                yield mine[group, name], None if metrics[name] is None else float(metrics[name])


if __name__ == "__main__":
    lines = ",\n".join(json.dumps(one) for one in asked())
    ANSWERS.write_text(f"[\n{lines}\n]\n")
