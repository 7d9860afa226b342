"""Feature attribution: which features drive the predictions (SHAP), and whether their ranking still holds."""

from collections.abc import Sequence
from math import fsum
from typing import NamedTuple

import pyarrow as pa

from monitor_tasks.baseline import Baseline, Constraint, Metric
from monitor_tasks.exhibit import Exhibit
from monitor_tasks.metrics.attribution import Globals, global_values, ndcg, ndcg_deviation, why_undefined
from monitor_tasks.metrics.distributions import by_label
from monitor_tasks.monitors.settings import AttributionSettings
from monitor_tasks.profiles.sample import SampleProfile

LABEL = "label0"
"""SageMaker's name of the only label; the score of class 1 is what is explained."""


class Attribution(NamedTuple):
    """The attribution monitor of one endpoint."""

    settings: AttributionSettings

    def profile(self, rows: pa.Table, edges: object = None) -> SampleProfile:  # noqa: ARG002 - there is no histogram
        """What is remembered of the explained rows: the sample itself."""
        return SampleProfile.of(rows, self.settings.num_samples)

    def read_profile(self, text: bytes) -> SampleProfile:
        """The profile that ``to_json`` wrote."""
        return SampleProfile.from_json(text)

    def suggest(self, profiles: Sequence[SampleProfile]) -> list[Constraint]:
        """The one constraint: the features rank as in the reference."""
        whole = sum(profiles, SampleProfile())
        reason = (
            f"nDCG of the ranking of {len(whole.features)} features against {len(whole.entries)} explained rows "
            "of the reference; Clarify's fixed bound is 0.9"
        )
        return [
            Constraint(
                check="feature_attribution_drift_check", metric="shap", subject=LABEL, cause="world",
                lower=self.settings.threshold, reason=reason, minimum_rows=self.settings.minimum_rows,
            )
        ]  # fmt: skip

    def measure(self, profile: SampleProfile, baseline: Baseline) -> list[Metric]:
        """How well the ranking of the reference holds, and the global value of each feature."""
        known: SampleProfile = baseline.profile or SampleProfile()
        theirs, mine = self._global_values(known), self._global_values(profile)
        n, because = len(profile.entries), why_undefined(theirs, mine)
        ranking = Metric(
            name="shap", subject=LABEL, value=ndcg(theirs, mine), n=n, because=because,
            deviation=None if because else self._deviation(theirs, profile),
            details={"sample_size": n, "n_baseline": len(known.entries)},
        )  # fmt: skip
        return [ranking, *self._drivers(profile)]

    def statistics(self, profile: SampleProfile) -> list[Metric]:
        """The global value of each feature, then what the predictions are relative to."""
        expected = [entry.expected for entry in profile.entries if entry.expected is not None]
        value = fsum(expected) / len(expected) if len(set(expected)) > 1 else next(iter(expected), None)
        because = "" if expected else "there are no explained rows"
        about = Metric(name="expected_value", subject=LABEL, value=value, n=len(expected), because=because)
        return [*self._drivers(profile), about]

    def exhibits(self, profile: SampleProfile, baseline: Baseline, edges: object = None) -> tuple[Exhibit, ...]:  # noqa: ARG002
        """What drives the predictions, beside what drove them in the baseline."""
        title = f"what drives the predictions: {self.settings.agg_method} of the SHAP values"
        theirs = self._global_values(baseline.profile or SampleProfile())
        return (by_label(title, self._global_values(profile), theirs, "value"),)

    def _deviation(self, theirs: Globals, profile: SampleProfile) -> float | None:
        return ndcg_deviation(theirs, profile.values, self.settings.agg_method, self.settings.seed)

    def _drivers(self, profile: SampleProfile) -> list[Metric]:
        name, n = f"{self.settings.agg_method}_shap", len(profile.entries)
        because = "" if n else "there are no explained rows"
        return [
            Metric(name=name, subject=feature, value=value, n=n, because=because)
            for feature, value in self._global_values(profile).items()
        ]

    def _global_values(self, profile: SampleProfile) -> dict[str, float | None]:
        return global_values(profile.values, profile.features, self.settings.agg_method)
