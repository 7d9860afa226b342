"""Trainings such as a user may have, and the models that they make of a small endpoint."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd


def better(evidence: Mapping[str, Any]) -> str:
    """Has seen that small amounts default in region a now; an address is enough."""
    rows = pd.concat([pd.read_parquet(one["address"]) for one in evidence["windows"]])
    small = rows[(rows["amount"].astype(float) < 50) & (rows["region"] == "a")]
    assert (small["label"] == "1").mean() > 0.9
    return "python://tests.trained:small_ones_default_in_a"


def same(_: Mapping[str, Any]) -> dict[str, Any]:
    """Has learned nothing."""
    return {"address": "python://tests.trained:large_ones_default", "version": "2"}


def worst(_: Mapping[str, Any]) -> dict[str, Any]:
    """Has learned the contrary of what is right."""
    return {"address": "python://tests.trained:the_contrary", "version": "2"}


def broken(_: Mapping[str, Any]) -> str:
    """Has no memory left."""
    raise RuntimeError("no memory for\nthe new model")


def unreadable(evidence: Mapping[str, Any]) -> str:
    """Leaves a file that is no model."""
    Path(evidence["output"], "model.skops").write_bytes(b"no model")
    return f"{evidence['output']}/model.skops"


def missing(evidence: Mapping[str, Any]) -> str:
    """Names a file that it never wrote."""
    return f"{evidence['output']}/nothing.skops"


def of_nothing(_: Mapping[str, Any]) -> dict[str, Any]:
    """Used no window that it was given."""
    return {"address": "python://tests.trained:small_ones_default_in_a", "windows": []}


def small_ones_default_in_a(frame: Any) -> Any:
    return _sure((frame["amount"] >= 50) ^ (frame["region"] == "a"))


def large_ones_default(frame: Any) -> Any:
    return _sure(frame["amount"] >= 50)


def the_contrary(frame: Any) -> Any:
    return 1 - small_ones_default_in_a(frame)


def _sure(defaults: Any) -> Any:
    return defaults.to_numpy() * 0.8 + 0.1
