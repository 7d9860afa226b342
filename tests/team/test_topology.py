"""docker-compose.yml runs: each service's own command, PostgreSQL, Redis and Ceph's S3 server, Celery between them."""

import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import pytest

from benchmarks.load import measure
from examples.composed import PROJECT, Composed, dags_folder, missing, read_env
from examples.loan_scoring.on_s3 import BUCKET, client, configuration, upload
from examples.loan_scoring.simulate import simulate
from examples.loan_scoring.story import EIGHT
from monitor_tasks.site import Site, load_endpoint
from monitor_tasks.verdict import Verdict
from monitor_tasks.window import Window
from scripts.make_env import filled
from scripts.s3_gateway import Gateway

pytestmark = pytest.mark.long
DAG, RETRAINING = "monitor__loan-scoring", "retrain_model"
HOUR = timedelta(hours=1)
STORY = EIGHT[:4]
PATIENCE = 900
SLOTS = 1
"""What backfills may take of two workers."""


@pytest.fixture(scope="module")
def composed() -> Iterator[Composed]:
    """All services, healthy, with the demo's DAGs and an endpoint in the bucket."""
    if lacking := [*missing(), *Gateway.missing()]:
        pytest.skip(f"not here (.ci/run full installs them): {', '.join(lacking)}")
    variables = read_env(filled((PROJECT / ".env.example").read_text()))
    variables |= {"API_WORKERS": "1", "WORKER_CONCURRENCY": "2", "S3_GIGABYTES": "5"}
    with TemporaryDirectory(prefix="composed-") as top:  # pytest's own folders are closed to the database's user
        dags = dags_folder(Path(top))
        (dags / "endpoints/loan-scoring.yaml").write_text(configuration("loan-scoring", "demo"))
        with Composed(Path(top), variables, {"./dags": dags}) as running:
            running.build()
            running.up()
            yield running


@pytest.fixture(scope="module")
def bucket(composed: Composed) -> Any:
    """The S3 server, as the worker's own connection opens it."""
    return client(composed.credentials())


def wait(composed: Composed, dag_id: str, runs: int) -> dict[str, str]:
    """The states of a DAG's runs when so many are over; what ends by itself is started again, questions get a yes."""
    deadline, states = time.monotonic() + PATIENCE, dict[str, str]()
    while time.monotonic() < deadline:
        with suppress(httpx.HTTPError):
            composed.api.approve()
            states = composed.api.states(dag_id)
        if sum(state in ("success", "failed") for state in states.values()) >= runs:
            return states
        composed.revive()
        time.sleep(2)
    pytest.fail(f"{dag_id}: {states} after {PATIENCE} s")


@pytest.fixture(scope="module")
def told(composed: Composed, bucket: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[datetime, dict[str, str]]:
    """Three past hours as a backfill and the present one by its schedule: when they began, and how the runs ended."""
    deadline = time.monotonic() + PATIENCE
    while DAG not in {one["dag_id"] for one in composed.api.get("/dags")["dags"]}:
        assert composed.api.get("/importErrors")["import_errors"] == []
        assert time.monotonic() < deadline
        time.sleep(1)
    while datetime.now(UTC).minute >= 58:  # the hour must not end before it is scheduled
        time.sleep(1)
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - 4 * HOUR
    home = tmp_path_factory.mktemp("simulated")
    simulate(home, STORY, start, 1500, seed=7)
    upload(bucket, home, "demo")
    past = {"from_date": start.isoformat(), "to_date": (start + 2 * HOUR).isoformat(), "max_active_runs": 3}
    composed.api.post("/backfills", {"dag_id": DAG, **past})
    for name in (DAG, RETRAINING):
        composed.api.patch(f"/dags/{name}", {"is_paused": False})
    return start, wait(composed, DAG, 4)


def test_every_service_is_healthy_by_its_own_check(composed: Composed) -> None:
    checked = [name for name, service in composed.services.items() if "healthcheck" in service]
    assert len(checked) == 8
    assert [name for name in checked if not composed.is_healthy(name)] == []
    assert {one["name"]: one["slots"] for one in composed.api.get("/pools")["pools"]}["monitor_backfill"] == SLOTS


def test_scheduled_windows_and_a_backfill_end_in_verdicts(
    composed: Composed, told: tuple[datetime, dict[str, str]]
) -> None:
    start, states = told
    kinds = sorted((run.split("__")[0], state) for run, state in states.items())
    assert kinds == [*[("backfill", "success")] * 3, ("scheduled", "success")]
    place = Site(load_endpoint("loan-scoring.yaml", configuration("loan-scoring", "demo")), composed.credentials())
    windows = [Window.of(start + hour * HOUR, start + (hour + 1) * HOUR) for hour in range(4)]
    verdicts: list[list[Verdict]] = [place.verdicts(window) for window in windows]
    assert [{str(one.status) for one in found} for found in verdicts] == [
        {"Completed"}, {"CompletedWithViolations"}, {"NoData"}, {"CompletedWithViolations"},
    ]  # fmt: skip
    assert verdicts[3][-1].action == "retrain"


def test_retraining_is_handed_over_through_celery(composed: Composed, told: tuple[datetime, dict[str, str]]) -> None:
    start, _ = told
    (run,) = wait(composed, RETRAINING, 1).items()
    assert run[1] == "success"
    conf = composed.api.get(f"/dags/{RETRAINING}/dagRuns/{run[0]}")["conf"]
    assert conf["window"] == str(Window.of(start + 3 * HOUR, start + 4 * HOUR))


def test_the_present_hour_does_not_wait_for_the_backfill(
    composed: Composed, told: tuple[datetime, dict[str, str]]
) -> None:
    tasks = {run: composed.api.get(f"/dags/{DAG}/dagRuns/{run}/taskInstances")["task_instances"] for run in told[1]}
    ran = {run: [one for one in found if one["start_date"] and one["queued_when"]] for run, found in tasks.items()}
    live = [one for run, found in ran.items() for one in found if run.startswith("scheduled")]
    past = [one for run, found in ran.items() for one in found if run.startswith("backfill")]
    assert {(one["pool"], one["priority_weight"]) for one in past} == {("monitor_backfill", 0)}
    assert {one["pool"] for one in live} == {"default_pool"}
    assert min(one["priority_weight"] for one in live) >= 1
    for one in past:  # never more of them at once than their pool has slots
        assert (
            sum(other["start_date"] < one["end_date"] > one["start_date"] < other["end_date"] for other in past)
            <= SLOTS
        )
    for one in live:  # while one waits, at most what was under way already goes on
        began = [other for other in past if one["queued_when"] < other["start_date"] < one["start_date"]]
        assert len(began) <= SLOTS, (one["task_id"], began)
    assert max(one["end_date"] for one in live) < max(one["end_date"] for one in past)


def test_the_work_goes_on_after_database_and_store_were_started_again(
    composed: Composed, bucket: Any, told: tuple[datetime, dict[str, str]]
) -> None:
    before = bucket.list_objects_v2(Bucket=BUCKET, Prefix="demo/loan-scoring/")["KeyCount"]
    window = str(Window.of(told[0], told[0] + HOUR))
    asked = {"logical_date": None, "conf": {"window": window}}
    composed.api.post(f"/dags/{DAG}/dagRuns", asked)
    composed.stop("s3", "postgres")
    composed.up("postgres", "s3")
    assert bucket.list_objects_v2(Bucket=BUCKET, Prefix="demo/loan-scoring/")["KeyCount"] == before > 0
    assert set(wait(composed, DAG, 5).values()) == {"success"}


def test_every_window_of_many_endpoints_is_judged_once(composed: Composed, capsys: pytest.CaptureFixture[str]) -> None:
    found = measure(composed, 2, 3, ["data_quality"])
    with capsys.disabled():
        print(f"\n{found}")  # noqa: T201
    assert (found.verdicts, found.failed) == ({1: 6}, 0)
    assert 0 < found.live[0] <= found.live[1] <= found.seconds
    assert found.past[1] <= found.seconds
    assert found.busy > 0
    assert {"worker", "postgres", "redis", "s3", "scheduler"} <= set(found.megabytes)
