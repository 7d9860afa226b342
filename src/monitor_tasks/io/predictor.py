"""A model's address to the model: only with its pinned hash, and a pickle only where somebody asked for it."""

import hashlib
import io
from collections.abc import Callable
from importlib import import_module
from typing import Any

from monitor_tasks.io.store import Credentials, open_object
from monitor_tasks.value import UserError

PICKLES = (".joblib", ".pkl")
"""Files that run code of their own when they are loaded."""
TREES = [
    "numpy.dtype",
    "sklearn.tree._tree.Tree",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
]
"""Compiled types of scikit-learn's trees, which skops does not trust by itself; they hold arrays and no code."""


def load_model(address: str, sha256: str, credentials: Credentials | None = None, allow_pickle: bool = False) -> Any:
    """The model in the file at `address`; nothing in the file runs before its hash is the pinned one.

    ``.skops`` holds no code. ``.joblib`` and ``.pkl`` may run any, so they need `allow_pickle` as well.

    Raises:
        Missing, Refused, Unreachable: the file cannot be had.
        UserError: another file lies there, its kind is not allowed, or it holds no model.
    """
    read = _reader(address, allow_pickle)
    store, key = open_object(address, credentials)
    content = store.get(key)
    found = hashlib.sha256(content).hexdigest()
    if found != sha256.lower():
        raise UserError(
            f"{address}: the file's sha256 is {found}, pinned is {sha256}; "
            "restore the pinned file, or pin the new hash if you trust the new model"
        )
    return read(content, address)


def _reader(address: str, allow_pickle: bool) -> Callable[[bytes, str], Any]:
    if address.endswith(".skops"):
        return _read_skops
    if not address.endswith(PICKLES):
        raise UserError(f"{address}: unknown kind of model file; expected .skops, or {' or '.join(PICKLES)}")
    if not allow_pickle:
        raise UserError(
            f"{address}: a pickle runs whatever code it holds when it is loaded; "
            "save the model with skops, or set allow_pickle: true if you trust whoever wrote it"
        )
    return _read_pickle


def _read_pickle(content: bytes, address: str) -> Any:
    import joblib

    try:
        return joblib.load(io.BytesIO(content))
    except Exception as error:
        raise _broken(address, error) from error


def _read_skops(content: bytes, address: str) -> Any:
    try:
        skops = import_module("skops.io")
    except ImportError as error:
        raise UserError(f"{address}: skops is not installed; install it with: pip install skops") from error
    try:
        unknown = [name for name in skops.get_untrusted_types(data=content) if name not in TREES]
        model = None if unknown else skops.loads(content, trusted=TREES)
    except Exception as error:
        raise _broken(address, error) from error
    if unknown:
        raise UserError(
            f"{address}: holds types that may run code: {', '.join(unknown)}; "
            "use scikit-learn's own, or save it as .joblib and set allow_pickle: true"
        )
    return model


def _broken(address: str, error: Exception) -> UserError:
    said = str(error).strip().splitlines() or [""]
    return UserError(
        f"{address}: not a readable model: {type(error).__name__}: {said[0]}; "
        "save it again with the versions of the libraries that are installed here"
    )
