"""Predict functions such as a user may have; a process of its own loads little for them."""

import time
from typing import Any


def weigh(frame: Any) -> Any:
    """Income counts, age a little."""
    return (frame["income"] * 2 + frame["age"]).to_numpy()


def turn(frame: Any) -> Any:
    """Tenure is nearly all."""
    return (frame["tenure"] * 3 + frame["income"] * 0.01).to_numpy()


def chance(frame: Any) -> Any:
    """A chance that grows with income."""
    return (frame["income"].clip(0, 100) / 100).to_numpy()


def dawdle(frame: Any) -> Any:
    """Takes forever."""
    time.sleep(60)
    return weigh(frame)
