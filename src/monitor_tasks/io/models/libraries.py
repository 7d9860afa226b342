"""Libraries that not everybody needs: imported where a model asks for them, with one clear word where they lack."""

from importlib import import_module
from typing import Any


class NotInstalled(Exception):
    """A library that the model needs is not there; the message says how to install it."""


def library(module: str, package: str) -> Any:
    """The module of an optional library.

    Raises:
        NotInstalled: it is not there.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise NotInstalled(f"{package} is not installed; install it with: pip install {package}") from error
