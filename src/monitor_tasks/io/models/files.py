"""Model files: fetched by their pinned hash, read by their ending; a pickle only where somebody asked for it."""

import hashlib
import io
from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple

from monitor_tasks.io.models.boosters import read_lightgbm, read_xgboost
from monitor_tasks.io.models.graphs import read_onnx
from monitor_tasks.io.models.libraries import NotInstalled, library
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


class ModelFile(NamedTuple):
    """The bytes of a model file that was pinned; nothing of them has been read yet."""

    address: str
    content: bytes


def is_file(address: str) -> bool:
    """Whether the address names a model file, by its ending.

    >>> is_file("s3://bucket/model.ubj"), is_file("https://host/invocations")
    (True, False)
    """
    return _ending(address) in READERS


def fetch(address: str, sha256: str, credentials: Credentials | None = None, allow_pickle: bool = False) -> ModelFile:
    """The model file at `address`, if it is the pinned one and of a kind that may be loaded; it is not loaded here.

    Raises:
        Missing, Refused, Unreachable: the file cannot be had.
        UserError: another file lies there, or its kind is not allowed.
    """
    if not is_file(address):
        raise UserError(
            f"{address}: unknown kind of model file; expected {', '.join(READERS)}; or name python://module:function, "
            "sagemaker://endpoint, or the URL of a live endpoint"
        )
    if address.endswith(PICKLES) and not allow_pickle:
        raise UserError(
            f"{address}: a pickle runs whatever code it holds when it is loaded; "
            "save the model with skops, or set allow_pickle: true if you trust whoever wrote it"
        )
    store, key = open_object(address, credentials)
    content = store.get(key)
    found = hashlib.sha256(content).hexdigest()
    if found != sha256.lower():
        raise UserError(
            f"{address}: the file's sha256 is {found}, pinned is {sha256}; "
            "restore the pinned file, or pin the new hash if you trust the new model"
        )
    return ModelFile(address, content)


def read_model(file: ModelFile) -> Any:
    """The model in a file that ``fetch`` has proven.

    Raises:
        UserError: it holds no model, holds code, or its library is not installed.
    """
    try:
        return READERS[_ending(file.address)](file.content)
    except NotInstalled as error:
        raise UserError(f"{file.address}: {error}") from error
    except _Untrusted as error:
        raise UserError(f"{file.address}: {error}") from error
    except Exception as error:  # whatever a library says of a damaged file
        said = str(error).strip().splitlines() or [""]
        raise UserError(
            f"{file.address}: not a readable model: {type(error).__name__}: {said[0]}; "
            "save it again with the versions of the libraries that are installed here"
        ) from error


def load_model(address: str, sha256: str, credentials: Credentials | None = None, allow_pickle: bool = False) -> Any:
    """The model in the file at `address`, loaded in this process; nothing runs before its hash is the pinned one.

    Raises:
        Missing, Refused, Unreachable: the file cannot be had.
        UserError: another file lies there, its kind is not allowed, or it holds no model.
    """
    return read_model(fetch(address, sha256, credentials, allow_pickle))


class _Untrusted(Exception):
    """The file names types that are no part of a model that we know."""


def _read_pickle(content: bytes) -> Any:
    return import_module("joblib").load(io.BytesIO(content))


def _read_skops(content: bytes) -> Any:
    skops = library("skops.io", "skops")
    unknown = [name for name in skops.get_untrusted_types(data=content) if name not in TREES]
    if unknown:
        raise _Untrusted(
            f"holds types that may run code: {', '.join(unknown)}; "
            "use scikit-learn's own, or save it as .joblib and set allow_pickle: true"
        )
    return skops.loads(content, trusted=TREES)


READERS: dict[str, Callable[[bytes], Any]] = {
    ".skops": _read_skops,
    ".ubj": read_xgboost,
    ".json": read_xgboost,
    ".txt": read_lightgbm,
    ".onnx": read_onnx,
    ".joblib": _read_pickle,
    ".pkl": _read_pickle,
}
"""How a model file is read, by its ending."""
_OF_SKLEARN = ("skops.io", "sklearn.cluster", "sklearn.ensemble", "shap")
_LIBRARIES = {".ubj": ("xgboost",), ".json": ("xgboost",), ".txt": ("lightgbm",), ".onnx": ("onnxruntime",)}


def libraries(address: str) -> tuple[str, ...]:
    """The modules that reading and explaining a model file takes.

    >>> libraries("s3://bucket/model.ubj")
    ('pandas', 'xgboost')
    """
    return "pandas", *_LIBRARIES.get(_ending(address), _OF_SKLEARN)


def _ending(address: str) -> str:
    name = address.rpartition("/")[2]
    return f".{name.rpartition('.')[2]}" if "." in name else ""
