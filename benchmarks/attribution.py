"""Attribution: the sample's cost, and ours beside shap's explainers and the libraries' own contributions."""

import json
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from benchmarks.measure import Call, Cost, Peer, Step, Target

FEATURES = tuple(f"feature_{place:02}" for place in range(12))
SAMPLE = 1000
SMALL = 10_000
PIECE = 10_000
"""Rows that pass by together as a captured table is written."""
AGAINST_SHAP = 200
"""So many rows are explained beside shap, whose Kernel SHAP takes its time."""
SAME_RANKING = 0.999
TURNS = 10
"""Turns of which the best counts, where the work is short."""


def make(folder: Path, rows: int) -> None:
    """A window and a small one of ids and numbers, a model on them, and the exact values of one baseline row."""
    import joblib
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq
    from sklearn.ensemble import GradientBoostingClassifier

    from monitor_tasks.tables.sampling import Picking

    generator = np.random.default_rng(0)
    cells = generator.normal(size=(max(rows, SAMPLE), len(FEATURES)))
    for name, count in (("window", rows), ("small", min(rows, SMALL))):
        columns = {feature: cells[:count, place] for place, feature in enumerate(FEATURES)}
        ids = {"@event_id": pa.array([f"{place:032x}" for place in range(count)]), "@row": np.zeros(count, np.int64)}
        table = pa.table({**ids, "@variant": pa.nulls(count, pa.string()), **columns})
        pq.write_table(table, folder / f"{name}.parquet")
        picking = Picking()
        for _ in picking.passing(table.slice(start, PIECE) for start in range(0, count, PIECE)):
            pass
        pq.write_table(table if picking.table is None else picking.table, folder / f"{name}_picked.parquet")
    label = cells @ np.geomspace(1, 0.1, len(FEATURES)) + cells[:, 0] * cells[:, 1] > 0
    model = GradientBoostingClassifier(n_estimators=50, random_state=0).fit(cells[:SAMPLE], label[:SAMPLE])
    joblib.dump(model, folder / "model.joblib")
    np.save(folder / "label.npy", label[:SAMPLE])
    exact = _values(_ours("kernel", 2 ** len(FEATURES))(folder, _sample(folder, "small").slice(0, AGAINST_SHAP)))
    (folder / "exact.json").write_text(json.dumps(exact))


def steps(rows: int) -> list[Step]:
    """The sample, the peers among explainers, and the libraries that are there."""
    same = (Target(1.1, "at most"), Target(1.1, "at most", "memory"))
    small = Peer(f"itself on {min(rows, SMALL):,} rows", partial(_explain, "small"), same)
    shap = "shap, one baseline row"
    peers = (
        Peer(f"Permutation of {shap}", _permutation, (Target(10),)),
        Peer(f"Kernel SHAP of {shap}", _kernel, (Target(50),)),
    )
    native = [
        Step(
            f"{name}'s contributions, {SAMPLE:,} rows",
            partial(_native, name),
            (Peer("the library's own call", partial(_library, name), (Target(1.1, "at most"),)),),
        )
        for name in ("xgboost", "lightgbm")
        if find_spec(name)
    ]
    return [
        Step(
            f"the sample picked as {rows:,} rows pass by", _pass, (Peer("limit: 1 s per 1M rows", Cost(1e-6 * rows)),)
        ),
        Step(f"the sample of {rows:,} rows read and explained", partial(_explain, "window"), (small,)),
        Step(
            f"the sample picked out of a file of {rows:,} rows",
            _pick,
            (Peer("limit: 2 s per 1M rows", Cost(2e-6 * rows)),),
        ),
        Step(f"any model, {AGAINST_SHAP} rows, the same ranking", partial(_ranked, "auto"), peers),
        *native,
    ]


def _sample(folder: Path, name: str) -> Any:
    from monitor_tasks.tables.files import Stored
    from monitor_tasks.tables.sampling import smallest_hashes

    with (folder / f"{name}.parquet").open("rb") as file:
        return smallest_hashes(Stored.in_file(file, file.name), SAMPLE)


def _asked(folder: Path) -> Callable[[Any], Any]:
    """The model as a function of which nothing is known."""
    import joblib

    model = joblib.load(folder / "model.joblib")
    return lambda frame: model.predict_proba(frame.to_numpy() if hasattr(frame, "to_numpy") else frame)[:, 1]


def _pick(folder: Path) -> Call:
    return lambda: int(_sample(folder, "window").num_rows)


def _pass(folder: Path) -> Call:
    import pyarrow.parquet as pq

    from monitor_tasks.tables.sampling import Picking

    table = pq.read_table(folder / "window.parquet")

    def call() -> int:
        picking = Picking()
        pieces = (table.slice(start, PIECE) for start in range(0, table.num_rows, PIECE))
        return sum(piece.num_rows for piece in picking.passing(pieces))

    return call


def _explain(name: str, folder: Path) -> Call:
    """The sample as attribution finds it: among the rows that were picked as the window was written."""
    from monitor_tasks.tables.explained import How, explain

    model, sample = _asked(folder), partial(_sample, folder, f"{name}_picked")
    explain(sample().slice(0, 20), model, FEATURES)  # loads the libraries
    return _best(lambda: explain(sample(), model, FEATURES, How()).num_rows)


def _ours(explainer: str, num_samples: int | None = None) -> Callable[[Path, Any], Any]:
    from monitor_tasks.tables.explained import How, explain

    given = json.dumps({"names": FEATURES, "rows": [[0.0] * len(FEATURES)], "weights": []})
    how = How(explainer=explainer, num_samples=num_samples, background=given)
    return lambda folder, table: explain(table, _asked(folder), FEATURES, how)


def _values(found: Any) -> dict[str, float]:
    import numpy as np

    return {name: float(np.abs(found[name].to_numpy()).mean()) for name in FEATURES}


def _same(folder: Path, values: dict[str, float]) -> int:
    """Whether the ranking agrees with that of the exact values."""
    from monitor_tasks.metrics.attribution import ndcg

    found = ndcg(json.loads((folder / "exact.json").read_text()), values)
    return int(found is not None and found >= SAME_RANKING)


def _ranked(explainer: str, folder: Path) -> Call:
    table, explain = _sample(folder, "small").slice(0, AGAINST_SHAP), _ours(explainer)
    explain(folder, table.slice(0, 20))
    return lambda: _same(folder, _values(explain(folder, table)))


def _by_shap(folder: Path, explain: Callable[[Any, Any, Any], Any]) -> Call:
    import numpy as np

    cells = np.column_stack([_sample(folder, "small").slice(0, AGAINST_SHAP)[name].to_numpy() for name in FEATURES])
    model, baseline = _asked(folder), np.zeros((1, len(FEATURES)))
    explain(model, baseline, cells[:2])

    def call() -> int:
        means = np.abs(explain(model, baseline, cells)).mean(axis=0)
        return _same(folder, dict(zip(FEATURES, map(float, means), strict=True)))

    return call


def _permutation(folder: Path) -> Call:
    import shap

    def explain(model: Any, baseline: Any, cells: Any) -> Any:
        masker = shap.maskers.Independent(baseline)
        return shap.explainers.Permutation(model, masker, seed=0)(cells, silent=True).values

    return _by_shap(folder, explain)


def _kernel(folder: Path) -> Call:
    import shap

    return _by_shap(folder, lambda model, row, cells: shap.KernelExplainer(model, row).shap_values(cells, silent=True))


def _trained(name: str, folder: Path) -> tuple[Any, Any]:
    """A booster of the library, and rows to explain."""
    import numpy as np
    import pandas as pd

    from monitor_tasks.io.models.boosters import read_lightgbm, read_xgboost

    frame = pd.DataFrame({one: _sample(folder, "small")[one].to_numpy() for one in FEATURES})
    label = np.load(folder / "label.npy")[: len(frame)].astype(int)
    if name == "xgboost":
        import xgboost

        trained = xgboost.train({"objective": "binary:logistic", "nthread": 1}, xgboost.DMatrix(frame, label), 200)
        return read_xgboost(bytes(trained.save_raw("ubj"))), frame
    import lightgbm

    settings = {"objective": "binary", "verbosity": -1, "num_threads": 1}
    trained = lightgbm.train(settings, lightgbm.Dataset(frame, label), 200)
    return read_lightgbm(trained.model_to_string().encode()), frame


def _native(name: str, folder: Path) -> Call:
    from monitor_tasks.tables.explained import explain

    model, _ = _trained(name, folder)
    sample = _sample(folder, "small")
    return _best(lambda: explain(sample, model, FEATURES).num_rows)


def _library(name: str, folder: Path) -> Call:
    model, frame = _trained(name, folder)
    if name == "xgboost":
        import xgboost

        return _best(lambda: len(model.booster.predict(xgboost.DMatrix(frame), pred_contribs=True)))
    return _best(lambda: len(model.booster.predict(frame, pred_contrib=True)))


def _best(call: Callable[[], int]) -> Call:
    """The cheapest of ten turns: a call of tenths of a second is soon disturbed by others on the machine."""

    def turn() -> Cost:
        start, busy = perf_counter(), process_time()
        answer = call()
        return Cost(perf_counter() - start, 0.0, answer, busy=process_time() - busy)

    return lambda: min(turn() for _ in range(TURNS))
