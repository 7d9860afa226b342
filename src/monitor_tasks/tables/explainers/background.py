"""What is known of no row in particular: the background that values are relative to."""

import json
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from monitor_tasks.tables.model_inputs import Floats, number
from monitor_tasks.value import UserError

CATEGORIES = 50
"""So many of a column's texts tell rows apart when they are summarised."""


class Background(NamedTuple):
    """Rows that stand for what is not known, each with its weight; weights add up to 1."""

    frame: Any
    weights: Floats

    def to_json(self) -> str:
        """The rows as JSON: names, cells and weights."""
        rows = [[_plain(cell) for cell in row] for row in self.frame.itertuples(index=False)]
        return json.dumps({"names": list(self.frame.columns), "rows": rows, "weights": self.weights.tolist()})

    @classmethod
    def from_json(cls, text: str, like: Any) -> "Background":
        """The rows that ``to_json`` wrote, with cells of the same kinds as in the data frame `like`.

        Raises:
            UserError: they are rows of other columns, or none.
        """
        import pandas as pd

        known = json.loads(text)
        names = known["names"] or list(like.columns)
        if sorted(names) != sorted(like.columns) or any(len(row) != len(names) for row in known["rows"]):
            raise UserError(
                f"attribution's baseline has rows of {', '.join(names)}; "
                f"expected the features {', '.join(like.columns)}"
            )
        if not known["rows"]:
            raise UserError("attribution's baseline holds no rows; give at least one, or leave it out")
        columns = dict(zip(names, zip(*known["rows"], strict=True), strict=True))
        frame = pd.DataFrame({name: _column(columns[name], like[name].dtype == object) for name in like.columns})
        return cls(frame, np.array(known["weights"] or [1 / len(frame)] * len(frame), np.float64))


def summary(frame: Any, clusters: int, seed: int) -> Background:
    """The rows of a data frame as so many or fewer: the middle of each cluster of k-means, weighted by its rows.

    A number is the row's that lies nearest to the cluster's mean, a text the most frequent one; Clarify summarises so.

    Source: contract attribution.md, section 1; Lloyd, Least squares quantization in PCM, 1982.
    """
    import pandas as pd
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    points = np.column_stack([_encoded(frame[name].to_numpy()) for name in frame.columns])
    count = min(clusters, len(np.unique(points, axis=0)))
    with threadpool_limits(1):  # so few rows are no work to share, and sums come out the same on any number of cores
        found = KMeans(count, n_init=3, random_state=seed).fit_predict(points)
    order = np.argsort(-np.bincount(found, minlength=count), kind="stable")
    cells = {name: [_middle(frame[name].to_numpy()[found == cluster]) for cluster in order] for name in frame.columns}
    kinds = {name: _column(column, frame[name].dtype == object) for name, column in cells.items()}
    return Background(pd.DataFrame(kinds), np.bincount(found, minlength=count)[order] / len(found))


def _encoded(cells: NDArray[Any]) -> Floats:
    """A column as numbers of about the same spread: standardised, or one column a text."""
    if cells.dtype == object:
        known = [cell for cell in cells if isinstance(cell, str)]
        texts, counts = np.unique(np.array(known, str), return_counts=True)
        kept = texts[np.argsort(-counts, kind="stable")[:CATEGORIES]]
        return np.column_stack([cells == text for text in kept] or [np.zeros(len(cells))]).astype(np.float64)
    present = np.isfinite(cells)
    if not present.any():
        return np.zeros((len(cells), 1))
    spread = float(np.std(cells[present])) or 1.0
    centred = np.where(present, (cells - np.median(cells[present])) / spread, 0.0)
    return np.clip(centred, -10, 10)[:, np.newaxis]


def _middle(cells: NDArray[Any]) -> Any:
    """The cell that stands for a cluster's; missing where most are."""
    if cells.dtype == object:
        texts, counts = np.unique(np.array([str(cell) for cell in cells if isinstance(cell, str)]), return_counts=True)
        return str(texts[np.argmax(counts)]) if 2 * counts.sum() >= len(cells) and len(texts) else None
    present = cells[np.isfinite(cells)]
    if 2 * len(present) < len(cells):
        return None
    return float(present[np.argmin(np.abs(present - np.mean(present)))])


def _plain(cell: Any) -> float | str | None:
    return cell if isinstance(cell, str) else None if cell != cell else float(cell)  # noqa: PLR0124 - NaN


def _column(cells: Any, is_text: bool) -> NDArray[Any]:
    numbers = [number(cell) if isinstance(cell, str) else np.nan if cell is None else float(cell) for cell in cells]
    strange = any(isinstance(cell, str) and np.isnan(one) for cell, one in zip(cells, numbers, strict=True))
    if not is_text and not strange:
        return np.array(numbers, np.float64)
    return np.array(
        [cell if isinstance(cell, str) else np.nan if cell is None else _text(cell) for cell in cells], object
    )


def _text(cell: float) -> str:
    return str(int(cell)) if float(cell).is_integer() else repr(float(cell))
