"""A store that is away is waited for, and any other fault is given up soon: by the policy, and in a DAG's run."""

from collections.abc import Callable
from typing import Any

from tests.dags.conftest import ROOT

PATH = f"import sys; sys.path.append({str(ROOT / 'dags')!r})"
TELL = f"""
import json; {PATH}
from functools import partial
from monitor_patience import Patience, Unreachable
from monitor_tasks.value import UserError
def told(error):
    ask = partial(Patience().evaluate, exception=error, max_tries=7, context=None)
    found = [ask(try_number=number) for number in range(1, 8)]
    return [one.retry_delay.total_seconds() if one.retry_delay else one.action.value for one in found]
away, because = Unreachable("s3://bucket: no answer"), UserError("the model cannot be read")
because.__cause__ = away
print(json.dumps({{"away": told(away), "because": told(because), "fault": told(UserError("no such column"))}}))
"""
RUN = f"""
import json; {PATH}
from datetime import timedelta
import monitor_patience
from monitor_patience import Unreachable
monitor_patience.FIRST = timedelta(0)
import monitor_endpoints
from monitor_tasks.value import UserError
from monitor_tasks.window import parse_time
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
asked, real = {{"merge_labels": 0, "suggest_baseline": 0}}, monitor_endpoints.tasks.suggest_baseline
def away(*given):
    asked["suggest_baseline"] += 1
    if asked["suggest_baseline"] < 5:
        raise Unreachable("the store does not answer")
    return real(*given)
def broken(*_):
    asked["merge_labels"] += 1
    raise UserError("no such column")
monitor_endpoints.tasks.suggest_baseline, monitor_endpoints.tasks.merge_labels = away, broken
dag = vars(monitor_endpoints)["monitor__loan-scoring"]
for one in dag.tasks:
    one.retry_delay = timedelta(0)
run = dag.test(logical_date=parse_time("2026-01-01T00:00:00Z"))
with create_session() as session:
    found = session.query(TaskInstance).filter_by(run_id=run.run_id).all()
    print(json.dumps({{"asked": asked, "states": {{one.task_id: str(one.state) for one in found}}}}))
"""


def test_pauses_grow_only_where_the_store_is_away(in_airflow: Callable[..., Any]) -> None:
    told = in_airflow(TELL)
    assert told["away"] == told["because"] == [30, 60, 120, 240, 480, 900, 900]
    assert told["fault"] == ["default", "default", *["fail"] * 5]


def test_a_run_waits_for_the_store_and_gives_up_a_fault_after_three_tries(in_airflow: Callable[..., Any]) -> None:
    told = in_airflow(RUN)
    assert told["asked"] == {"merge_labels": 3, "suggest_baseline": 5}
    states = told["states"]
    assert (states["suggest_baseline"], states["validate_data"], states["merge_labels"]) == (
        "success",
        "success",
        "failed",
    )
    assert states["choose_action"] == "upstream_failed"
