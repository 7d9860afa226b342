"""Clarify's analysis.json of bias as the metrics that it shows."""

from typing import Any

from monitor_tasks.baseline import Metric

KEPT = {"AD": 0.0796266233766234, "DI": 0.08311688311688312, "DPPL": 0.2005681818181818}
"""Values of Clarify's run on Adult that it did not publish, as it kept them; DI moved away from 1, but not from 0."""


def statistics(analysis: dict[str, Any]) -> list[Metric]:
    """The metrics that an analysis.json shows, as the bias monitor would give them."""
    return [
        Metric(
            name=one["name"], subject=f"{facet}={group['value_or_threshold']}", n=100,
            value=None if one["value"] is None else float(one["value"]), because=one.get("error", ""),
            details={
                "stage": stage, "description": one["description"], "facet": facet,
                "facet_value": group["value_or_threshold"], "label": part["label"],
                "label_value": part["label_value_or_threshold"],
            },
        )
        for stage in ("pre_training", "post_training")
        for part in [analysis[f"{stage}_bias_metrics"]]
        for facet, groups in part["facets"].items()
        for group in groups
        for one in reversed(group["metrics"])
    ]  # fmt: skip
