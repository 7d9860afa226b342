"""Two models beside each other in words: which is better, by how much, how sure that is, and what would tell it."""

from typing import NamedTuple

from monitor_tasks.baseline import Constraint
from monitor_tasks.exhibit import ModelComparison, ModelDifference
from monitor_tasks.pages.charts import Drawing
from monitor_tasks.pages.numbers import NOTHING, apart, number, probability, sentence, text
from monitor_tasks.pages.vocabulary import word

MARKS = {"better": "↑", "worse": "↓", "cannot tell yet": "?"}


class Line(NamedTuple):
    """One metric of both models."""

    what: str
    champion: str
    challenger: str
    difference: str
    interval: str
    """Where the 95 % interval of the difference begins and ends."""
    chance: str
    verdict: str
    because: str
    picture: Drawing | None
    decides: bool


class Shown(NamedTuple):
    """A comparison of two models as a page tells it."""

    champion: str
    challenger: str
    verdict: str
    basis: str
    lines: tuple[Line, ...]


def shown(comparison: ModelComparison) -> Shown:
    """The comparison in words."""
    names = text(comparison.champion, 60), text(comparison.challenger, 60)
    lines = tuple(_line(one, one.metric == comparison.metric) for one in comparison.differences)
    return Shown(*names, verdict_of(comparison), basis_of(comparison), lines)


def verdict_of(comparison: ModelComparison) -> str:
    """What the deciding metric says, as a sentence."""
    one, names = comparison.deciding, [text(name, 60) for name in (comparison.challenger, comparison.champion)]
    line = _line(one, True)
    seen = f"{line.what} {line.challenger} against {line.champion}, a difference of {line.difference}"
    seen += f" (95 % interval {line.interval})" if line.picture else ""
    if one.verdict == "cannot tell yet":
        why = f"; {line.because}" if line.because else ""
        return f"It cannot be told yet whether {names[0]} is better or worse than {names[1]}: {seen}{why}"
    return f"{names[0]} is {one.verdict} than {names[1]}: {seen}"


def basis_of(comparison: ModelComparison) -> str:
    """What was compared, as a sentence."""
    champion, challenger = comparison.rows
    over = f" in {comparison.windows:,} windows" if comparison.windows != 1 else ""
    if comparison.paired:
        return f"Both answered the same {champion:,} labelled requests{over}, which are compared pair by pair"
    names = text(comparison.champion, 60), text(comparison.challenger, 60)
    return f"{champion:,} labelled rows of {names[0]} and {challenger:,} of {names[1]}{over}, each of its own requests"


def _line(one: ModelDifference, decides: bool) -> Line:
    champion, challenger = _apart(one.champion, one.challenger)
    known = None not in (one.lower, one.upper)
    return Line(
        what=word(Constraint(check="", metric=one.metric), None).what,
        champion=champion,
        challenger=challenger,
        difference=_signed(one.difference),
        interval=f"{_signed(one.lower)} to {_signed(one.upper)}" if known else NOTHING,
        chance=NOTHING
        if one.p_value is None
        else probability(one.p_value if one.p_adjusted is None else one.p_adjusted),
        verdict=one.verdict,
        because=_because(one),
        picture=_picture(one),
        decides=decides,
    )


def _apart(*values: float | None) -> list[str]:
    told = iter(apart([one for one in values if one is not None]))
    return [NOTHING if one is None else next(told) for one in values]


def _because(one: ModelDifference) -> str:
    """Why it cannot be told, and what would tell it."""
    count = one.more_labels and number(float(f"{one.more_labels:.2g}"))
    more = count and f"about {count} more labels would tell a difference of this size"
    return "; ".join(part for part in (sentence(one.because), more) if part)


def _signed(value: float | None) -> str:
    return f"+{number(value, 3)}" if value is not None and value > 0 else number(value, 3)


def _picture(one: ModelDifference) -> Drawing | None:
    """The interval around the line of no difference, right of which the challenger is better; a scale of its own."""
    if one.difference is None or one.lower is None or one.upper is None:
        return None
    width, height, side = 160, 16, 1 if one.more_is_better else -1
    room = max(abs(one.lower), abs(one.upper)) or 1.0
    left, x, right = (
        round(width / 2 + side * 0.46 * width * at / room) for at in (one.lower, one.difference, one.upper)
    )
    line = f'<path class="bound" d="M{width // 2} 0v{height}"/>'
    whisker = f'<path class="whisker" d="M{left} 8H{right}M{left} 4v8M{right} 4v8"/>'
    mark = f'<path class="mark{" out" if one.verdict == "worse" else ""}" d="M{x - 4} 8a4 4 0 1 0 8 0a4 4 0 1 0-8 0"/>'
    return Drawing(width, height, line + whisker + mark)
