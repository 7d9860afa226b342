"""The YAML of an endpoint: good ones are read, every mistake is one line with file, line and key."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from monitor_tasks.endpoint import Endpoint, json_schema
from monitor_tasks.inputs import DatasetFormat
from monitor_tasks.monitors.settings import MONITORS
from monitor_tasks.value import UserError
from monitor_tasks.window import Window

GOOD = """\
endpoint_name: loan-scoring
root: artifacts
capture:
  address: s3://bucket/capture
  input_names: [income, age]
  output_names: [score]
monitors:
  data_quality:
    minimum_rows: 100
    suite: suite.json
baseline:
  dataset: file:///data/reference.csv
  dataset_format: {csv: {header: false}}
start_date: 2026-01-01T00:00:00Z
schedule_expression: cron(0 0/6 ? * * *)
"""


FULL = (
    GOOD
    + """\
ground_truth:
  address: labels
  label_horizon: PT48H
model:
  address: models/loan.skops
  card: models/loan.json
  sha256: SHA
  version: "7"
  decision_threshold: 0.35
  hyper_parameters: {max_depth: 4, rate: 0.1, loss: log, early: true, seed: null}
  features: [income, age]
  allow_pickle: false
""".replace("SHA", "0a" * 32)
)


def parse(text: str, **more: Any) -> Endpoint:
    return Endpoint.parse(text, "loan.yaml", **more)


def test_a_good_file_is_read() -> None:
    endpoint = parse(GOOD, home="/home/me")
    assert endpoint.root == "/home/me/artifacts"
    assert endpoint.capture.address == "s3://bucket/capture"
    assert endpoint.configured()["data_quality"].suite == "/home/me/suite.json"
    assert endpoint.baseline is not None
    assert endpoint.baseline.dataset == "file:///data/reference.csv"
    assert endpoint.baseline.dataset_format is not None
    assert endpoint.baseline.dataset_format.reading == ("csv", False)
    assert endpoint.schedule.hours == (0, 6, 12, 18)
    assert Endpoint.from_json(endpoint.model_dump_json(by_alias=True)) == endpoint


def test_labels_and_model_are_read() -> None:
    endpoint = parse(FULL, home="/home/me")
    truth, model = endpoint.ground_truth, endpoint.model
    assert truth is not None
    assert model is not None
    assert (truth.address, truth.label_horizon) == ("/home/me/labels", "PT48H")
    assert (model.address, model.card) == ("/home/me/models/loan.skops", "/home/me/models/loan.json")
    assert (model.sha256, model.version, model.decision_threshold) == ("0a" * 32, "7", 0.35)
    assert model.hyper_parameters == {"max_depth": 4, "rate": 0.1, "loss": "log", "early": True, "seed": None}
    assert (model.features, model.allow_pickle) == (("income", "age"), False)
    assert Endpoint.from_json(endpoint.model_dump_json(by_alias=True)) == endpoint


def test_labels_and_model_may_be_left_out() -> None:
    assert (parse(GOOD).ground_truth, parse(GOOD).model) == (None, None)
    endpoint = parse(GOOD + "ground_truth: {address: /labels}\nmodel: {address: /m}\n")
    assert endpoint.ground_truth is not None
    assert endpoint.ground_truth.label_horizon == "PT24H"
    known = {"card": None, "sha256": None, "version": "", "decision_threshold": None, "hyper_parameters": {}}
    assert endpoint.model is not None
    assert endpoint.model.model_dump() == {"address": "/m", **known, "features": (), "allow_pickle": False}


def test_every_monitor_is_configured_by_its_key() -> None:
    monitors = """\
  model_quality: {probability_attribute: score, rule: interval}
  bias: {predicted_label: score, facets: [{name: age, value_or_threshold: [40]}, {name: sex}]}
  attribution: {agg_method: mean_sq}
"""
    found = parse(GOOD.replace("baseline:\n", monitors + "baseline:\n")).configured()
    assert list(found) == list(MONITORS)
    assert {name: type(one) for name, one in found.items()} == {name: row.settings for name, row in MONITORS.items()}
    assert found["model_quality"].rule == "interval"
    assert [one.value_or_threshold for one in found["bias"].facets] == [(40.0,), ()]


MISTAKES = {
    "unknown key": ("root:", "rooot:", 2, "rooot", "unknown key; did you mean root?"),
    "unlike any key": ("root: artifacts", "root: artifacts\nxyzzy: 1", 3, "xyzzy", "expected one of endpoint_name"),
    "unknown monitor": ("data_quality:", "data_qualty:", 8, "monitors.data_qualty", "did you mean data_quality?"),
    "unknown setting": (
        *("minimum_rows", "minimum_row", 9, "monitors.data_quality.minimum_row"),
        "did you mean minimum_rows?",
    ),
    "unknown format": ("{csv: {header: false}}", "{cvs: {}}", 13, "baseline.dataset_format.cvs", "did you mean csv?"),
    "two formats": ("{csv: {", "{json: {}, csv: {", 13, "baseline.dataset_format", "exactly one of csv, json"),
    "missing key": ("root: artifacts\n", "", 1, "root", "this key is missing; add it"),
    "missing inner key": ("  address: s3://bucket/capture\n", "", 3, "capture.address", "this key is missing"),
    "wrong type": ("100", "many", 9, "monitors.data_quality.minimum_rows", "valid integer"),
    "out of range": ("100", "0", 9, "monitors.data_quality.minimum_rows", "greater than or equal to 1"),
    "text for a list": ("[score]", "score", 6, "capture.output_names", "valid tuple"),
    "key that is a number": ("root:", "1: 2\nroot:", 2, "1", "strings"),
    "duplicate key": ("root:", "root: x\nroot:", 3, "root", "stands here twice"),
    "duplicate inner key": ("    suite:", "    suite: x\n    suite:", 11, "data_quality.suite", "stands here twice"),
    "parent folder": ("artifacts", "a/../../b", 2, "root", "may not be empty or hold '..'"),
    "encoded dots": ("artifacts", "s3://b/%2E%2e/c", 2, "root", "may not be empty or hold '..'"),
    "encoded slash": ("artifacts", "s3://b/x%2fc", 2, "root", "may not be empty or hold '..'"),
    "NUL in an address": ("artifacts", '"a\\0b"', 2, "root", "NUL"),
    "backslashes": ("suite.json", "'..\\x'", 10, "monitors.data_quality.suite", "may not be empty"),
    "empty address": ("artifacts", "''", 2, "root", "may not be empty"),
    "bad schedule": ("0 0/6 ?", "5 * ?", 15, "schedule_expression", "is not a schedule"),
    "bad duration": ("start_date: 2", "data_analysis_start_time: 1h\nstart_date: 2", 14, "start_time", "PT1H"),
    "endless duration": ("start_date", "data_analysis_end_time: P99999999999D\nstart_date", 14, "end_time", "longer"),
    "bad name": ("loan-scoring", "../loan", 1, "endpoint_name", "pattern"),
    "name with a line": ("loan-scoring", '"loan\\n"', 1, "endpoint_name", "pattern"),
    "bad dag id": ("start_date", "retraining: {dag_id: a b}\nstart_date", 14, "retraining.dag_id", "pattern"),
    "bad train": ("start_date", "retraining: {train: os.system}\nstart_date", 14, "retraining.train", "pattern"),
    "naive start": ("00Z", "00", 14, "start_date", "needs a time zone"),
    "start without a time": ("T00:00:00Z", "", 14, "start_date", "needs a time zone"),
    "no such day": ("2026-01-01", "2026-13-01", 14, "start_date", "month"),
    "column named twice": ("[score]", "[age]", 3, "capture", "may not name a column twice"),
    "column of ours": ("[score]", "['@time']", 3, "capture", "may not begin with '@'"),
}


MISTAKES_OF_MORE = {
    "labels without an address": ("  address: labels\n", "", 16, "ground_truth.address", "this key is missing"),
    "labels outside": ("labels", "../labels", 17, "ground_truth.address", "may not be empty or hold '..'"),
    "bad horizon": ("PT48H", "2 days", 18, "ground_truth.label_horizon", "PT1H"),
    "unknown key of labels": ("label_horizon", "horizon", 18, "ground_truth.horizon", "did you mean label_horizon?"),
    "model without an address": ("  address: models/loan.skops\n", "", 19, "model.address", "this key is missing"),
    "card outside": ("models/loan.json", "a/../../b", 21, "model.card", "may not be empty or hold '..'"),
    "hash too short": ("0a" * 32, "0a" * 31, 22, "model.sha256", "pattern"),
    "hash in capitals": ("0a" * 32, "0A" * 32, 22, "model.sha256", "pattern"),
    "version that is a number": ('"7"', "7", 23, "model.version", "valid string"),
    "threshold above 1": ("0.35", "35", 24, "model.decision_threshold", "less than or equal to 1"),
    "threshold that is text": ("0.35", "high", 24, "model.decision_threshold", "valid number"),
    "list of parameters": ("{max_depth: 4, rate", "{max_depth: [4], rate", 25, "hyper_parameters.max_depth", "valid"),
    "features as text": ("features: [income, age]", "features: income", 26, "model.features", "valid tuple"),
    "pickle as text": ("false\n", "maybe\n", 27, "model.allow_pickle", "valid boolean"),
    "unknown key of the model": ("allow_pickle", "allow_pickles", 27, "allow_pickles", "did you mean allow_pickle?"),
    "bias without predictions": (
        *("data_quality:", "bias: {facets: [{name: sex}]}\n  data_quality:", 8, "monitors.bias.predicted_label"),
        "this key is missing",
    ),
    "bias without facets": (
        *("data_quality:", "bias: {predicted_label: p, facets: []}\n  data_quality:", 8, "monitors.bias.facets"),
        "at least 1",
    ),
    "unknown rule": (
        *("data_quality:", "model_quality: {rule: lenient}\n  data_quality:", 8, "monitors.model_quality.rule"),
        "'observed' or 'interval'",
    ),
}


@pytest.mark.parametrize(
    ("text", "mistakes", "name"),
    [
        *((GOOD, MISTAKES, name) for name in MISTAKES),
        *((FULL, MISTAKES_OF_MORE, name) for name in MISTAKES_OF_MORE),
    ],
    ids=[*MISTAKES, *MISTAKES_OF_MORE],
)
def test_a_mistake_is_one_line_with_file_line_and_key(text: str, mistakes: dict[str, Any], name: str) -> None:
    old, new, line, key, expected = mistakes[name]
    assert text.count(old) == 1
    with pytest.raises(UserError) as caught:
        parse(text.replace(old, new))
    first = next(one for one in str(caught.value).splitlines() if expected in one)
    assert first.startswith(f"loan.yaml:{line}: ")
    assert key in first.split(": ")[1]


def test_every_mistake_is_named_at_once() -> None:
    with pytest.raises(UserError) as caught:
        parse(GOOD.replace("100", "many").replace("root:", "rooot:"))
    assert [line.split(": ")[0] for line in str(caught.value).splitlines()] == [
        *("loan.yaml:1", "loan.yaml:9", "loan.yaml:2"),
    ]


@pytest.mark.parametrize("empty", ["monitors: {}", "monitors:\n  data_quality:"])
def test_an_endpoint_without_a_monitor_is_refused(empty: str) -> None:
    text = f"endpoint_name: e\nroot: /r\ncapture: {{address: /c}}\n{empty}\n"
    with pytest.raises(UserError, match=rf"^loan.yaml:4: monitors: name at least one, .*: {', '.join(MONITORS)}$"):
        parse(text)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        *(("a: [1\n", 2), ("\ta: 1", 1), ("a: 1\n---\nb: 2\n", 2), ("a: !!python/object:os.system x", 1)),
        *(("a: 1\n? [x]\n: 2", 2), ('a: "\0"', 1), ("a: " + "[" * 3000 + "]" * 3000, 1), ("a: !!int x", 1)),
    ],
    ids=["cut", "tab", "two documents", "python", "list as key", "NUL", "deep", "bad int"],
)
def test_what_is_no_yaml_is_one_line(text: str, line: int) -> None:
    with pytest.raises(UserError, match=rf"^loan.yaml:{line}: not YAML: [^\n]+$"):
        parse(text)


@pytest.mark.parametrize("text", ["", "hello", "- a", "# only a comment"])
def test_what_is_no_mapping_says_which_keys_are_expected(text: str) -> None:
    with pytest.raises(UserError, match=r"^loan.yaml:1: expected keys such as endpoint_name, root"):
        parse(text)


def test_an_alias_that_holds_itself_is_a_mistake_like_any_other() -> None:
    with pytest.raises(UserError, match=r"^loan.yaml:16: tags.0: "):
        parse(GOOD + "tags: &x [*x]\n")


def test_addresses_stay_below_the_configured_roots() -> None:
    roots = ["/home/me", "s3://bucket/", "/data"]
    assert parse(GOOD, home="/home/me", roots=roots).root == "/home/me/artifacts"
    for outside, line, key in (
        (["/home/me", "s3://buck", "/data"], 4, "capture.address"),
        (["/home/m", "s3://bucket", "/data"], 2, "root"),
        (["/home/me/artifacts", "s3://bucket", "/data"], 10, "monitors.data_quality.suite"),
        (["/home/me", "s3://bucket", "/datax"], 12, "baseline.dataset"),
    ):
        with pytest.raises(UserError, match=rf"^loan.yaml:{line}: {key}: .* lies outside .*MONITOR_TASKS_ROOTS$"):
            parse(GOOD, home="/home/me", roots=outside)
    for named, key in (("labels", "ground_truth.address"), ("models/loan.json", "model.card")):
        with pytest.raises(UserError, match=rf"{key}: .* lies outside"):
            parse(FULL.replace(named, "/elsewhere"), home="/home/me", roots=roots)


def test_an_endpoint_is_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        parse(GOOD).root = "elsewhere"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        *(
            ("100", "101"),
            ("artifacts", "artefacts"),
            ("input_names: [income, age]", "input_names: [age, income]"),
            ("header: false", "header: true"),
        ),
        *(
            ("0/6", "0/8"),
            ("suite.json", "suite2.json"),
            ("2026-01-01", "2026-01-02"),
            ("loan-scoring", "loan_scoring"),
        ),
        *(
            ("PT48H", "PT24H"),
            ('"7"', '"8"'),
            ("0.35", "0.5"),
            ("max_depth: 4", "max_depth: 5"),
            ("0a" * 32, "0b" * 32),
        ),
    ],
)
def test_every_change_changes_the_hash(old: str, new: str) -> None:
    assert FULL.count(old) == 1
    assert parse(FULL).config_hash != parse(FULL.replace(old, new)).config_hash


def test_the_hash_is_of_what_is_said_and_not_of_how() -> None:
    reordered = "".join(reversed(GOOD.splitlines(keepends=True)[:2])) + "".join(GOOD.splitlines(keepends=True)[2:])
    assert parse(GOOD).config_hash == parse("# a comment\n" + reordered).config_hash


@pytest.mark.parametrize(("kind", "reading"), [("json", ("json", True)), ("parquet", ("parquet", True))])
def test_dataset_formats(kind: str, reading: tuple[str, bool]) -> None:
    assert DatasetFormat.model_validate({kind: {}}).reading == reading


def test_the_committed_schema_is_the_one_of_the_code(repository: Path) -> None:
    committed = (repository / "docs/endpoint.schema.json").read_text()
    assert committed == json.dumps(json_schema(), indent=2) + "\n"
    assert set(json.loads(committed)["required"]) == {"endpoint_name", "root", "capture", "monitors"}


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ("start_time_offset: -P1D", "go together"),
        ("end_time_offset: -P1D", "go together"),
        ("start_time_offset: -P1D, end_time_offset: -P8D", "a span of the past"),
        ("start_time_offset: -P1D, end_time_offset: PT1H", "a span of the past"),
        ("start_time_offset: -P8D, end_time_offset: -P1D, asset: labels", "nothing is restated when labels come"),
        ("label_coverage: 2", "less than or equal to 1"),
    ],
)
def test_settings_of_labels_that_contradict_each_other_are_told(said: str, wrong: str) -> None:
    with pytest.raises(UserError, match=wrong):
        parse(GOOD + f"ground_truth: {{address: /labels, {said}}}\n")


def test_offsets_point_to_a_span_before_the_end_of_the_window() -> None:
    window = Window.parse("2026-01-09T12:00:00Z/PT1H")
    assert parse(GOOD).labelled_span(window) == window
    shifted = parse(GOOD + "ground_truth: {address: /l, start_time_offset: -P8D, end_time_offset: -P1D}\n")
    assert str(shifted.labelled_span(window)) == "2026-01-01T13:00:00Z/P7D"


def test_merged_records_need_to_tell_what_was_asked_from_what_was_answered() -> None:
    plain = "endpoint_name: e\nroot: r\ncapture: {address: c%s}\nmonitors: {data_quality: {}}\n"
    truth = "ground_truth: {address: l, merged_records: true}\n"
    assert parse(plain % ", output_names: [y], input_names: [x]" + truth).ground_truth
    with pytest.raises(UserError, match=r"needs capture\.output_names and"):
        parse(plain % ", output_names: [y]" + truth)


ALERTS = """endpoint_name: churn
root: results
capture: {address: capture}
monitors: {data_quality: {}}
alerts:
  - {kind: slack, conn_id: chat}
"""


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{kind: slack, conn_id: chat}", "churn.yaml:5: alerts: two targets are called chat; give each a name"),
        ("{kind: sns, conn_id: aws}", "churn.yaml:7: alerts.1: to: write the topic's ARN"),
        ("{kind: email, conn_id: mail}", "churn.yaml:7: alerts.1: to: write the addresses"),
        ("{kind: slack, conn_id: c, to: all}", "churn.yaml:7: alerts.1: to: of slack the connection says where to"),
        ("{kind: pager, conn_id: c}", "churn.yaml:7: alerts.1.kind: Input should be 'sns', 'slack'"),
        ("{kind: slack, con_id: c}", "churn.yaml:7: alerts.1.con_id: unknown key; did you mean conn_id?"),
        ("{kind: slack, conn_id: c, severities: []}", "churn.yaml:7: alerts.1.severities: "),
        ("{kind: slack, conn_id: ../c}", "churn.yaml:7: alerts.1.conn_id: String should match pattern"),
    ],
)
def test_a_mistake_in_alerts_is_told_with_its_line(line: str, said: str) -> None:
    with pytest.raises(UserError, match=re.escape(said)):
        Endpoint.parse(f"{ALERTS}  - {line}\n", "churn.yaml")


def test_targets_are_called_by_their_name_or_their_connection() -> None:
    more = "  - {kind: webhook, conn_id: chat, name: tickets}\nemit: {prometheus: a.prom}\n"
    endpoint = Endpoint.parse(ALERTS + more, "churn.yaml", "/home")
    assert [one.label for one in endpoint.alerts] == ["chat", "tickets"]
    assert endpoint.emit.prometheus == "/home/a.prom"


def test_the_examples_of_the_documentation_are_read(repository: Path) -> None:
    page = (repository / "docs/alerts.md").read_text()
    told, emitted = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    endpoint = Endpoint.parse(ALERTS.partition("alerts:")[0] + told + emitted, "churn.yaml")
    assert [one.kind for one in endpoint.alerts] == ["pagerduty", "slack", "email", "sns", "webhook"]
    assert all(getattr(endpoint.emit, name) for name in type(endpoint.emit).model_fields if "sha256" not in name)
