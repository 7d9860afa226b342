"""The writing side: a model server's calls become capture files in SageMaker's layout, at any address."""

from monitor_tasks.capture.asgi import CaptureMiddleware
from monitor_tasks.capture.record import Call, Payload
from monitor_tasks.capture.settings import DataCaptureConfig
from monitor_tasks.capture.writer import CaptureWriter, Counts

__all__ = ["Call", "CaptureMiddleware", "CaptureWriter", "Counts", "DataCaptureConfig", "Payload"]
