"""Model quality: the predictions of a binary classifier against the labels that have arrived."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from monitor_tasks.baseline import Baseline, Constraint, Metric
from monitor_tasks.exhibit import Curve, Exhibit
from monitor_tasks.metrics.curves import by_score, precision_recall, receiver_operating_characteristic
from monitor_tasks.metrics.distributions import by_label, scores, thinned
from monitor_tasks.metrics.performance import Measured, auc_error, best_constant, measured, outcomes
from monitor_tasks.metrics.resampling import MINIMUM_ROWS
from monitor_tasks.monitors.settings import ModelQualitySettings
from monitor_tasks.profiles.scores import Predictions, ScoreProfile
from monitor_tasks.value import UserError

CONSTANT = "_best_constant_classifier"
MARGIN = 3.0
"""How many standard deviations a bound gives way by the interval rule, on either side."""
LARGER_IS_WORSE = ("false_positive_rate", "false_negative_rate")
SHARES = ("recall", "precision", "accuracy")
RATES = ("true_positive_rate", "true_negative_rate", *LARGER_IS_WORSE)
F_SCORES = ("f0_5", "f1", "f2")
CONSTRAINED = (*SHARES, *RATES, "auc", *F_SCORES)
"""The metrics that get a constraint, in SageMaker's order (contract model-quality.md, section 6)."""


class ModelQuality(NamedTuple):
    """The model-quality monitor of one endpoint."""

    settings: ModelQualitySettings

    @staticmethod
    def read_profile(text: bytes) -> ScoreProfile:
        """The profile that a file holds."""
        return ScoreProfile.from_json(text)

    def profile(self, rows: pa.Table, edges: Any = None) -> ScoreProfile:  # noqa: ARG002 - every monitor is asked alike
        """What is remembered of the rows: counts by score, label and predicted class.

        Raises:
            UserError: the rows lack a column that the settings name, or the settings name no prediction.
        """
        if not rows.num_rows:
            return ScoreProfile()
        scores, classes = (self._column(rows, key) for key in ("probability_attribute", "inference_attribute"))
        if scores is None and classes is None:
            raise UserError(
                "model_quality: probability_attribute and inference_attribute are not set; name a prediction's column"
            )
        predictions = Predictions(scores, classes, self.settings.probability_threshold_attribute)
        return ScoreProfile.of(self._column(rows, "ground_truth_attribute"), predictions)

    def suggest(self, profiles: Sequence[ScoreProfile]) -> list[Constraint]:
        """One constraint for every metric that is defined on the reference: no later window may be worse."""
        found = measured(sum(profiles, ScoreProfile()))
        return [self._no_worse(name, found[name]) for name in CONSTRAINED if found[name].value is not None]

    def measure(self, profile: ScoreProfile, baseline: Baseline) -> list[Metric]:  # noqa: ARG002 - all of them, judged or not
        """All metrics of the labelled rows, each with its deviation."""
        found, rows = measured(profile), profile.judged
        details = _left_out(profile)
        return [
            Metric(
                name=name, value=one.value, n=rows, because=one.because, deviation=one.deviation,
                details={**details, **(_auc_details(profile) if name == "auc" else {})},
            )
            for name, one in ((name, found[name]) for name in CONSTRAINED)
        ]  # fmt: skip

    def statistics(self, profile: ScoreProfile) -> dict[str, Any]:
        """All that SageMaker's statistics.json shows of the labelled rows, in its order; None where undefined."""
        cells = outcomes(profile).tolist()
        found, constant = measured(profile), best_constant(profile)
        return {
            "item_count": profile.judged,
            "confusion_matrix": {"0": {"0": cells[0], "1": cells[1]}, "1": {"0": cells[2], "1": cells[3]}},
            **_shown(found, SHARES),
            **_shown(constant, SHARES, CONSTANT),
            **_shown(found, RATES),
            **_curves(profile),
            **_shown(found, ("auc",) if self.settings.probability_attribute else ()),
            **_shown(found, F_SCORES),
            **_shown(constant, F_SCORES, CONSTANT),
        }

    def exhibits(self, profile: ScoreProfile, baseline: Baseline, edges: Any = None) -> tuple[Exhibit, ...]:  # noqa: ARG002
        """The outcomes, the scores and the receiver operating characteristic beside the baseline's."""
        known: ScoreProfile = baseline.profile or ScoreProfile()
        mine, theirs = dict(_outcome_shares(profile)), dict(_outcome_shares(known))
        found: list[Exhibit | None] = [
            by_label("outcomes of the labelled rows", mine, theirs, "share"),
            scores(profile, known),
        ]
        curves = [_points(of) for of in (profile, known)]
        if curves[0]:
            across, up = "false positive rate", "true positive rate"
            title = "receiver operating characteristic"
            found.append(Curve(title=title, across=across, up=up, here=curves[0], baseline=curves[1]))
        return tuple(one for one in found if one)

    def _column(self, rows: pa.Table, key: str) -> pa.ChunkedArray | None:
        """The column that a setting names; None where it names none."""
        name = getattr(self.settings, key)
        if name is None:
            return None
        if (column := find_column(rows, name)) is None:
            has = ", ".join(rows.column_names) or "none"
            raise UserError(
                f"model_quality.{key}: the rows have no column {name!r}; correct the name. They have: {has}"
            )
        return column

    def _no_worse(self, name: str, reference: Measured) -> Constraint:
        larger_is_worse, by_interval = name in LARGER_IS_WORSE, self.settings.rule == "interval"
        value, allowed = reference.value or 0.0, MARGIN * (reference.deviation or 0.0) if by_interval else 0.0
        bound = {"upper": value + allowed} if larger_is_worse else {"lower": value - allowed}
        return Constraint(
            check="GreaterThanThreshold" if larger_is_worse else "LessThanThreshold", metric=name,
            minimum_rows=self._minimum_rows, margin=MARGIN if by_interval else 0.0,
            expected=(repr(value),) if by_interval else (), reason=_reason(name, reference, by_interval), **bound,
        )  # fmt: skip

    @property
    def _minimum_rows(self) -> int:
        """By the interval rule at least as many rows as give a deviation: without one the bare number would decide."""
        asked = self.settings.minimum_rows
        return max(asked, MINIMUM_ROWS) if self.settings.rule == "interval" else asked


def find_column(rows: pa.Table, name: str) -> pa.ChunkedArray | None:
    """The column of that name, or at that place counted from 0 where no column has the name; None without one."""
    if name in rows.column_names:
        return rows[name]
    by_place = name.isascii() and name.isdigit() and int(name) < rows.num_columns
    return rows.column(int(name)) if by_place else None


def _reason(name: str, reference: Measured, by_interval: bool) -> str:
    known = f"{name} of the reference is {reference.value}"
    if not by_interval:
        return known
    if reference.deviation is None:
        return f"{known}; its own deviation is not known below {MINIMUM_ROWS} rows, so the bound does not allow for it"
    return f"{known}; the bound lies {MARGIN:g} of its own deviations of {reference.deviation} beyond"


def _left_out(profile: ScoreProfile) -> dict[str, int]:
    """Labels that the metrics do not rest on; nothing where there are none."""
    counts = {"unknown_labels": profile.unknown_labels, "unusable_predictions": profile.labelled - profile.judged}
    return {name: count for name, count in counts.items() if count}


def _auc_details(profile: ScoreProfile) -> dict[str, float]:
    return {} if profile.known.exact else {"error": auc_error(profile.known)}


def _shown(found: Mapping[str, Measured], names: Sequence[str], suffix: str = "") -> dict[str, Any]:
    """Metrics as SageMaker lists them: value and standard deviation by name."""
    return {
        f"{name}{suffix}": {"value": found[name].value, "standard_deviation": found[name].deviation} for name in names
    }


def _outcome_shares(profile: ScoreProfile) -> Iterator[tuple[str, float | None]]:
    """The part of the labelled rows of each label that each class was predicted for."""
    names = [f"label {label}, predicted {predicted}" for label in (0, 1) for predicted in (0, 1)]
    rows = profile.judged
    for name, count in zip(names, outcomes(profile).tolist(), strict=True):
        yield name, count / rows if rows else None


def _points(profile: ScoreProfile) -> tuple[tuple[float, float], ...]:
    """A hundred points of the receiver operating characteristic; none where it is undefined."""
    rates = receiver_operating_characteristic(by_score(profile.known)) if profile.known.scored else None
    return thinned(rates.across, rates.up) if rates else ()


def _curves(profile: ScoreProfile) -> dict[str, dict[str, tuple[float, ...]]]:
    """The curves that are defined, as SageMaker names them and their axes."""
    if not profile.known.scored:
        return {}
    scores, shown = by_score(profile.known), {}
    if rates := receiver_operating_characteristic(scores):
        axes = {"false_positive_rates": rates.across, "true_positive_rates": rates.up}
        shown["receiver_operating_characteristic_curve"] = axes
    if curve := precision_recall(scores):
        shown["precision_recall_curve"] = {"precisions": curve.up, "recalls": curve.across}
    return shown
