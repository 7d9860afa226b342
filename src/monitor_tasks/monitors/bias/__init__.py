"""Bias: every group's outcomes against those of all other rows, before and after the model (Clarify's metrics)."""

from monitor_tasks.monitors.bias.monitor import NO_GROUP, Bias

__all__ = ["NO_GROUP", "Bias"]
