"""SageMaker's statistics.json of data quality -> the profile of the rows that it was made from, as far as it tells."""

from fractions import Fraction
from math import isfinite

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, ValidationError

from monitor_tasks.profiles.bins import Bins
from monitor_tasks.profiles.cells import number_text
from monitor_tasks.profiles.columns import NUMBER_LIMIT, ColumnProfile, Edges, TableProfile, edges_at
from monitor_tasks.profiles.moments import ExactSum
from monitor_tasks.sagemaker.words import unreadable

Numbers = NDArray[np.float64]
Items = tuple[Numbers, NDArray[np.int64]]


class _Common(BaseModel):
    num_present: int = Field(ge=0)
    num_missing: int = Field(ge=0)


class _Sketch(BaseModel):
    data: tuple[tuple[float, ...], ...] = ()


class _KLL(BaseModel):
    sketch: _Sketch = _Sketch()


class _Bucket(BaseModel):
    value: str
    count: int = Field(ge=1)


class _Categorical(BaseModel):
    buckets: tuple[_Bucket, ...] = ()


class _Distribution(BaseModel):
    kll: _KLL = _KLL()
    categorical: _Categorical = _Categorical()


class _Numerical(BaseModel):
    common: _Common
    sum: float
    std_dev: float
    min: float
    max: float
    distribution: _Distribution = _Distribution()


class _Textual(BaseModel):
    common: _Common
    distribution: _Distribution = _Distribution()


class _Feature(BaseModel):
    name: str
    inferred_type: str
    numerical_statistics: _Numerical | None = None
    string_statistics: _Textual | None = None


class _Dataset(BaseModel):
    item_count: int = Field(ge=0)


class _File(BaseModel):
    dataset: _Dataset
    features: tuple[_Feature, ...]


def read_statistics(text: bytes, address: str) -> tuple[TableProfile, Edges]:
    """The profile that a statistics.json tells of, and the edges that its histograms are counted on.

    Numbers are those of the KLL sketch, each as often as it stands for: up to 2,050 rows all of them, else a thinned
    choice, so distances to them are off by about a thousandth. Categories are known where the file counts all cells.

    Raises:
        UserError: the text at `address` is no statistics.json of data quality.
    """
    try:
        file = _File.model_validate_json(text)
    except ValidationError as error:
        raise unreadable(address, "statistics.json of data quality", error) from error
    items = {one.name: _items(one.numerical_statistics) for one in file.features if one.numerical_statistics}
    cut = {name: edges_at(values, np.cumsum(counts)) for name, (values, counts) in sorted(items.items()) if len(values)}
    edges = Edges(cut)
    columns = {one.name: _column(one, items.get(one.name), cut.get(one.name)) for one in file.features}
    return TableProfile(file.dataset.item_count, edges.id, dict(sorted(columns.items()))), edges


def _items(known: _Numerical) -> Items:
    """The different numbers of the sketch, rising, and how many numbers each stands for."""
    levels = known.distribution.kll.sketch.data
    values = np.concatenate([np.zeros(0), *levels]) + 0.0
    weights = np.repeat(1 << np.arange(len(levels)), list(map(len, levels)))
    different, places = np.unique(values, return_inverse=True)
    return different, np.bincount(places, weights, len(different)).astype(np.int64)


def _column(feature: _Feature, items: Items | None, edges: Numbers | None) -> ColumnProfile:
    known = feature.numerical_statistics or feature.string_statistics
    if known is None:
        return ColumnProfile(texts=None, numbers=None)
    common = known.common
    kinds = {feature.inferred_type: common.num_present} if common.num_present else {}
    if isinstance(known, _Textual):
        texts = {one.value: one.count for one in known.distribution.categorical.buckets}
        is_whole = sum(texts.values()) == common.num_present
        return ColumnProfile(common.num_missing, kinds, texts=texts if is_whole else None)
    if not items or edges is None or not isfinite(known.sum + known.std_dev):
        return ColumnProfile(common.num_missing, kinds, numbers=None)
    values, counts = items
    is_whole = len(known.distribution.kll.sketch.data) == 1 and len(values) <= NUMBER_LIMIT
    numbers = dict(zip(map(number_text, values.tolist()), counts.tolist(), strict=True))
    return ColumnProfile(
        common.num_missing,
        kinds,
        total=ExactSum.of(np.array([known.sum])),
        squares=ExactSum.of(np.array([_sum_of_squares(known)])),
        minimum=known.min,
        maximum=known.max,
        numbers=numbers if is_whole else None,
        bins=Bins.of(np.searchsorted(edges, values, "left"), counts),
    )


def _sum_of_squares(known: _Numerical) -> float:
    mean, n = Fraction(known.sum) / known.common.num_present, known.common.num_present
    return float((mean**2 + Fraction(known.std_dev) ** 2) * n)
