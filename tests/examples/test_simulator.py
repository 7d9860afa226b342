"""The loan-scoring simulator keeps its promises: bytes, counts, contract, drift."""

import csv
import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp
from sklearn.metrics import roc_auc_score

from examples.loan_scoring import model
from examples.loan_scoring.simulate import simulate
from examples.loan_scoring.story import EIGHT, FIVE, HEALTHY, HURT_GROUP, NEW_DRIVERS, NEW_RELATION, SHIFTED, Chapter
from examples.loan_scoring.world import FEATURES, LABEL, NUMBERS, World, draw

START = datetime(2026, 1, 1, tzinfo=UTC)
ROWS = 200
Told = tuple[Path, dict[str, Any]]


@pytest.fixture(scope="module")
def five(tmp_path_factory: pytest.TempPathFactory) -> Told:
    root = tmp_path_factory.mktemp("five")
    return root, simulate(root, FIVE, START, ROWS, seed=7)


@pytest.fixture(scope="module")
def reference(five: Told) -> pd.DataFrame:
    return pd.read_csv(five[0] / "reference_labelled.csv")


def files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def captured(root: Path, hour: str) -> list[list[str]]:
    folder = root / "capture/loan-scoring/AllTraffic" / datetime.fromisoformat(hour).strftime("%Y/%m/%d/%H")
    return [path.read_text().splitlines() for path in sorted(folder.glob("*.jsonl"))]


def parsed(line: str) -> dict[str, Any] | None:
    """The record if it is a well-formed one of this endpoint, else None."""
    try:
        document: dict[str, Any] = json.loads(line)
        datetime.fromisoformat(document["eventMetadata"]["inferenceTime"])
        sides = [document["captureData"][side] for side in ("endpointInput", "endpointOutput")]
    except (ValueError, KeyError):
        return None
    return document if cells(sides[0]) == len(FEATURES) else None


def cells(side: dict[str, str]) -> int:
    return len(json.loads(side["data"]) if side["encoding"] == "JSON" else next(csv.reader([side["data"].strip("\n")])))


def drawn(world: World) -> pd.DataFrame:
    return draw(world, 1500, np.random.default_rng(11))


def distances(reference: pd.DataFrame, table: pd.DataFrame) -> dict[str, float]:
    return {name: ks_2samp(reference[name], table[name].dropna()).statistic for name in NUMBERS}


def test_same_seed_writes_the_same_bytes(five: Told, tmp_path: Path) -> None:
    simulate(tmp_path, FIVE, START, ROWS, seed=7)
    assert files(tmp_path) == files(five[0])


def test_another_seed_writes_other_traffic(five: Told, tmp_path: Path) -> None:
    simulate(tmp_path, FIVE[:1], START, ROWS, seed=8)
    assert not {name for name in files(tmp_path) if name.startswith("capture")} & set(files(five[0]))


def test_counts_reconcile_with_the_files(five: Told) -> None:
    root, summary = five
    assert json.loads((root / "traffic.json").read_text()) == summary
    for entry in summary["hours"]:
        lines = [line for file in captured(root, entry["hour"]) for line in file]
        records = [record for record in map(parsed, lines) if record]
        events = {record["eventMetadata"]["eventId"]: record for record in records}
        inside = [one for one in events.values() if one["eventMetadata"]["inferenceTime"][:13] == entry["hour"][:13]]
        assert entry["lines"] == len(lines)
        assert entry["malformed"] == len(lines) - len(records)
        assert entry["duplicates"] == len(records) - len(events)
        assert entry["out_of_window"] == len(events) - len(inside)
        assert entry["clean"] == len(inside)


def test_only_the_hour_without_traffic_is_empty(five: Told) -> None:
    root, summary = five
    assert [entry["clean"] for entry in summary["hours"]] == [ROWS, ROWS, 0, ROWS, ROWS]
    assert [len(captured(root, entry["hour"])) for entry in summary["hours"]] == [3, 3, 0, 3, 3]
    empty = summary["hours"][2]["hour"][:13]
    capture = b"".join(text for name, text in files(root).items() if name.startswith("capture"))
    assert f'"inferenceTime":"{empty}'.encode() not in capture


def test_duplicates_lie_in_another_file(five: Told) -> None:
    root, summary = five
    for entry in summary["hours"]:
        homes: dict[str, set[int]] = {}
        lines = [(line, number) for number, file in enumerate(captured(root, entry["hour"])) for line in file]
        for line, number in lines:
            homes.setdefault(line, set()).add(number)
        repeated = [places for line, places in homes.items() if sum(line == other for other, _ in lines) > 1]
        assert all(len(places) > 1 for places in repeated)
        assert bool(repeated) == bool(entry["duplicates"])


def test_records_have_the_key_order_of_the_contract(five: Told) -> None:
    root, summary = five
    lines = [line for entry in summary["hours"] for file in captured(root, entry["hour"]) for line in file]
    for line, record in ((line, record) for line in lines if (record := parsed(line))):
        assert line == json.dumps(record, separators=(",", ":"))
        assert list(record) == ["captureData", "eventMetadata", "eventVersion"]
        assert list(record["eventMetadata"]) == ["eventId", "inferenceId", "inferenceTime"]
        for side in record["captureData"].values():
            assert list(side) == ["observedContentType", "mode", "data", "encoding"]


def test_labels_come_two_hours_later_in_the_form_of_the_contract(five: Told) -> None:
    root, summary = five
    for entry in summary["hours"]:
        late = datetime.fromisoformat(entry["hour"]) + timedelta(hours=2)
        found = list((root / "ground-truth" / late.strftime("%Y/%m/%d/%H")).glob("*.jsonl"))
        labels = [json.loads(line) for path in found for line in path.read_text().splitlines()]
        assert len(labels) == entry["labels"]
        assert 0.88 * entry["clean"] <= len(labels) <= entry["clean"]
        assert {label["groundTruthData"]["data"] for label in labels} <= {"0", "1"}
        assert all(list(label) == ["groundTruthData", "eventMetadata", "eventVersion"] for label in labels)


def test_reference_has_the_output_first(five: Told, reference: pd.DataFrame) -> None:
    assert list(pd.read_csv(five[0] / "reference.csv")) == ["probability", *FEATURES]
    assert list(reference) == [LABEL, "probability", *FEATURES]
    assert len(reference) == 10_000


def test_model_ranks_and_its_label_rate_is_sane(reference: pd.DataFrame) -> None:
    assert 0.2 < reference[LABEL].mean() < 0.45
    assert roc_auc_score(reference[LABEL], reference["probability"]) > 0.7


def test_model_card_names_the_file(five: Told) -> None:
    card = json.loads((five[0] / "model/model.json").read_text())
    assert card["sha256"] == hashlib.sha256((five[0] / "model/model.joblib").read_bytes()).hexdigest()
    assert card["features"] == list(FEATURES)
    assert card["decision_threshold"] == model.DECISION_THRESHOLD


@pytest.mark.parametrize("world", [HEALTHY, NEW_RELATION, HURT_GROUP, NEW_DRIVERS])
def test_no_feature_drifts(reference: pd.DataFrame, world: World) -> None:
    assert max(distances(reference, drawn(world)).values()) < 0.06


def test_exactly_two_features_drift_in_the_shifted_hour(reference: pd.DataFrame) -> None:
    found = distances(reference, drawn(SHIFTED))
    assert {name for name, distance in found.items() if distance > 0.25} == {"income", "loan_amount"}
    assert {name for name, distance in found.items() if distance < 0.08} == set(NUMBERS) - {"income", "loan_amount"}


def test_last_chapter_of_eight_is_the_world_of_the_slow_shift() -> None:
    assert EIGHT[-1].world == EIGHT[3].world


@pytest.mark.parametrize("start", [START.replace(tzinfo=None), datetime(2026, 1, 1, 0, 30, tzinfo=UTC)])
def test_start_must_be_a_whole_hour_with_a_zone(tmp_path: Path, start: datetime) -> None:
    with pytest.raises(ValueError, match="whole hour"):
        simulate(tmp_path, FIVE, start, ROWS, seed=7)


def test_folder_with_traffic_is_refused(five: Told) -> None:
    with pytest.raises(FileExistsError):
        simulate(five[0], [Chapter("healthy", 0, HEALTHY)], START, ROWS, seed=7)
