"""How a record's line is built: its keys, where in it the values stand that mean something, and how all are read.

DuckDB reads lines of one envelope at once; the bytes between their texts tell whether one of them says more.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple, Self

import orjson

from monitor_tasks.tables.records import SIDES as WHOLE

SIDES = tuple(side.lower() for side, _, _ in WHOLE)
"""The sides of a record, in the order of their columns."""

ROLES = {
    "event_id": ("eventMetadata", "eventId"),
    "inference_id": ("eventMetadata", "inferenceId"),
    "moment": ("eventMetadata", "inferenceTime"),
    "component": ("eventMetadata", "inferenceComponentName"),
    "attributes": ("eventMetadata", "customAttributes"),
    **{
        f"{side}_{name}": ("captureData", f"endpoint{side.capitalize()}", key)
        for side in SIDES
        for name, key in (("type", "observedContentType"), ("encoding", "encoding"), ("data", "data"))
    },
}
"""Where in a record the values stand that mean something to us."""
TEXTS = {path for role, path in ROLES.items() if role != "attributes"}
"""The paths where only a text will do."""
ATTRIBUTES = ROLES["attributes"]
READING = (
    "from_json_strict(line, $structure)",
    "from_json_strict(case when json_valid(line) then line end, $structure)",
    "from_json_strict(case when json_valid(line) and {keys} then line end, $structure)",
    "try(from_json_strict(case when json_valid(line) and {keys} then line end, $structure))",
)
"""Ways to read lines of one structure, each more forgiving and slower: a query ends at the first line of another."""

# A text is as long in its line as it is by itself, with two quotes and a backslash before some of its characters.
PLAIN = "coalesce(strlen({0}) + 2, 4)"
ESCAPED = """coalesce(strlen({0}) + 2 + case when contains({0}, '"') or contains({0}, '\\') or contains({0}, chr(10))
    then 3 * strlen({0}) - strlen(replace({0}, '"', '')) - strlen(replace({0}, '\\', ''))
        - strlen(replace({0}, chr(10), '')) else 0 end, 4)"""

READ = """
reading as (select index, line, {reading} as read from rows),
leaves as (select index, line, {leaves} from reading),
named as (select * exclude (line), strlen(line) - ({length}) as between, {roles} from leaves)
"""


class Envelope(NamedTuple):
    """The shape of a line but for its texts: its keys, and how many bytes stand between the texts."""

    structure: str
    leaves: tuple[tuple[tuple[str, ...], bool], ...]
    """The path to every value that is no object, and whether it is a text."""

    @classmethod
    def of(cls, content: Any) -> Self | None:
        """The shape of what was read from a line; None where it is too strange to be one."""
        leaves = dict(_leaves(content, ()))
        if len(leaves) > 64 or any(path in TEXTS and not is_text for path, is_text in leaves.items()):
            return None
        return cls(orjson.dumps(_structure(content)).decode(), tuple(leaves.items()))

    def values(self) -> dict[str, Any]:
        """The values of the query's parts."""
        values: dict[str, Any] = {"structure": self.structure}
        for number, (path, _) in enumerate(self.leaves):
            values |= {f"key_{number}_{depth}": key for depth, key in enumerate(path)}
            values[f"quoted_{number}"] = f'"{path[-1]}"'
        return values

    def named(self, reading: str) -> str:
        """The part of the query that takes a line apart, read in one of the ways of `READING`."""
        numbers = {path: number for number, (path, _) in enumerate(self.leaves)}
        lengths, extracted = [], []
        for path, number in numbers.items():
            is_data = path[-1] == "data" and path in TEXTS
            form = ESCAPED if is_data else PLAIN if self.leaves[number][1] else "strlen({0})"
            lengths.append(form.format(f"leaf_{number}"))
            value = "read"
            for depth in range(len(path)):
                value = f"struct_extract({value}, $key_{number}_{depth})"
            extracted.append(f"{value} as leaf_{number}")
        found = {role: f"leaf_{numbers[path]}" if path in numbers else "null::varchar" for role, path in ROLES.items()}
        return READ.format(
            reading=reading.format(
                keys=" and ".join(f"contains(line, $quoted_{number})" for number in numbers.values())
            ),
            leaves=", ".join(extracted),
            length=" + ".join(lengths),
            roles=", ".join(f"{leaf} as {role}" for role, leaf in found.items()),
        )

    def has(self, side: str) -> bool:
        """Whether the line has a payload of the side."""
        return ROLES[f"{side}_data"] in dict(self.leaves)


def _leaves(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], bool]]:
    if isinstance(value, dict) and value:
        for key, one in value.items():
            yield from _leaves(one, (*path, key))
    else:
        yield path, isinstance(value, str | None)


def _structure(value: Any) -> Any:
    return {key: _structure(one) for key, one in value.items()} if isinstance(value, dict) and value else "VARCHAR"
