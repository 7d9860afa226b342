"""A predict function of your own: ``python://module:function``, called with a data frame of the features."""

import re
from collections.abc import Callable
from importlib import import_module
from typing import Any

from monitor_tasks.value import UserError

PYTHON = "python://"
_PATH = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


def function_at(address: str) -> Callable[[Any], Any]:
    """The function at ``python://module:function``; its module is imported, so it is code that you trust.

    Raises:
        UserError: there is no such function.
    """
    path = address.removeprefix(PYTHON)
    if not _PATH.fullmatch(path):
        raise UserError(f"{address}: is no function; write it as python://package.module:function")
    module, _, name = path.partition(":")
    try:
        function = getattr(import_module(module), name)
    except Exception as error:  # whatever the module does when it is imported
        raise UserError(
            f"{address}: cannot be imported: {type(error).__name__}: {error}; put its package on PYTHONPATH"
        ) from error
    if not callable(function):
        raise UserError(f"{address}: is no function but a {type(function).__name__}; name a function of a data frame")
    return function  # type: ignore[no-any-return]
