"""Inputs: where captures, references and labels lie, and how they are read. Imports nothing heavy."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, AliasChoices, Field, model_validator

from monitor_tasks.value import Address, Value
from monitor_tasks.window import parse_duration


def _is_duration(text: str) -> str:
    parse_duration(text)
    return text


DurationText = Annotated[str, AfterValidator(_is_duration)]


class Csv(Value):
    """CSV with or without a line of names."""

    header: bool = Field(True, validation_alias=AliasChoices("header", "Header"))
    """Whether the first line names the columns."""


class Json(Value):
    """JSON Lines."""

    line: bool = Field(True, validation_alias=AliasChoices("line", "lines", "Line"))
    """One object a line."""


class DatasetFormat(Value):
    """How a table file is written; left out, the file's ending decides."""

    csv: Csv | None = Field(None, validation_alias=AliasChoices("csv", "Csv"))
    json_lines: Json | None = Field(None, alias="json", validation_alias=AliasChoices("json", "Json", "json_lines"))
    parquet: dict[str, str] | None = Field(None, validation_alias=AliasChoices("parquet", "Parquet"))

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if sum(kind is not None for kind in (self.csv, self.json_lines, self.parquet)) != 1:
            raise ValueError("name exactly one of csv, json, parquet")
        return self

    @property
    def reading(self) -> tuple[str, bool]:
        """The kind of file, and whether its first line names the columns."""
        kind = next(name for name in ("csv", "json_lines", "parquet") if getattr(self, name) is not None)
        return kind.removesuffix("_lines"), self.csv is None or self.csv.header


class Limits(Value):
    """How far reading goes; what goes further is quarantined with a reason."""

    record_bytes: int = Field(8 << 20, ge=1, le=16 << 20)
    """The longest record."""
    depth: int = Field(100, ge=1, le=500)
    """How deep JSON may be nested."""
    columns: int = Field(4096, ge=1)
    """The most cells of one side of a record."""
    unfolding: int = Field(200, ge=1)
    """How many times its own size a gzip may unfold to."""
    memory: str = Field("512MB", pattern=r"^[1-9]\d{0,5}[MG]B$")
    """What the engine that reads records may hold beside its results."""


class Records(Value):
    """How captured records are read."""

    capture_options: tuple[Literal["Input", "Output"], ...] = ("Input", "Output")
    """Which sides a complete record has; one that lacks a side is quarantined."""
    input_names: tuple[str, ...] = ()
    """Names of the input's cells, in order; needed where CSV and JSON payloads are mixed."""
    output_names: tuple[str, ...] = ()
    """Names of the output's cells, in order; outputs are the first columns."""
    split_rows: bool = False
    """Whether each row of a record with several is a row; else they are one, as SageMaker's data quality has it."""
    features_attribute: str | None = Field(None, min_length=1)
    """JMESPath to the features in a JSON input, such as ``instances[*].features``; the usual forms need none."""
    output_attributes: dict[str, str] = Field(default_factory=dict)
    """Columns of a JSON output, each with its JMESPath: ``{score: "predictions[*].score"}``."""
    custom_attributes: tuple[str, ...] = ()
    """Custom attributes that are columns too: ``latency_ms`` reads ``latency_ms=12.5``."""
    private: Mapping[str, Literal["hash", "drop"]] = Field(default_factory=dict)
    """Columns whose cells are hashed (``MONITOR_TASKS_PRIVATE_KEY``) or left out before anything is stored."""
    limits: Limits = Limits()

    @model_validator(mode="after")
    def _names_are_columns(self) -> Self:
        names = [*self.output_names, *self.input_names, *self.custom_attributes]
        if len(set(names)) < len(names):
            raise ValueError("input_names, output_names and custom_attributes may not name a column twice")
        if any(name.startswith("@") for name in (*names, *self.output_attributes, *self.private)):
            raise ValueError("names of columns may not begin with '@': such columns are ours")
        if "" in self.output_attributes:
            raise ValueError("output_attributes may not name a column ''")
        return self

    def paths(self, side: str) -> dict[str, str]:
        """The JMESPath to each column of a side's JSON; the column ``""`` means whole rows."""
        if side == "Output":
            return self.output_attributes
        return {"": self.features_attribute} if self.features_attribute else {}

    @property
    def named(self) -> tuple[str, ...]:
        """The columns that have a name before a record is read."""
        return (*self.output_names, *self.input_names, *self.output_attributes, *self.custom_attributes)


class Capture(Records):
    """Where the endpoint's captured traffic lies and how it is read."""

    address: Address
    """The folder that holds the hour folders ``yyyy/MM/dd/HH`` (SageMaker: destination/endpoint/variant), or a file."""
    layout: Literal["hours", "variants", "flat"] = "hours"
    """``variants``: one folder per variant above the hours. ``flat``: only the event time decides, not folders."""
    dataset_format: DatasetFormat | None = None
    """Set where the address holds a batch transform's manifests, or tables: how their rows are written."""
    record_preprocessor_script: Address | None = None
    """A Python script whose ``preprocess_handler(inference_record[, logger])`` makes the rows of each record."""
    record_preprocessor_sha256: str | None = Field(None, pattern="^[0-9a-f]{64}$")
    """The pinned hash of that script; it runs with the rights of the task."""


class Variants(Value):
    """Which of several variants the monitors judge; all are read, labelled and compared."""

    shadow: tuple[str, ...] = ()
    """Variants whose answers nobody is given, by the names of their folders: they are not judged."""
    judged: tuple[str, ...] = ()
    """The variants that are judged, together; left out, all but the shadow ones."""

    @property
    def told(self) -> str:
        """Whose rows count, in words; empty where everybody's do."""
        if self.judged:
            return f"only rows of the variants {', '.join(self.judged)} are judged (variants.judged)"
        return f"rows of the variants {', '.join(self.shadow)} are not judged (variants.shadow)" if self.shadow else ""


class Reference(Value):
    """The table that a baseline is suggested from."""

    dataset: Address
    """CSV, Parquet or JSON Lines with the columns of the captured rows, outputs first."""
    dataset_format: DatasetFormat | None = None


class GroundTruth(Value):
    """Where the labels arrive."""

    address: Address
    """The folder that holds the hour folders ``yyyy/MM/dd/HH`` of SageMaker's ground-truth files, or one file."""
    id_attribute: str = Field("event_id", min_length=1)
    """In files ``.csv`` and ``.parquet``, the column of the captured record's inference id, or else its event id."""
    label_attribute: str = Field("label", min_length=1)
    """In such files, the column of the label; in ground truth of JSON, the JMESPath to it, or to those of all rows."""
    label_horizon: DurationText = "PT24H"
    """How long after a window's end its labels are still looked for, by the hour in which they were collected."""
    merged_records: bool = False
    """Whether ``merged.jsonl`` is written, as by SageMaker's merge job; needs the capture's output and input names."""
    label_coverage: float = Field(0.0, ge=0, le=1)
    """With a smaller share of labelled predictions, the monitors of labels leave a window undecided."""
    start_time_offset: DurationText | None = None
    """The labelled rows start so long from the window's end, as ``-P8D``: in place of restating (SageMaker's name)."""
    end_time_offset: DurationText | None = None
    """The labelled rows end so long from the window's end, as ``-P1D`` (SageMaker's name)."""
    asset: str | None = Field(None, pattern=r"^[\w./:-]+$", max_length=1500)
    """The Airflow asset whose events tell that labels have come: ``labels__<endpoint>`` then runs at once, too."""

    @model_validator(mode="after")
    def _is_a_span(self) -> Self:
        offsets = [parse_duration(one) for one in (self.start_time_offset, self.end_time_offset) if one is not None]
        if len(offsets) == 1 or (offsets and not offsets[0] < offsets[1] <= timedelta()):
            raise ValueError("start_time_offset and end_time_offset go together, as -P8D and -P1D: a span of the past")
        if offsets and self.asset:
            raise ValueError("asset: with start_time_offset nothing is restated when labels come; take one of them out")
        return self

    @property
    def longest_wait(self) -> timedelta:
        """How long after its end a window's rows may still be laid beside labels."""
        back = parse_duration(self.start_time_offset) if self.start_time_offset else timedelta()
        return max(parse_duration(self.label_horizon), -back)
