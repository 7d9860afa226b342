"""Configuration: a YAML text becomes a frozen value; every mistake is one line with file, line and key."""

import difflib
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Generic, NamedTuple, Self, TypeVar

import yaml
from pydantic import ValidationError

from monitor_tasks.value import UserError, Value

V = TypeVar("V", bound=Value)
Lines = dict[tuple[str, ...], int]


class _Loader(yaml.SafeLoader):
    """YAML in which a date stays text: its field says what is wrong with it."""


_Loader.yaml_implicit_resolvers = {
    first: [resolver for resolver in resolvers if resolver[0] != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


class Configuration(NamedTuple, Generic[V]):
    """A value and where each of its keys stands."""

    value: V
    lines: Lines
    source: str

    def settled(self, home: str) -> Self:
        """The same with every relative address put below `home`."""
        return self if not home else self._replace(value=_settle(self.value, home))

    def confined(self, roots: Sequence[str]) -> Self:
        """The same, if every address lies below one of `roots`; no roots means anywhere.

        Raises:
            UserError: an address lies elsewhere.
        """
        for key, address in _addresses(self.value):
            if roots and not any(f"{address}/".startswith(f"{root.rstrip('/')}/") for root in roots):
                line = self.lines.get(tuple(key.split(".")), 1)
                raise UserError(
                    f"{self.source}:{line}: {key}: {address} lies outside the configured roots "
                    f"({', '.join(roots)}); move it, or add its root to MONITOR_TASKS_ROOTS"
                )
        return self


def read_yaml(model: type[V], text: str, source: str) -> Configuration[V]:
    """The value of kind `model` that a YAML text describes.

    Raises:
        UserError: one line for each mistake, naming `source`, line and key.
    """
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        lines = _lines(root, source)
        content = root and loader.construct_document(root)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise UserError(f"{source}:{mark.line + 1 if mark else 1}: not YAML: {problem}") from error
    if not isinstance(content, Mapping):
        raise UserError(f"{source}:1: expected keys such as {', '.join(_known_keys(model, ())[:4])}")
    try:
        return Configuration(model.model_validate(content), lines, source)
    except ValidationError as error:
        mistakes = [_mistake(dict(one), lines, source, model) for one in error.errors()]
        raise UserError("\n".join(mistakes)) from error


def write_yaml(content: Mapping[str, Any], comments: Mapping[str, str], head: Sequence[str] = ()) -> str:
    """The content as YAML that a person goes on editing: in its own order, with lines above and comments by key.

    >>> print(write_yaml({"a": {"b": [1, 2]}, "c": "0"}, {"a.b": "two of them"}, ["of an example"]), end="")
    # of an example
    a:
      b: [1, 2]  # two of them
    c: '0'
    """
    lines = (*(f"# {_comment(one)}".rstrip() for one in head), *_written(content, comments))
    return "".join(f"{line}\n" for line in lines)


def _written(content: Mapping[str, Any], comments: Mapping[str, str], above: tuple[str, ...] = ()) -> Iterator[str]:
    for key, value in content.items():
        path, indent = (*above, key), "  " * len(above)
        why = comments.get(".".join(path))
        told = f"  # {_comment(why)}" if why else ""
        if isinstance(value, Mapping) and value:
            yield f"{indent}{_scalar(key)}:{told}"
            yield from _written(value, comments, path)
        else:
            yield f"{indent}{_scalar(key)}: {_scalar(value)}{told}"


def _comment(told: str) -> str:
    """One line, whatever stands in it: nothing that somebody else wrote begins a line of its own."""
    return " ".join(told.split())


def _scalar(value: Any) -> str:
    text: str = yaml.safe_dump(value, default_flow_style=True, width=sys.maxsize, allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...")


def _lines(root: yaml.Node | None, source: str) -> Lines:
    """The line of every key of the YAML, by its path; what an alias repeats has the line of its key."""
    found: Lines = {(): 1}
    seen: set[int] = set()

    def walk(node: Any, path: tuple[str, ...]) -> None:
        if id(node) in seen:
            return
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                here = (*path, str(key.value))
                if here in found:
                    raise UserError(f"{source}:{key.start_mark.line + 1}: {'.'.join(here)}: the key stands here twice")
                found[here] = key.start_mark.line + 1
                walk(value, here)
        elif isinstance(node, yaml.SequenceNode):
            for index, value in enumerate(node.value):
                found[(*path, str(index))] = value.start_mark.line + 1
                walk(value, (*path, str(index)))

    walk(root, ())
    return found


def _mistake(error: Mapping[str, Any], lines: Lines, source: str, model: type[Value]) -> str:
    """One mistake as one line: where, what, and what was expected."""
    path = tuple(str(part) for part in error["loc"])
    near = path
    while near not in lines:
        near = near[:-1]
    message = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        known = _known_keys(model, path[:-1])
        close = difflib.get_close_matches(path[-1], known, 1)
        hint = f"did you mean {close[0]}?" if close else f"expected one of {', '.join(known)}"
        message = f"unknown key; {hint}" if path[0] != "monitors" or len(path) > 2 else f"unknown monitor; {hint}"
    elif error["type"] == "missing":
        message = "this key is missing; add it"
    return f"{source}:{lines[near]}: {'.'.join(path) or '(whole file)'}: {message}"


def _known_keys(model: Any, path: Sequence[str]) -> list[str]:
    """The keys that may stand at a path of the YAML."""
    for part in path:
        field = model.model_fields.get(part)
        if field is None and part.isdecimal():  # a place in a list of values
            continue
        kinds = [] if field is None else [field.annotation, *getattr(field.annotation, "__args__", ())]
        model = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Value)), Value)
    return [field.alias or name for name, field in model.model_fields.items()]


def _settle(value: Any, home: str) -> Any:
    changes: dict[str, Any] = {}
    for name, field in type(value).model_fields.items():
        known = getattr(value, name)
        if isinstance(known, Value):
            changes[name] = _settle(known, home)
        elif isinstance(known, str) and _is_address(field):
            changes[name] = known if "://" in known or known.startswith("/") else f"{home}/{known}"
    return value.model_copy(update=changes)


def without_addresses(value: Value) -> dict[str, Any]:
    """What the value says, but for where things lie: moving a folder changes no result."""
    found: dict[str, Any] = {}
    for name, field in type(value).model_fields.items():
        known = getattr(value, name)
        if isinstance(known, Value):
            found[name] = without_addresses(known)
        elif not (_is_address(field) and isinstance(known, str | None)):
            found[name] = value.model_dump(mode="json", include={name})[name]
    return found


def _is_address(field: Any) -> bool:
    return "checked_address" in repr(field.metadata) or "checked_address" in repr(field.annotation)


def _addresses(value: Value, path: str = "") -> list[tuple[str, str]]:
    """Every address that the value holds, with its key."""
    found: list[tuple[str, str]] = []
    for name, field in type(value).model_fields.items():
        known = getattr(value, name)
        if isinstance(known, Value):
            found += _addresses(known, f"{path}{name}.")
        elif isinstance(known, str) and _is_address(field):
            found.append((path + name, known.removeprefix("file://")))
    return found
