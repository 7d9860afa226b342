"""The draft of an endpoint that answers of the service are carried over into: its columns, and what is lost."""

import re
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from monitor_tasks.sagemaker.described import BatchRows, EndpointRows

Rows = EndpointRows | BatchRows


class Lost(NamedTuple):
    """What could not be carried over, and why."""

    where: tuple[str, ...]
    """The files that say it."""
    what: str
    because: str


@dataclass
class Draft:
    """What will stand in the YAML, as far as it is known."""

    capture: dict[str, Any]
    output_names: tuple[str, ...] = ()
    told: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    @property
    def lost(self) -> tuple[Lost, ...]:
        """What could not be carried over: what several files say is told once."""
        return tuple(Lost(tuple(dict.fromkeys(where)), *told) for told, where in self.told.items())

    def lose(self, where: str, what: str, because: str) -> None:
        """Tells what could not be carried over."""
        self.told.setdefault((what, because), []).append(where)

    def agree(self, section: dict[str, Any], key: str, value: Any, where: str) -> None:
        """Puts a value that all monitors share; one that says otherwise than the first is told."""
        if value is not None and section.setdefault(key, value) != value:
            self.lose(where, f"{key}: {value}", f"all monitors share it, and another one says {section[key]}")

    def output(self, attribute: str | None, rows: Rows) -> str:
        """The captured column of an output that the service finds by its place, its name, or a JMESPath.

        No attribute means the only cell of the output.
        """
        if attribute is None or attribute.isdecimal():
            place = int(attribute or 0)
            return self.output_names[place] if place < len(self.output_names) else f"_c{place}"
        if isinstance(rows, BatchRows) and not rows.dataset_format.keys() & {"Json"}:
            return attribute
        paths: dict[str, str] = self.capture.setdefault("output_attributes", {})
        plain: str = (re.findall(r"[A-Za-z_]\w*", attribute) or ["output"])[-1]
        names = (plain, *(f"{plain}_{number}" for number in range(2, len(paths) + 3)))
        name = next(one for one in names if paths.get(one, attribute) == attribute)
        paths[name] = attribute
        self.capture |= {"split_rows": True} if "[*]" in attribute else {}
        return name

    def features(self, path: str | None, where: str) -> None:
        """Where the features of a JSON input are; of one with several instances each is a row."""
        self.agree(self.capture, "features_attribute", path, where)
        self.capture |= {"split_rows": True} if path and "[*]" in path else {}
