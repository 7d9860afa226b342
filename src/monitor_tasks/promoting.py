"""The champion's alias: moved by a promotion, moved back by a rollback; every move is recorded, nothing is lost."""

import json
from contextlib import suppress

from monitor_tasks.gates import Move, standing
from monitor_tasks.io.executions import append, read_log
from monitor_tasks.io.store import Missing
from monitor_tasks.report import ModelCard
from monitor_tasks.site import Site
from monitor_tasks.value import UserError
from monitor_tasks.window import HOUR, Window, format_time, parse_time


def moves(site: Site) -> list[Move]:
    """Every move of the alias, the oldest first."""
    log = _log(site)
    return [Move.read(one, f"{site.store.address_of(log)}/{place:06d}") for place, one in
            enumerate(read_log(site.store, log), 1)]  # fmt: skip


def champion(site: Site) -> ModelCard | None:
    """The model of the windows that have no report yet."""
    return site.model(_next(site))


def promote(site: Site, episode: str, model: ModelCard, baseline: str, told: tuple[str, str]) -> Move:
    """Makes an episode's challenger the champion from the next window on; once, however often it is asked for.

    Args:
        site: The endpoint.
        episode: The episode that the challenger learned from.
        model: The challenger's card.
        baseline: What its windows are judged by.
        told: Why, and who decided.
    """
    ahead = _next(site)
    new = Move(
        endpoint=site.name, kind="promoted", episode=episode, model=model, baseline=baseline,
        former_model=site.model(ahead), former_baseline=site.pinned(ahead), since=format_time(ahead.start),
        because=told[0], by=told[1],
    )  # fmt: skip
    append(site.store, _log(site), lambda known: None if _promotion(known, episode) else new.to_json())
    found = next(one for one in moves(site) if (one.kind, one.episode) == ("promoted", episode))
    if moves(site)[-1] == found:
        _settle(site, found)
    return found


def rollback(site: Site, because: str, by: str) -> Move:
    """Moves the alias back to the former model and baseline, from the next window on; a killed one is finished first.

    Raises:
        UserError: no promotion stands that could be taken back.
    """
    known = moves(site)
    if known and known[-1].kind == "rolled back" and not _is_settled(site, known[-1]):
        return _settle(site, known[-1])
    left = standing(known)
    if not left:
        raise UserError(f"{site.name}: no promotion stands that could be rolled back; the first champion is in place")
    last, since = left[-1], format_time(_next(site).start)
    back = Move(
        endpoint=site.name, kind="rolled back", episode=last.episode, model=last.former_model,
        baseline=last.former_baseline, former_model=last.model, former_baseline=last.baseline,
        since=max(since, last.since), because=because, by=by,
    )  # fmt: skip
    entries = append(site.store, _log(site), lambda there: back.to_json() if len(there) == len(known) else None)
    if entries[-1] != back.to_json():
        raise UserError(f"{site.name}: somebody else moved the champion at the same moment; look, and decide again")
    return _settle(site, back)


def _settle(site: Site, move: Move) -> Move:
    """Pins what a move names, and points the alias there at last."""
    since = parse_time(move.since)
    because = f"{move.kind} with episode {move.episode} by {move.by}: {move.because}"
    site.pin("models", {"model": move.model and move.model.model_dump(mode="json")}, because, since)
    if move.baseline:
        site.pin("baselines", {"baseline": move.baseline}, because, since)
    site.store.put(alias_key(site), move.to_json())
    return move


def alias_key(site: Site) -> str:
    """Where a model server finds the champion: the newest move."""
    return f"{site.name}/models/champion.json"


def _is_settled(site: Site, move: Move) -> bool:
    with suppress(Missing):
        return site.store.get(alias_key(site)) == move.to_json()
    return False


def _promotion(entries: list[bytes], episode: str) -> bool:
    known = map(json.loads, entries)
    return any((one["kind"], one["episode"]) == ("promoted", episode) for one in known)


def _next(site: Site) -> Window:
    """The hour with which the windows begin that have no report yet."""
    reported = site.reported()
    start = reported[-1].end if reported else site.endpoint.start_date
    return Window.of(start, start + HOUR)


def _log(site: Site) -> str:
    return f"{site.name}/models/moves"
