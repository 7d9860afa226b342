"""What each monitor's section of an endpoint's YAML may say, and the table of all monitors."""

from collections.abc import Mapping
from importlib import import_module
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from monitor_tasks.value import Address, Value

NAME = r"^[a-zA-Z0-9]([-_]*[a-zA-Z0-9]){0,62}$"
"""What SageMaker allows as a schedule's or endpoint's name, and underscores."""


Rule = Literal["observed", "interval"]
"""How a bound is judged: the bare number as SageMaker does, or only where chance does not explain it."""
NumericMethod = Literal[
    "ks", "l_infinity", "psi", "jensen_shannon", "kullback_leibler", "hellinger", "wasserstein", "chi_square",
    "cramers_v", "mean_shift", "variance_shift",
]  # fmt: skip
"""How a column of numbers can be compared with its reference."""
CategoricalMethod = Literal[
    "l_infinity", "psi", "jensen_shannon", "kullback_leibler", "hellinger", "chi_square", "cramers_v"
]
"""How a column of categories can be compared with its reference."""

TableMethod = Literal["mmd", "domain_classifier"]
"""How the rows of all columns together can be compared with the reference's."""


class DriftSettings(Value):
    """Drift beside SageMaker's: methods by the kind of a column; none unless it is named."""

    numeric: tuple[NumericMethod, ...] = ()
    """Methods for every column of numbers."""
    categorical: tuple[CategoricalMethod, ...] = ()
    """Methods for every column of truth values or of few texts."""
    columns: Mapping[str, tuple[NumericMethod, ...]] = Field(default_factory=dict)
    """Methods of single columns by name, in place of those of their kind; an empty list switches them off."""
    correlation: bool = False
    """Whether each column must keep its rank correlations with the others."""
    table: tuple[TableMethod, ...] = ()
    """Methods for all columns together, on a sample of the rows."""
    sample_rows: int = Field(1024, ge=100, le=10_000)
    """How many rows of either side such a method compares."""
    thresholds: Mapping[
        NumericMethod | Literal["correlation"] | TableMethod, Annotated[float, Field(gt=0, allow_inf_nan=False)]
    ] = Field(default_factory=dict)
    """What is still kept by a method, in place of its usual bound; of chi_square and mmd the smallest p-value."""


class PredictionSettings(Value):
    """What tells how sure the model is of a row; it is monitored as columns of its own."""

    probabilities: tuple[str, ...] = ()
    """The column of the probability of class 1, or those of the probabilities of all classes."""
    interval: tuple[str, str] | None = None
    """The columns of a prediction interval's lower and upper bound."""


class DataQualitySettings(Value):
    """Data quality: types, completeness, domains, column set and drift, validated by Great Expectations."""

    monitoring_schedule_name: str = Field("data_quality", pattern=NAME)
    """The folder of this monitor's executions, as SageMaker names it after the schedule."""
    minimum_rows: int = Field(30, ge=1)
    """A window with fewer rows is undecided."""
    rule: Rule = "interval"
    """``interval``: a share of cells is a violation only where chance does not explain it; ``observed``: always."""
    suite: Address | None = None
    """Your own Great Expectations suite: a JSON file of standard expectations, validated beside the suggested ones."""
    baseline_constraints: Address | None = None
    """A constraints.json, as SageMaker wrote it or you edited it, that is the baseline in place of a suggested one."""
    baseline_statistics: Address | None = None
    """The statistics.json beside it, which drift is measured against (both are SageMaker's names)."""
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
    predictions: PredictionSettings = PredictionSettings()
    """Adds the columns ``prediction_entropy`` and ``prediction_interval_width``."""
    private: Mapping[str, Literal["hash", "drop"]] = Field(default_factory=dict)
    """Columns whose cells nobody may read: hashed (``MONITOR_TASKS_PRIVATE_KEY``) or left out before anything else."""
    drift: DriftSettings = DriftSettings()
    """Methods that are judged beside SageMaker's distance."""
    range_check: bool = False
    """Whether numbers must stay between the smallest and the largest of the reference."""
    constant_check: bool = False
    """Whether a column that varies in the reference must vary."""
    format_check: bool = False
    """Whether texts must be written as those of the reference: dates as dates, identifiers as identifiers."""
    encoding_check: bool = False
    """Whether texts must be as free of damaged characters as those of the reference."""
    class_balance: tuple[str, ...] = ()
    """Columns of classes, such as a prediction or a label, none of which may grow much rarer."""
    class_balance_threshold: float = Field(0.5, gt=0, le=1)
    """The part of its share in the reference that a class must keep."""
    duplicate_rows_check: bool = False
    """Whether rows may repeat hardly more often than in the reference."""
    duplicate_rows_threshold: float = Field(0.01, ge=0, le=1)
    """By how much the share of repeated rows may grow."""

    @model_validator(mode="after")
    def _has_constraints_beside_statistics(self) -> Self:
        if self.baseline_statistics and not self.baseline_constraints:
            raise ValueError("baseline_statistics needs baseline_constraints, which says what is checked")
        return self


ProblemType = Literal["BinaryClassification", "MulticlassClassification", "Regression"]
"""SageMaker's names of what is predicted."""
FurtherMetric = Literal[
    "balanced_accuracy", "matthews_correlation", "average_precision", "log_loss", "brier_score",
    "expected_calibration_error", "uncertain_prediction_rate", "top_k_accuracy", "mape", "median_absolute_error",
    "residual_mean", "residual_variance", "label_drift",
]  # fmt: skip
"""Metrics of model quality that SageMaker does not know; which of them are defined follows from the problem type."""


class Segment(Value):
    """A column whose values part the rows; each part has the metrics of its own."""

    name: str
    """The column."""
    cuts: tuple[Annotated[float, Field(allow_inf_nan=False)], ...] = Field((), max_length=30)
    """Where a column of numbers is cut, rising; without cuts every value is a segment, up to 32 of them."""

    @field_validator("cuts")
    @classmethod
    def _rise(cls, cuts: tuple[float, ...]) -> tuple[float, ...]:
        if list(cuts) != sorted({*cuts}):
            raise ValueError(f"cuts must rise, as 30, 45, 60 do; got {', '.join(map(str, cuts))}")
        return cuts


def _by_name(given: Any) -> Any:
    return {"name": given} if isinstance(given, str) else given


class WorstSlices(Value):
    """A search for the slices in which predictions are worst, confirmed on rows that were not searched."""

    columns: tuple[str, ...] = ()
    """The columns to look through; left out: all but those of labels and predictions."""
    sample_rows: int = Field(5000, ge=100, le=20_000)
    """How many labelled rows are searched, at most half of them: those with the smallest hashes."""
    minimum_rows: int = Field(50, ge=20)
    """A slice with fewer rows, in the sample or among the others, is not looked at."""
    candidates: int = Field(5, ge=1, le=20)
    """So many of the worst slices are held against the other rows."""
    level: float = Field(0.05, gt=0, le=0.2)
    """In at most this part of the windows without such a slice is any confirmed."""
    allowed_difference: float | None = Field(None, ge=0, allow_inf_nan=False)
    """By how much accuracy or mae in a confirmed slice may be worse than outside; left out: told, never a violation."""


class CompareSettings(Value):
    """Two models behind one endpoint, the second of which is compared with the first."""

    champion: str = Field(min_length=1)
    """The variant that holds the place now: the name of its folder in the capture."""
    challenger: str = Field(min_length=1)
    """The variant that might take it."""
    by: Literal["variant", "component"] = "variant"
    """Whether these are names of production or shadow variants, or of inference components."""
    metric: str | None = None
    """The metric that decides; left out, ``accuracy``, of numbers ``mae``."""


class ModelQualitySettings(Value):
    """Model quality: the predictions against the labels that have arrived."""

    monitoring_schedule_name: str = Field("model_quality", pattern=NAME)
    """The folder of this monitor's executions, as SageMaker names it after the schedule."""
    problem_type: ProblemType = "BinaryClassification"
    """SageMaker's name of what is predicted."""
    inference_attribute: str | None = None
    """Column of the predicted class or number; a class that is left out follows from its probability."""
    probability_attribute: str | None = None
    """Binary: column of the probability of class 1; needed for AUC and curves."""
    probability_threshold_attribute: float = Field(0.5, ge=0, le=1)
    """Binary: class 1 is predicted where the probability is larger."""
    class_probability_attributes: Mapping[str, str] = Field(default_factory=dict)
    """Multiclass: the column of each class's probability, by the class; needed for losses and top-k accuracy."""
    ground_truth_attribute: str = "label"
    """Column of the label; ground truth that is merged appears under this name."""
    baseline_constraints: Address | None = None
    """A constraints.json, as SageMaker wrote it or you edited it, that is the baseline in place of a suggested one."""
    minimum_rows: int = Field(30, ge=1)
    """A window with fewer labelled rows is undecided."""
    rule: Rule = "observed"
    """``observed``: worse than the baseline is a violation; ``interval``: only by more than three deviations."""
    further_metrics: tuple[FurtherMetric, ...] = ()
    """Metrics that are judged beside SageMaker's."""
    top_k: int = Field(3, ge=1)
    """Multiclass: a label among so many of the most probable classes is a hit of top_k_accuracy."""
    uncertain_margin: float = Field(0.1, ge=0, le=1)
    """Binary: a probability no farther than this from its threshold is uncertain."""
    label_drift_threshold: float = Field(0.1, gt=0, allow_inf_nan=False)
    """Largest label_drift that is kept: of classes the change of a share, of numbers standard deviations."""
    segments: tuple[Annotated[Segment, BeforeValidator(_by_name, json_schema_input_type=str | Segment)], ...] = ()
    """Columns by whose values the metrics are judged too; by name, or with cuts for a column of numbers."""
    worst_slices: WorstSlices | None = None
    """Looks for the slices in which predictions are worst; off unless it is named, ``{}`` is enough."""

    @field_validator("segments")
    @classmethod
    def _once_each(cls, segments: tuple[Segment, ...]) -> tuple[Segment, ...]:
        names = [one.name for one in segments]
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"{twice[0]!r} stands there twice; name each column once")
        return segments

    compare: CompareSettings | None = None
    """Two variants whose metrics are compared in every window: informative, it is no violation by itself."""
    strict_compatibility: bool = False
    """Whether ``f0_5`` is left unjudged, as SageMaker's container leaves it."""
    estimate: bool = False
    """Whether reports tell what the metrics are expected to be, labels or not; a baseline suggested before has to be
    suggested anew for Regression."""
    estimate_attributes: tuple[str, ...] = ()
    """Regression: columns that the expected loss is told from beside the prediction; none named: all but the label."""
    judged_estimates: tuple[str, ...] = ()
    """Metrics whose estimate is judged too, without waiting for labels: ``accuracy``; none unless it is named."""


class Facet(Value):
    """A group of rows whose outcomes are compared with those of all others."""

    name: str
    """The facet's column."""
    value_or_threshold: tuple[str | float, ...] = ()
    """The values that name the group; one number on a column of many numbers is a threshold. Empty: each value."""


FairnessMetric = Literal["statistical_parity_difference", "equal_opportunity_difference", "average_odds_difference"]
"""Metrics of bias that Clarify does not know."""


class BiasSettings(Value):
    """Bias: the outcomes of groups compared, before and after the model (Clarify's metrics)."""

    monitoring_schedule_name: str = Field("bias", pattern=NAME)
    """The folder of this monitor's executions, as SageMaker names it after the schedule."""
    label: str = "label"
    """Column of the label; ground truth that is merged appears under this name."""
    label_values_or_threshold: tuple[str | float, ...] = ("1",)
    """The labels that count as positive; one number on a column of many numbers is a threshold."""
    predicted_label: str
    """Column of the predicted class, or of its probability."""
    probability_threshold: float | None = Field(None, ge=0, le=1)
    """The predicted label is a probability; positive where it is larger."""
    facets: tuple[Facet, ...] = Field(min_length=1)
    baseline_constraints: Address | None = None
    """Clarify's analysis.json of a baseline, which is the baseline in place of a suggested one."""
    group_variable: str | None = None
    """Column of the subgroups for conditional demographic disparity."""
    intersections: tuple[tuple[str, ...], ...] = ()
    """Facets that are looked at together, each a list of their names: women of 60 and more, say."""
    further_metrics: tuple[FairnessMetric, ...] = ()
    """Metrics that are judged beside Clarify's; they are shown in any case."""
    sample_rows: int = Field(1024, ge=0, le=10_000)
    """How many different rows the flip test looks at; 0 leaves it out."""
    excluded_columns: tuple[str, ...] = ()
    """Columns that are no features of the flip test, besides facet, label and predicted label (Clarify's name)."""
    minimum_rows: int = Field(30, ge=1)
    """With fewer labelled rows in the group or outside it, the group is undecided."""
    rule: Rule = "observed"
    """``observed``: farther from 0 than the baseline is a violation; ``interval``: unless chance explains it."""

    @model_validator(mode="after")
    def _intersections_name_facets(self) -> Self:
        names = [facet.name for facet in self.facets]
        for one in self.intersections:
            if strange := [name for name in one if name not in names]:
                raise ValueError(f"intersections: {strange[0]!r} is no facet; the facets are {', '.join(names)}")
            if len({*one}) < max(2, len(one)):
                raise ValueError(f"intersections: {list(one)} needs two or more different facets")
        return self


ContentType = Literal["text/csv", "application/json", "application/jsonlines"]
"""How rows are sent to a live endpoint, and how it answers."""


class PredictorSettings(Value):
    """How the model is asked (Clarify's ``predictor``): the names of its answers, and how far asking may go."""

    label_headers: tuple[str, ...] = ()
    """Names of the model's outputs, in order; left out: ``label0``, ``label1``, … (Clarify's name)."""
    time_limit: float = Field(600.0, gt=0, allow_inf_nan=False)
    """Seconds that a model from a file or a Python function may take to load and to explain a window."""
    memory_limit: str = Field("8GB", pattern=r"^[1-9]\d{0,5}[MG]B$")
    """Address space of the process that loads a model file."""
    content_type: ContentType = "text/csv"
    """Live endpoint: how rows are sent (Clarify's name)."""
    accept_type: ContentType | None = None
    """Live endpoint: how it shall answer; left out, as it is asked (Clarify's name)."""
    probability: str | None = Field(None, min_length=1)
    """Live endpoint: JMESPath to the numbers in a JSON answer, of one line in JSON Lines (Clarify's name)."""
    batch_rows: int = Field(500, ge=1)
    """Live endpoint: how many rows one request holds."""
    timeout: float = Field(60.0, gt=0, allow_inf_nan=False)
    """Live endpoint: seconds until one answer must be there, to its last byte."""
    attempts: int = Field(5, ge=1, le=20)
    """Live endpoint: how often a request is tried that is throttled, fails at the endpoint, or gets no answer."""
    requests_per_second: float = Field(10.0, gt=0, allow_inf_nan=False)
    """Live endpoint: no more requests are sent than this."""


class AttributionSettings(Value):
    """Attribution: which features drive the predictions (SHAP), and whether their ranking still holds."""

    monitoring_schedule_name: str = Field("attribution", pattern=NAME)
    """The folder of this monitor's executions, as SageMaker names it after the schedule."""
    sample_rows: int = Field(1000, ge=2)
    """How many rows are explained: those with the smallest hashes."""
    explainer: Literal["auto", "permutation", "kernel"] = "auto"
    """``auto``: exact for trees and linear models, by permutations for others; ``kernel``: Kernel SHAP."""
    baseline: tuple[tuple[float | str | None, ...], ...] | Address | None = None
    """What values are relative to: rows in the features' order, or a table of them; left out: a summary (Clarify's)."""
    num_clusters: int = Field(12, ge=1, le=100)
    """How many rows the summary of the reference has, by k-means (Clarify's name)."""
    num_samples: int | None = Field(None, ge=2)
    """How many coalitions of features are tried for a row where values are no exact ones (Clarify's name)."""
    agg_method: Literal["mean_abs", "mean_sq", "median"] = "mean_abs"
    """How local values become one number for a feature (Clarify's name)."""
    use_logit: bool = False
    """Whether probabilities are explained as log-odds; trees and linear models always are (Clarify's name)."""
    save_local_shap_values: bool = False
    """Whether each explained row's values are written to ``explanations_shap/out.csv`` (Clarify's name)."""
    seed: int = Field(0, ge=0, lt=1 << 32)
    """Same seed, same bytes, where an explainer draws at random."""
    minimum_rows: int = Field(30, ge=2)
    """A window with fewer rows is undecided."""
    threshold: float = Field(0.9, ge=0, le=1)
    """Smallest nDCG of the features' ranking that is still kept (Clarify's fixed 0.90), of its file alone as well."""
    baseline_constraints: Address | None = None
    """Clarify's analysis.json of a baseline, which is the baseline in place of a suggested one."""
    predictor: PredictorSettings = PredictorSettings()
    """How the model is asked."""


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
        Registration(
            "model_quality",
            "measure_quality",
            "labelled",
            "monitor_tasks.monitors.model_quality:ModelQuality",
            ModelQualitySettings,
        ),
        Registration("bias", "check_bias", "labelled", "monitor_tasks.monitors.bias:Bias", BiasSettings),
        Registration(
            "attribution",
            "check_attribution",
            "explained",
            "monitor_tasks.monitors.attribution:Attribution",
            AttributionSettings,
        ),
    )
}
