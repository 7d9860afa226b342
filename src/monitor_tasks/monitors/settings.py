"""What each monitor's section of an endpoint's YAML may say, and the table of all monitors."""

from importlib import import_module
from typing import Any, Literal, NamedTuple

from pydantic import Field

from monitor_tasks.value import Address, Value

NAME = r"^[a-zA-Z0-9]([-_]*[a-zA-Z0-9]){0,62}$"
"""What SageMaker allows as a schedule's or endpoint's name, and underscores."""


class DataQualitySettings(Value):
    """Data quality: types, completeness, domains, column set and drift, validated by Great Expectations."""

    monitoring_schedule_name: str = Field("data_quality", pattern=NAME)
    """The folder of this monitor's executions, as SageMaker names it after the schedule."""
    minimum_rows: int = Field(30, ge=1)
    """A window with fewer rows is undecided."""
    suite: Address | None = None
    """Your own Great Expectations suite: a JSON file of standard expectations, validated beside the suggested ones."""
    datatype_check_threshold: float = Field(1.0, ge=0, le=1)
    """Share of a column's cells that must have the baseline's type (SageMaker's name)."""
    domain_content_threshold: float = Field(1.0, ge=0, le=1)
    """Share of a column's cells that must be categories of the baseline (SageMaker's name)."""
    domain_limit: int = Field(120, ge=1)
    """A text column with more categories than this gets no domain."""
    comparison_threshold: float = Field(0.1, ge=0)
    """Largest drift distance of a column that is still kept (SageMaker's name)."""
    comparison_method: Literal["Robust", "Simple"] = "Robust"
    """Whether the distance is corrected for the number of rows (SageMaker's name)."""


class Registration(NamedTuple):
    """One monitor's row: everything that follows from it imports nothing heavy."""

    name: str
    """Key in the YAML, box in the DAG, column in the dashboard."""
    task: str
    """The verb in the sentence, as the DAG's box names it."""
    stage: Literal["captured", "labelled", "explained"]
    """Which rows it reads."""
    path: str
    """Where its class lies."""
    settings: type[Value]

    def monitor(self, settings: Value) -> Any:
        """The monitor itself, built from its settings; imports its room."""
        module, _, name = self.path.partition(":")
        return getattr(import_module(module), name)(settings)


MONITORS = {
    row.name: row
    for row in (
        Registration(
            "data_quality",
            "validate_data",
            "captured",
            "monitor_tasks.monitors.data_quality:DataQuality",
            DataQualitySettings,
        ),
    )
}
