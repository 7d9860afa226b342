"""Feature attribution: which features drive the predictions (SHAP), and whether their ranking still holds."""

import json
from collections.abc import Iterator, Mapping, Sequence
from math import fsum
from typing import NamedTuple

import pyarrow as pa

from monitor_tasks.baseline import Baseline, Constraint, Metric
from monitor_tasks.exhibit import Comparison, Exhibit, Pair, Unit
from monitor_tasks.metrics.attribution import (
    Driver,
    Globals,
    drivers,
    global_values,
    ndcg,
    ndcg_deviation,
    paired,
    why_undefined,
)
from monitor_tasks.monitors.settings import AttributionSettings
from monitor_tasks.profiles.sample import GlobalProfile, SampleProfile

Known = SampleProfile | GlobalProfile
SHOWN = 24
"""So many features are shown, those first that drove the baseline's predictions most."""
NOTE = "± two standard deviations of samples of as many rows"
DEPENDENCE = "partial dependence: the mean answer by"
ALONE = "each explained row is given every value, its other cells stay; where few rows have the value it says little"
STATISTICS: tuple[tuple[str, str, str | None, Unit], ...] = (
    ("share", "share of all attribution", "share_error", "share"),
    ("rank", "rank of the feature", "rank_error", "count"),
    ("mean", "which way it moves predictions: mean of the signed values", "mean_error", "value"),
    ("spread", "how differently it moves them: standard deviation of the values", "spread_error", "value"),
)
"""What is told of the features beside their global values."""


class Attribution(NamedTuple):
    """The attribution monitor of one endpoint."""

    settings: AttributionSettings

    def profile(self, rows: pa.Table, edges: object = None) -> SampleProfile:  # noqa: ARG002 - there is no histogram
        """What is remembered of the explained rows: the sample itself."""
        return SampleProfile.of(rows, self.settings.sample_rows)

    def read_profile(self, text: bytes) -> SampleProfile:
        """The profile that ``to_json`` wrote."""
        return SampleProfile.from_json(text)

    def suggest(self, profiles: Sequence[SampleProfile]) -> list[Constraint]:
        """One constraint a label: the features rank as in the reference."""
        whole = sum(profiles, SampleProfile())
        reason = (
            f"nDCG of the ranking of {len(whole.features)} features against {len(whole.entries)} explained rows "
            "of the reference; Clarify's fixed bound is 0.9"
        )
        return [
            Constraint(
                check="feature_attribution_drift_check", metric="shap", subject=label, cause="world",
                lower=self.settings.threshold, reason=reason, minimum_rows=self.settings.minimum_rows,
            )
            for label in whole.labels
        ]  # fmt: skip

    def measure(self, profile: SampleProfile, baseline: Baseline) -> list[Metric]:
        """How well the ranking of the reference holds, by label, and the global value of each feature."""
        known: Known = baseline.profile or SampleProfile()
        pairs = paired(known.labels, profile.labels)
        return [*(self._ranking(profile, known, *pair) for pair in pairs), *self._drivers(profile)]

    def statistics(self, profile: SampleProfile) -> list[Metric]:
        """The global value of each feature, then what the predictions are relative to, by label."""
        return [*self._drivers(profile), *(_expected_value(profile, label) for label in profile.labels)]

    def exhibits(self, profile: SampleProfile, baseline: Baseline, edges: object = None) -> tuple[Exhibit, ...]:  # noqa: ARG002
        """What drives the predictions, beside what drove them in the baseline, by label."""
        known: Known = baseline.profile or SampleProfile()
        current = {theirs: mine for theirs, mine in paired(known.labels, profile.labels) if mine}
        former = {mine: theirs for theirs, mine in current.items()}
        drivers = (
            exhibit for label in profile.labels for exhibit in self._exhibits(profile, known, label, former.get(label))
        )
        return (*drivers, *_dependences(profile, getattr(known, "dependence", "")))

    def _ranking(self, profile: SampleProfile, known: Known, theirs: str, mine: str | None) -> Metric:
        """How well the ranking by one label holds."""
        gains, n = self._global_values(known, theirs), len(profile.entries)
        values = self._global_values(profile, mine) if mine else {}
        because = why_undefined(gains, values) if mine else f"the model answers nothing for the label {theirs!r}"
        seen = None if because or not mine else profile.values_of(mine)
        return Metric(
            name="shap", subject=theirs, value=None if because else ndcg(gains, values), n=n, because=because,
            deviation=None if seen is None else self._deviation(gains, seen),
            details={"sample_size": n, **_told(profile, known)},
        )  # fmt: skip

    def _exhibits(self, profile: SampleProfile, known: Known, mine: str, theirs: str | None) -> Iterator[Comparison]:
        of = "" if len(profile.labels) == 1 else f", {mine}"
        here, then = self._stated(profile, mine), self._stated(known, theirs) if theirs else {}
        current, former = self._global_values(profile, mine), self._global_values(known, theirs) if theirs else {}
        names = sorted({*current, *former}, key=lambda one: (-(former.get(one) or 0), -(current.get(one) or 0), one))
        left = f"; {len(names) - SHOWN} more features are left out" if len(names) > SHOWN else ""
        values = tuple(
            Pair(
                label=name, here=current.get(name), baseline=former.get(name), unit="value",
                here_error=_of(here, name, "value_error"), baseline_error=_of(then, name, "value_error"),
            )
            for name in names[:SHOWN]
        )  # fmt: skip
        title = f"what drives the predictions: {self.settings.agg_method} of the SHAP values{of}"
        note = "; ".join((*_in_words(profile), *((NOTE,) if here else ())))
        yield Comparison(title=title, pairs=values, note=f"{note}{left}".removeprefix("; "))
        for field, words, error, unit in STATISTICS if here else ():
            pairs = tuple(
                Pair(
                    label=name, here=_of(here, name, field), baseline=_of(then, name, field), unit=unit,
                    here_error=_of(here, name, error), baseline_error=_of(then, name, error),
                )
                for name in names[:SHOWN]
            )  # fmt: skip
            yield Comparison(title=f"{words}{of}", pairs=pairs, note=NOTE if error else "")

    def _stated(self, profile: Known, label: str) -> dict[str, Driver]:
        if isinstance(profile, GlobalProfile):
            return {}
        return drivers(profile.values_of(label), profile.features, self.settings.agg_method, self.settings.seed)

    def _deviation(self, theirs: Globals, values: object) -> float | None:
        return ndcg_deviation(theirs, values, self.settings.agg_method, self.settings.seed)  # type: ignore[arg-type]

    def _drivers(self, profile: SampleProfile) -> list[Metric]:
        name, n = f"{self.settings.agg_method}_shap", len(profile.entries)
        because = "" if n else "there are no explained rows"
        return [
            Metric(
                name=name, subject=feature, value=value, n=n, because=because, details={"label": label},
                deviation=_of(stated, feature, "value_error"),
            )
            for label in profile.labels
            for stated in [self._stated(profile, label)]
            for feature, value in self._global_values(profile, label).items()
        ]  # fmt: skip

    def _global_values(self, profile: Known, label: str) -> Globals:
        if isinstance(profile, GlobalProfile):
            return profile.values[label]
        return global_values(profile.values_of(label), profile.features, self.settings.agg_method)


def _dependences(profile: SampleProfile, baseline: str) -> Iterator[Comparison]:
    """How the mean answer changes with one feature alone, by label, beside the baseline's at the same values."""
    then = {one["feature_name"]: one for one in json.loads(baseline or "[]")}
    for one in json.loads(profile.dependence or "[]"):
        name, values = one["feature_name"], one["feature_values"]
        theirs = then.get(name, {})
        same = theirs.get("feature_values") == values and len(theirs["model_predictions"]) == len(profile.labels)
        known = theirs["model_predictions"] if same else [[None] * len(values)] * len(profile.labels)
        for label, mine, former in zip(profile.labels, one["model_predictions"], known, strict=True):
            of = "" if len(profile.labels) == 1 else f", {label}"
            cells = zip(values, one["data_distribution"], mine, former, strict=True)
            pairs = tuple(
                Pair(label=f"{value if isinstance(value, str) else f'{value:g}'} ({share:.0%} of the rows)", here=here,
                     baseline=before, unit="value")
                for value, share, here, before in cells
            )  # fmt: skip
            yield Comparison(title=f"{DEPENDENCE} {name}{of}", pairs=pairs, note=ALONE)


def _of(stated: Mapping[str, Driver], name: str, field: str | None) -> float | None:
    """One statistic of a feature; None where there is none."""
    return float(getattr(stated[name], field)) if field and name in stated else None


def _expected_value(profile: SampleProfile, label: str) -> Metric:
    """What the predictions of one label are relative to."""
    expected = profile.expected_of(label)
    value = fsum(expected) / len(expected) if len(set(expected)) > 1 else next(iter(expected), None)
    because = "" if expected else "there are no explained rows"
    return Metric(name="expected_value", subject=label, value=value, n=len(expected), because=because)


def _in_words(profile: SampleProfile) -> Iterator[str]:
    """How the rows were explained, and what that cost."""
    for one in profile.explained:
        cost = f"{one.evaluations:,} more answers of the model a row" if one.evaluations else "no further answer"
        yield (
            f"explained by {one.explainer.replace('_', ' ')} on the model's {one.scale}, at the cost of {cost}; values "
            f"and answers differ by at most {one.residual:.1g} of the largest"
        )


def _told(profile: SampleProfile, known: Known) -> dict[str, float | int | str]:
    """How the rows were explained, what that cost, and what they are compared with."""
    rows = {"n_baseline": len(known.entries)} if isinstance(known, SampleProfile) else {}
    if not profile.explained:
        return {**rows}
    how: dict[str, float | int | str] = {
        "explainer": " and ".join(one.explainer for one in profile.explained),
        "scale": " and ".join(dict.fromkeys(one.scale for one in profile.explained)),
        "evaluations": max(one.evaluations for one in profile.explained) * len(profile.entries),
        "residual": max(one.residual for one in profile.explained),
    }
    other = {(one.explainer, one.scale) for one in getattr(known, "explained", ())}
    if other and other != {(one.explainer, one.scale) for one in profile.explained}:
        how["baseline_explained_by"] = " and ".join(f"{explainer}, {scale}" for explainer, scale in sorted(other))
    return {**rows, **how}
