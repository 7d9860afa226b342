"""Lines of ground truth that look alike, all at once: cut by the template of a line that was read by itself."""

import json
from functools import partial
from typing import NamedTuple, Self

import pyarrow as pa
import pyarrow.compute as pc

from monitor_tasks.tables.json_shapes import NUMBER
from monitor_tasks.tables.label_records import LABEL, label_of, parse_label
from monitor_tasks.tables.marks import Mask
from monitor_tasks.tables.payloads import Unusable
from monitor_tasks.tables.templates import Path, Role, Template

CELL = r"^[!#-+\--\[\]-~]([ !#-+\--\[\]-~]*[!#-+\--\[\]-~])?$"
"""A cell of CSV that stands for itself: printable, without quote, comma and backslash, and no blank around it."""
DOCUMENT = f"^(?:{NUMBER}|true|false)$"
"""A document of JSON that stands for itself."""
ID, DATA, ENCODING = ("eventMetadata", "eventId"), ("groundTruthData", "data"), ("groundTruthData", "encoding")


class Taken(NamedTuple):
    """What was taken from lines."""

    fits: Mask
    """Which lines have the shape."""
    ids: pa.Array
    labels: pa.Array
    """Of those that have it, in their order."""


class LineShape(NamedTuple):
    """What lines have in common."""

    template: Template
    encoding: str
    """How their payloads are written."""
    path: str = LABEL
    """Where in JSON the label lies."""

    @classmethod
    def of(cls, line: str, path: str = LABEL, *, is_wide: bool) -> Self | None:
        """The shape of a line with its end: id and payload are free, or in a wide one every text; None without any."""
        try:
            read = parse_label(line.encode(), path)
        except Unusable:
            return None
        template = Template.of(line, partial(_role, is_wide=is_wide))
        if template is None:
            return None
        shape = cls(template, json.loads(line)["groundTruthData"]["encoding"], path)
        _, ids, labels = shape.taken(pa.array([line], pa.large_string()))
        return shape if (ids.to_pylist(), labels.to_pylist()) == ([read[0]], [read[1]]) else None

    def taken(self, lines: pa.LargeStringArray) -> Taken:
        """What stands in the lines that have the shape."""
        fits, (texts, _) = self.template.cut(lines)
        labels = self._labels(texts["data"])
        usable = pc.and_(pc.greater(pc.binary_length(texts["id"]), 0), pc.is_valid(labels))
        fits[fits] = usable.to_numpy(zero_copy_only=False)
        return Taken(fits, texts["id"].filter(usable), labels.filter(usable))

    def _labels(self, payloads: pa.StringArray) -> pa.StringArray:
        """The label in each payload; missing where none can be read. Of what does not stand for itself few differ."""
        plain = pc.match_substring_regex(payloads, CELL if self.encoding == "CSV" else DOCUMENT)
        if pc.all(plain).as_py():
            return payloads
        odd = payloads.filter(pc.invert(plain)).dictionary_encode()
        read = pa.array([self._label(one) for one in odd.dictionary.to_pylist()], pa.string())
        return pc.replace_with_mask(payloads, pc.invert(plain), read.take(odd.indices))

    def _label(self, payload: str) -> str | None:
        try:
            return label_of({"data": payload, "encoding": self.encoding}, self.path)
        except Unusable:
            return None


def _role(path: Path, _: str, is_wide: bool) -> Role | None:
    """What a text of a line is for; None for one that is the same in all lines of a shape."""
    if path == ID:
        return Role("id")
    if path == DATA:
        return Role("data", is_payload=True)
    return Role() if is_wide and path != ENCODING else None
