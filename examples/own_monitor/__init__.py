"""A monitor of one's own: how many numbers of a column are round. People who guess an amount round it."""

from pydantic import Field

from monitor_tasks.monitors.settings import NAME, Registration
from monitor_tasks.value import Value


class RoundNumbersSettings(Value):
    """Round numbers: the share of a column's numbers that are multiples of another."""

    monitoring_schedule_name: str = Field("round_numbers", pattern=NAME)
    """The folder of this monitor's executions."""
    minimum_rows: int = Field(100, ge=1)
    """A window with fewer numbers is undecided."""
    column: str
    """The column of numbers."""
    multiple: int = Field(1000, ge=2)
    """What a round number is a multiple of."""
    allowed_growth: float = Field(0.1, ge=0, le=1)
    """By how much the share may grow beyond the reference's."""


REGISTRATION = Registration(
    "round_numbers",  # the key in the YAML
    "check_round_numbers",  # the box in the DAG
    "captured",  # the rows it reads: captured or labelled
    "examples.own_monitor.monitor:RoundNumbers",
    RoundNumbersSettings,
)
