"""A model's address to the model: files by pinned hash, Python functions, live endpoints."""

from monitor_tasks.io.models.files import ModelFile, fetch, is_file, libraries, load_model, read_model
from monitor_tasks.io.models.functions import PYTHON, function_at
from monitor_tasks.io.models.live import LIVE, Requests, live_model

__all__ = [
    "LIVE", "PYTHON", "ModelFile", "Requests",
    "fetch", "function_at", "is_file", "libraries", "live_model", "load_model", "read_model",
]  # fmt: skip
