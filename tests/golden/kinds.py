"""Every kind of artifact: how one is written from always the same rows, and how it is read.

``python -m tests.golden.kinds`` writes the golden file of each present version that has none. What is there stays: a
changed form gets a new version in the code, a golden file of its own, and a reader that takes the former one too.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pyarrow as pa

from monitor_tasks import tasks
from monitor_tasks.baseline import Constraint, Constraints
from monitor_tasks.gates import Gate, GateRecord, Move
from monitor_tasks.io.executions import Manifest
from monitor_tasks.io.store import Store
from monitor_tasks.judging import check, read_baseline, suggest
from monitor_tasks.message import Message
from monitor_tasks.monitors.model_quality import ModelQuality
from monitor_tasks.monitors.model_quality.sides import Sides
from monitor_tasks.monitors.settings import MONITORS, ModelQualitySettings
from monitor_tasks.on_tables import merged
from monitor_tasks.profiles.classes import ClassProfile
from monitor_tasks.profiles.columns import Edges, TableProfile
from monitor_tasks.profiles.groups import GroupProfile
from monitor_tasks.profiles.pairs import VariantProfile
from monitor_tasks.profiles.partition import Partition
from monitor_tasks.profiles.residuals import RegressionProfile
from monitor_tasks.profiles.sample import Entry, Explained, SampleProfile
from monitor_tasks.profiles.scores import ScoreProfile
from monitor_tasks.profiles.segments import SegmentProfile
from monitor_tasks.profiles.sketch import SageMakerBlock
from monitor_tasks.report import Estimate, ModelCard, Realised, Report, State
from monitor_tasks.retention import Removed, Taken
from monitor_tasks.shard import Broken, Labels, MonitorRecord, Shard, ShardHead, VerdictRecord, WindowRecord
from monitor_tasks.tables.files import Stored
from monitor_tasks.tables.ledger import Ledger
from monitor_tasks.tables.sampling import parted
from monitor_tasks.value import STORED, Artifact, read_stored
from monitor_tasks.verdict import Action, Status, Verdict
from monitor_tasks.window import Window

FOLDER = Path(__file__).parent
WINDOW = "2026-01-01T00:00:00Z/PT1H"
PLACES = range(24)
ROWS = pa.table(
    {
        "label": [str(int(place % 3 == 0)) for place in PLACES],
        "score": [(place * 7 % 24) / 32 for place in PLACES],
        "group": ["ab"[place % 2] for place in PLACES],
        "age": [None if place == 5 else 20 + place for place in PLACES],
        "kind": ["xyz"[place % 3] for place in PLACES],
        "guess": ["xyz"[place % 4 % 3] for place in PLACES],
    }
)
CHOSEN: Mapping[str, dict[str, Any]] = {
    "BinaryClassification": {"probability_attribute": "score"},
    "MulticlassClassification": {"inference_attribute": "guess", "ground_truth_attribute": "kind"},
    "Regression": {"inference_attribute": "score", "ground_truth_attribute": "age"},
}


class Kind(NamedTuple):
    """One kind of artifact."""

    version: int
    write: Callable[[], bytes]
    read: Callable[[bytes], Any]


def quality(problem: str, **more: Any) -> ModelQuality:
    """The monitor of one problem type."""
    return ModelQuality(ModelQualitySettings(problem_type=problem, **CHOSEN[problem], **more))  # type: ignore[arg-type]


def artifact(kind: type[Artifact], made: Callable[[], Artifact]) -> Kind:
    """The kind of a value that writes itself."""
    return Kind(kind.SCHEMA_VERSION, lambda: made().to_json(), lambda text: kind.read(text, "golden"))


def profile(kind: Any, made: Callable[[], Any], read: Callable[[bytes], Any] | None = None) -> Kind:
    """The kind of a profile."""
    return Kind(kind.SCHEMA_VERSION, lambda: made().to_json(), read or kind.from_json)


def plain(name: str, write: Callable[[], bytes]) -> Kind:
    """The kind of an artifact that is plain JSON."""
    return Kind(STORED[name], write, lambda text: read_stored(text, name, "golden"))


def report() -> Report:
    """The report of the rows by a baseline of their own."""
    settings = ModelQualitySettings(probability_attribute="score", minimum_rows=1)
    known = read_baseline("base", "model_quality", settings, suggest("model_quality", settings, ROWS).get)
    return check("model_quality", settings, ROWS, known).report("loans", WINDOW, ModelCard(name="m", version="1"))


def explained() -> SampleProfile:
    """The profile of a few explained rows."""
    entries = (Entry(1, (0.5, -0.25), (0.125,)), Entry(2, (0.25, 0.0), ()))
    return SampleProfile(
        2, 5, ("age", "group"), entries, ("label0",), (Explained("tree", "margin", 2, 0.0),), "background"
    )


def bias() -> GroupProfile:
    """The profile of the rows' groups."""
    settings = {"predicted_label": "score", "probability_threshold": 0.5, "facets": [{"name": "group"}]}
    monitor = MONITORS["bias"].monitor(MONITORS["bias"].settings.model_validate(settings))
    found: GroupProfile = monitor.profile(ROWS)
    return found


def partition() -> Partition:
    """The tree that losses are estimated by."""
    found = quality("Regression", estimate=True).partition([ROWS])
    assert found
    return found


def ledger() -> bytes:
    """The ledger of one object."""
    known = Ledger()
    known.open("a.jsonl", "0" * 64)
    known.note("a.jsonl", "used", count=3)
    known.note("a.jsonl", "quarantined", "not_json")
    return known.to_json()


def counts() -> bytes:
    """How predictions and labels met."""
    rows = pa.table({"@event_id": ["e1", "e2"], "@inference_id": pa.nulls(2, pa.string()), "score": ["0.5", "0.25"]})
    found = {"@label_object": ["2026/01/01/00/a.jsonl"], "@label_line": [1], "@label_id": ["e1"], "@label": ["1"]}
    with merged(Stored.of(rows), pa.table(found), ("label",)) as files:
        return files["labels.json"]  # type: ignore[return-value]  # the one that is no file


def slices() -> bytes:
    """The worst slice of many rows: every third one of the b is predicted wrong."""
    many = pa.table({name: [*ROWS[name].to_pylist()] * 50 for name in ("group", "kind")})
    labels = [str(place % 2) for place in range(many.num_rows)]
    wrong = [place % 2 == 1 and place % 3 == 0 for place in range(many.num_rows)]
    said = [1.0 - int(label) if off else float(label) for label, off in zip(labels, wrong, strict=True)]
    rows = many.append_column("label", pa.array(labels)).append_column("score", pa.array(said))
    monitor = quality("BinaryClassification", worst_slices={})
    sample, others = parted(monitor.with_losses(rows), 5000)
    told = monitor.worst_slices(sample, others.batches())
    return told.files["slices.json"]


def evidence() -> bytes:
    """What an episode is handed over with."""
    store = Store("memory://golden-evidence")
    endpoint = SimpleNamespace(config_hash="0")
    site = SimpleNamespace(
        name="loans", store=store, endpoint=endpoint, evidence_key=lambda one: f"{one}.json", pinned=lambda _: "base"
    )
    tasks._claim(site, Window.parse(WINDOW), ["000001"], {"bias": "key"}, "because")  # type: ignore[arg-type]
    return store.get("000001.json")


def message() -> Message:
    """What somebody is told."""
    said = {"endpoint": "loans", "incident": "000001", "event": "alert", "severity": "high", "window": WINDOW}
    return Message.model_validate({**said, "since": WINDOW, "subject": "subject", "text": "text"})


def verdict() -> Verdict:
    """What is done about a window."""
    return Verdict(endpoint="loans", window=WINDOW, action=Action.ALERT, because="because", status=Status.FAILED)


def shard() -> ShardHead:
    """What pages are told of a day."""
    realised = Realised(value=0.5, rows=9, expected=0.5, lower=0.25, upper=0.75)
    estimate = Estimate(name="estimated_auc", value=0.5, lower=0.25, upper=0.75, rows=9, realised=realised)
    known = MonitorRecord(
        schedule="bias", status=Status.WITH_VIOLATIONS, key="k", revision="r", restatements=1, counts={State.BROKEN: 1},
        broken=(Broken(check="c", metric="m", value=0.5, lower=0.75, n=9, effect=0.25),), estimates=(estimate,),
    )  # fmt: skip
    told = VerdictRecord(action=Action.ALERT, status=Status.WITH_VIOLATIONS, because="because")
    labels = Labels(predictions=9, matched=9)
    record = WindowRecord(
        place="2026/01/01/01", text=WINDOW, numbers={"bias": 2}, ledger={"used": 9}, labels=labels,
        monitors={"bias": known}, verdict=told,
    )  # fmt: skip
    return Shard.of("loans", "2026-01-01", [(record, [])]).head


def bounds() -> Constraints:
    """What a baseline asks for."""
    return Constraints(monitor="bias", constraints=(Constraint(check="c", metric="m", lower=0.5),))


def manifest() -> Manifest:
    """What was read and written."""
    return Manifest(revision="r", inputs={"a": "1"}, artifacts={"b": "2"}, shown=("b",))


def removed() -> Removed:
    """What went of a revision, and when."""
    return Removed(artifacts={"captured.parquet": Taken(because="retention.rows: P30D", when="2026-02-01T00:00:00Z")})


def gate() -> GateRecord:
    """What became of a gate of a retraining."""
    told = {"endpoint": "loans", "episode": "000001", "because": "600 labels", "by": "retraining.evidence"}
    return GateRecord(**told, gate=Gate.CHECK_EVIDENCE, outcome="passed", details={"windows": [WINDOW]})


def move() -> Move:
    """The champion's alias moved."""
    told = {"endpoint": "loans", "episode": "000001", "because": "better", "by": "somebody", "since": WINDOW[:20]}
    models = {"model": ModelCard(version="2"), "former_model": ModelCard(version="1")}
    return Move(**told, **models, kind="promoted", baseline="b2", former_baseline="b1")


BINARY, CLASSES, NUMBERS = (quality(problem) for problem in CHOSEN)
SEGMENTED = quality("BinaryClassification", segments=("group",))
SIDES = Sides(BINARY, BINARY)
KINDS: Mapping[str, Kind] = {
    "report": artifact(Report, report),
    "bounds": artifact(Constraints, bounds),
    "manifest": artifact(Manifest, manifest),
    "verdict": artifact(Verdict, verdict),
    "removed": artifact(Removed, removed),
    "gate": artifact(GateRecord, gate),
    "move": artifact(Move, move),
    "shard": artifact(ShardHead, shard),
    "message": artifact(Message, message),
    "columns": profile(TableProfile, lambda: TableProfile.of(ROWS, Edges.of(ROWS))),
    "scores": profile(ScoreProfile, lambda: BINARY.profile(ROWS), BINARY.read_profile),
    "classes": profile(ClassProfile, lambda: CLASSES.profile(ROWS), CLASSES.read_profile),
    "residuals": profile(RegressionProfile, lambda: NUMBERS.profile(ROWS), NUMBERS.read_profile),
    "segments": profile(SegmentProfile, lambda: SEGMENTED.profile(ROWS), SEGMENTED.read_profile),
    "variants": profile(VariantProfile, lambda: SIDES.profile(ROWS, ROWS, (ROWS, ROWS)), SIDES.read_profile),
    "partition": profile(Partition, partition),
    "groups": profile(GroupProfile, bias),
    "sample": profile(SampleProfile, explained),
    "sketch": profile(SageMakerBlock, lambda: SageMakerBlock.of(ROWS.select(["age", "group"]))),
    "ledger": plain("ledger.json", ledger),
    "labels": plain("labels.json", counts),
    "slices": plain("slices.json", slices),
    "retrain": plain("retrain.json", evidence),
}


def form(value: Any) -> Any:
    """What a value is made of, whatever it says: keys and types."""
    if isinstance(value, Mapping):
        return {key: form(one) for key, one in value.items()}
    if isinstance(value, list):
        return sorted({json.dumps(form(one)) for one in value})
    return type(value).__name__


def fields(model: type[Artifact]) -> dict[str, list[str]]:
    """The fields of an artifact, and of every value in it."""
    schema = model.model_json_schema()
    parts = {model.__name__: schema, **schema.get("$defs", {})}
    return {name: sorted(part["properties"]) for name, part in sorted(parts.items()) if "properties" in part}


def missing() -> dict[str, Callable[[], bytes]]:
    """The golden files that are not there, and how they are written."""
    files = {f"{name}.v{kind.version}.json": kind.write for name, kind in KINDS.items()}
    files |= {
        f"fields/{model.__name__}.v{model.SCHEMA_VERSION}.json": lambda model=model: json.dumps(
            fields(model), indent=1
        ).encode()
        for model in Artifact.__subclasses__()
    }
    return {name: write for name, write in files.items() if not (FOLDER / name).exists()}


if __name__ == "__main__":
    (FOLDER / "fields").mkdir(exist_ok=True)
    for name, write in missing().items():
        (FOLDER / name).write_bytes(write())
