"""Evidence: what an episode was handed over with, what there is to learn from, and what became of it so far."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from monitor_tasks.gates import Gate, GateRecord
from monitor_tasks.io import store as storage
from monitor_tasks.io.executions import append, newest, read_artifact, read_log
from monitor_tasks.promoting import champion
from monitor_tasks.remembered import Remembered
from monitor_tasks.report import ModelCard
from monitor_tasks.site import Site
from monitor_tasks.value import UserError, read_stored
from monitor_tasks.window import Window


class Asked(NamedTuple):
    """The retraining that a run was asked for."""

    site: Site
    episode: str
    window: Window
    """The window whose verdict handed the episode over."""

    @property
    def folder(self) -> str:
        """Where the new model and what it learns from lie."""
        return f"{self.site.name}/models/{self.episode}"

    @property
    def champion(self) -> ModelCard | None:
        """The model that a challenger would take the place of."""
        return champion(self.site)

    def evidence(self) -> dict[str, Any]:
        """What the episode was handed over with.

        Raises:
            UserError: it is gone, or another window handed it over.
        """
        key = self.site.evidence_key(self.episode)
        try:
            evidence = read_stored(self.site.store.get(key), "retrain.json", self.site.store.address_of(key))
        except storage.Missing as error:
            raise UserError(
                f"{self.site.store.address_of(key)}: the evidence of episode {self.episode} is not there, and without "
                "it nothing is trained; restore the file, or let a later episode retrain"
            ) from error
        if evidence["window"] != str(self.window):
            told = f"episode {self.episode} of {self.site.name} was handed over by {evidence['window']}"
            raise UserError(f"{told}, not by {self.window}")
        return evidence

    def materials(self) -> list[dict[str, Any]]:
        """The episode's windows that may be learned from, labelled and not broken data: what broke, and how much."""
        known, found = Remembered(self.site), list[dict[str, Any]]()
        for one in known.run(self.window):
            outcome, key = known(one).outcome, newest(self.site.store, self.site.folder("labelled", one))
            if key and "data" not in outcome.causes:
                counts = json.loads(read_artifact(self.site.store, key, "labels.json"))
                rows = {"rows": counts["predictions"], "labels": counts["matched"]}
                found.append({"window": str(one), "labelled": key, "violations": list(outcome.what), **rows})
        return found

    def done(self, gate: Gate) -> GateRecord | None:
        """The record of a gate that was passed; none if a later one has stopped the retraining since."""
        last = {one.gate: (place, one) for place, one in enumerate(records(self.site, self.episode))}
        place, found = last.get(gate, (0, None))
        if found is None or found.outcome != "passed":
            return None
        later = [last[one] for one in list(Gate)[list(Gate).index(gate) + 1 :] if one in last]
        return None if any(at > place and one.outcome != "passed" for at, one in later) else found

    def found(self, gate: Gate) -> Mapping[str, Any]:
        """What a gate that was passed has left for the later ones.

        Raises:
            UserError: it was not passed.
        """
        last = [one for one in records(self.site, self.episode) if one.gate is gate][-1:]
        if last and last[0].outcome == "passed":
            return last[0].details
        raise UserError(f"{self.site.name}: episode {self.episode} has not passed {gate}; run that gate first")

    def record(self, found: GateRecord) -> GateRecord:
        """Adds to the episode's record what was not just said; of an episode that never was there is none."""
        if int(self.episode) <= len(read_log(self.site.store, f"{self.site.name}/episodes/log")):
            text, log = found.to_json(), _log(self.site, self.episode)
            append(self.site.store, log, lambda known: None if text in known[-1:] else text)
        return found


def records(site: Site, episode: str) -> list[GateRecord]:
    """What became of the gates of an episode's retraining, in the order in which they were asked."""
    log = _log(site, episode)
    return [GateRecord.read(one, site.store.address_of(log)) for one in read_log(site.store, log)]


def called(model: ModelCard | None) -> str:
    """A model as a sentence names it.

    >>> called(ModelCard(version="2"))
    'version 2'
    """
    if model is None:
        return "the model behind the captures"
    return f"version {model.version}" if model.version else model.address or "a model without a version"


def _log(site: Site, episode: str) -> str:
    return f"{site.name}/episodes/{episode}/retraining"
