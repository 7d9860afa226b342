"""Any model explained by coalitions: some cells are the row's, the others the background's, many rows a call."""

from itertools import combinations
from math import comb
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor_tasks.tables.answers import AT_ONCE, Answers
from monitor_tasks.tables.explainers.background import Background
from monitor_tasks.tables.explainers.explanation import Explanation, residual
from monitor_tasks.tables.model_inputs import Floats
from monitor_tasks.value import UserError

Masks = NDArray[np.bool_]
NEAREST = 1e-15
"""No probability is nearer than this to 0 or 1 when it becomes log-odds."""


class Game:
    """Rows and a background as a cooperative game: a coalition of features is worth what the model then answers."""

    def __init__(self, answers: Answers, frame: Any, background: Background, use_logit: bool = False) -> None:
        """The game of a model's answers; with `use_logit`, on their log-odds."""
        self.answers, self.frame, self.background, self.use_logit = answers, frame, background, use_logit
        self._cells = [(frame[name].to_numpy(), background.frame[name].to_numpy()) for name in frame.columns]
        self.nothing = self.on_scale(background.weights @ answers(background.frame))

    def worth(self, masks: Masks, rows: slice) -> Floats:
        """What coalitions are worth, of shape (rows, coalitions, labels); masks are of (rows, coalitions, features)."""
        import pandas as pd

        cells = {
            name: np.where(masks[:, :, place, np.newaxis], mine[rows, np.newaxis, np.newaxis], theirs).ravel()
            for place, (name, (mine, theirs)) in enumerate(zip(self.frame.columns, self._cells, strict=True))
        }
        found = self.answers(pd.DataFrame(cells, copy=False))
        shaped = found.reshape(*masks.shape[:2], len(self.background.weights), -1)
        return self.on_scale(np.einsum("rcbl,b->rcl", shaped, self.background.weights))

    def on_scale(self, answers: Floats) -> Floats:
        """Answers as they are explained.

        Raises:
            UserError: log-odds were asked for, and they are no probabilities.
        """
        if not self.use_logit:
            return answers
        if answers.size and not (answers.min() >= 0 and answers.max() <= 1):
            raise UserError("use_logit explains probabilities, and the model answers numbers outside of 0 and 1")
        within = np.clip(answers, NEAREST, 1 - NEAREST)
        return np.log(within) - np.log1p(-within)

    def rows_at_once(self, coalitions: int) -> int:
        """How many rows are explained by one call of the model."""
        return max(1, AT_ONCE // max(1, coalitions * len(self.background.weights)))

    def explanation(self, values: Floats, whole: Floats, explainer: str, coalitions: int) -> Explanation:
        """What was found, with its cost."""
        return Explanation(
            values + 0.0, self.nothing, explainer, "log-odds" if self.use_logit else "answer",
            coalitions * len(self.background.weights), residual(values, self.nothing, whole),
        )  # fmt: skip


def by_permutations(game: Game, scored: Floats, num_samples: int | None, seed: int) -> Explanation:
    """Values by orders of the features, each row's own, forward and backward; `scored` is what the rows answer.

    One such pair is exact where at most two features act together; the mean over rows evens out the rest. Values add up
    to the answer whatever was drawn. More than one pair follows from `num_samples`, the coalitions a row.

    Source: Mitchell et al., Sampling permutations for Shapley value estimation, 2022 (antithetic pairs).
    """
    rows, features = game.frame.shape
    whole, once = game.on_scale(scored), 2 * (features - 1)
    pairs = max(1, (num_samples or 0) // max(1, once))
    generator = np.random.default_rng(seed)
    values = np.zeros((rows, features, whole.shape[1]))
    for _ in range(pairs):
        orders = generator.permuted(np.tile(np.arange(features), (rows, 1)), axis=1)
        step = game.rows_at_once(once)
        for start in range(0, rows, step):
            part = slice(start, min(start + step, rows))
            values[part] += _by_orders(game, orders[part], part, whole[part])
    return game.explanation(values / pairs, whole, "permutation", pairs * once)


def _by_orders(game: Game, orders: NDArray[np.int64], part: slice, whole: Floats) -> Floats:
    """Values of some rows by an order each, joined forward and backward."""
    rows, features = orders.shape
    places = np.argsort(orders, axis=1)[:, np.newaxis, :]
    sizes = np.arange(1, features)[np.newaxis, :, np.newaxis]
    forward = places < sizes
    masks = np.concatenate([forward, places >= features - sizes], axis=1)
    found = game.worth(masks, part) if features > 1 else np.zeros((rows, 0, whole.shape[1]))
    values = np.zeros((rows, features, whole.shape[1]))
    for side, joined in enumerate((orders, orders[:, ::-1])):
        middle = found[:, side * (features - 1) : (side + 1) * (features - 1)]
        first = np.broadcast_to(game.nothing, (rows, 1, whole.shape[1]))
        steps = np.diff(np.concatenate([first, middle, whole[:, np.newaxis]], axis=1), axis=1)
        np.put_along_axis(
            values, joined[:, :, np.newaxis], np.take_along_axis(values, joined[:, :, np.newaxis], 1) + steps / 2, 1
        )
    return values


def by_kernel(game: Game, scored: Floats, num_samples: int | None, seed: int) -> Explanation:
    """Kernel SHAP: values by weighted least squares over coalitions, the same ones for all rows.

    All coalitions where they are no more than `num_samples` (by default 2048 and two a feature), which is exact; else
    pairs of a drawn one and its complement. Values add up to the answer.

    Source: Lundberg and Lee, A unified approach to interpreting model predictions, 2017; the solution and the pairs are
    those of Covert and Lee, Improving KernelSHAP, 2021.
    """
    rows, features = game.frame.shape
    whole = game.on_scale(scored)
    masks, weights = coalitions(features, num_samples or 2 * features + 2048, seed)
    sides = masks.astype(np.float64)
    normal = (sides * weights[:, np.newaxis]).T @ sides
    if features > 1 and np.linalg.matrix_rank(normal) < features:
        raise UserError(f"num_samples: too few coalitions for {features} features; give at least {4 * features}")
    inverse = np.linalg.inv(normal) if features > 1 else np.ones((1, 1))
    values = np.zeros((rows, features, whole.shape[1]))
    step = game.rows_at_once(len(masks))
    for start in range(0, rows, step):
        part = slice(start, min(start + step, rows))
        count = part.stop - start
        tried = np.broadcast_to(masks, (count, *masks.shape))
        found = game.worth(tried, part) if features > 1 else np.zeros((count, 0, whole.shape[1]))
        right = np.einsum("cf,rcl->rfl", sides * weights[:, np.newaxis], found - game.nothing)
        free = np.einsum("fg,rgl->rfl", inverse, right)
        missing = whole[part] - game.nothing - free.sum(axis=1)
        shares = inverse.sum(axis=1) / inverse.sum()
        values[part] = free + shares[np.newaxis, :, np.newaxis] * missing[:, np.newaxis]
    return game.explanation(values, whole, "kernel", len(masks))


def coalitions(features: int, most: int, seed: int) -> tuple[Masks, Floats]:
    """Coalitions of the features with their weights in Kernel SHAP, without the empty and the whole one.

    >>> masks, weights = coalitions(3, 100, seed=0)
    >>> masks.shape, round(float(weights.sum()), 9)
    ((6, 3), 1.0)
    """
    if 2**features - 2 <= most:
        sets = [chosen for size in range(1, features) for chosen in combinations(range(features), size)]
        masks = np.zeros((len(sets), features), np.bool_)
        for place, chosen in enumerate(sets):
            masks[place, list(chosen)] = True
        weights = np.array([1 / (comb(features, len(one)) * len(one) * (features - len(one))) for one in sets])
        return masks, weights / weights.sum()
    sizes = np.arange(1, features)
    chances = 1 / (sizes * (features - sizes))
    generator = np.random.default_rng(seed)
    drawn = generator.choice(sizes, size=most // 2, p=chances / chances.sum())
    ranks = generator.permuted(np.tile(np.arange(features), (len(drawn), 1)), axis=1)
    half = ranks < drawn[:, np.newaxis]
    masks, counts = np.unique(np.concatenate([half, ~half]), axis=0, return_counts=True)
    return masks, counts / counts.sum()
