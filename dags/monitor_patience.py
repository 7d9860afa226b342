"""How often a box is tried again: soon and twice, but for the better part of an hour where a store does not answer."""

from datetime import timedelta
from typing import Any

from airflow.sdk import RetryDecision, RetryPolicy

from monitor_tasks.endpoint import Endpoint
from monitor_tasks.io.errors import Unreachable

TWICE = 2
FIRST, LONGEST = timedelta(seconds=30), timedelta(minutes=15)
"""The pause before the second try, and the longest; each is twice the one before."""


class Patience(RetryPolicy):
    """A fault is given up after its third time; a store that is away is waited for as often as a box may be tried."""

    def evaluate(self, exception: BaseException, try_number: int, **_: Any) -> RetryDecision:
        """Whether the box is tried again after this exception, and when."""
        if _is_away(exception):
            pause = min(FIRST * 2 ** (try_number - 1), LONGEST)
            return RetryDecision.retry(pause, f"the store does not answer; tried again in {pause.total_seconds():g} s")
        if try_number > TWICE:
            return RetryDecision.fail(f"failed on try {try_number}")
        return RetryDecision.default()


def _is_away(error: BaseException | None) -> bool:
    return error is not None and (isinstance(error, Unreachable) or _is_away(error.__cause__))


PATIENCE: dict[str, Any] = {"retries": 7, "retry_delay": FIRST, "retry_policy": Patience()}
"""Of a DAG's default_args: with the requests' own retries about an hour, in which no slot of a pool is held."""


def of_endpoint(endpoint: Endpoint) -> dict[str, Any]:
    """The default_args of an endpoint's DAGs."""
    return {"owner": endpoint.owner or "airflow", "pool": endpoint.pool, **PATIENCE}
