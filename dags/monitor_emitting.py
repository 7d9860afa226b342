"""What goes out of judged windows to other systems: for the DAG that judges them and the one that restates them."""

import logging
from functools import partial

from airflow.sdk import Asset
from monitor_connections import lineage, options, site

from monitor_tasks import sending
from monitor_tasks.endpoint import Emit, Endpoint
from monitor_tasks.value import UserError
from monitor_tasks.window import Window

log = logging.getLogger(__name__)


def emits(endpoint: Endpoint) -> bool:
    """Whether anything goes out of every window."""
    return endpoint.emit != Emit()


def verdicts(endpoint: Endpoint) -> Asset:
    """What has an event of every verdict."""
    return Asset(f"monitor__{endpoint.endpoint_name}", uri=f"x-monitor-tasks://{endpoint.endpoint_name}/verdict")


def send_out(endpoint: Endpoint, windows: list[Window]) -> None:
    """Sends the numbers and verdicts of windows; one that fails holds up no other.

    Raises:
        UserError: not everything was sent; the task's next try sends what is left, and the asset's events with it.
    """
    place, failed = site(endpoint), list[str]()
    for window in windows:
        try:
            for note in sending.emit(place, window, partial(options, endpoint), lineage(endpoint)):
                log.warning("%s", note)
        except UserError as error:
            failed.append(str(error))
    if failed:
        raise UserError("; ".join(failed))
