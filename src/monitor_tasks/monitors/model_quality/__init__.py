"""Model quality: predictions against the labels that have arrived, for each of SageMaker's problem types."""

from monitor_tasks.monitors.model_quality.monitor import PROBLEMS, ModelQuality

__all__ = ["PROBLEMS", "ModelQuality"]
