"""A part of what somebody else wrote down, of which nothing is passed over."""

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_pascal


class Part(BaseModel):
    """A part of an answer; keys that are not its fields are kept, and told."""

    model_config = ConfigDict(frozen=True, extra="allow", alias_generator=to_pascal)

    def unread(self, path: str = "") -> Iterator[tuple[str, Any]]:
        """Every key that is no field, here and in all parts below, with what it says."""
        yield from ((f"{path}{key}", value) for key, value in (self.model_extra or {}).items())
        for name, field in type(self).model_fields.items():
            known = getattr(self, name)
            for one in known if isinstance(known, tuple) else (known,):
                if isinstance(one, Part):
                    yield from one.unread(f"{path}{field.alias or name}.")
