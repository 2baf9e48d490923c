"""The category of a candidate: which of a trace's fields tells the strata apart."""

import json
from dataclasses import dataclass
from typing import Final

from goldloop.adapters.langfuse.wire import ObservationHead
from goldloop.codebook.text import clean
from goldloop.errors import ConfigError

UNCATEGORISED: Final = "uncategorised"
_PLAIN: Final = frozenset({"name", "environment", "model", "tag"})
_WITH_ARGUMENT: Final = frozenset({"tag", "metadata"})
_LENGTH: Final = 200
"""Longer categories are cut: so does the server with metadata in lists."""


@dataclass(frozen=True)
class CategoryRule:
    """`name`, `environment`, `model`, `tag` (the first), `tag:PREFIX` or `metadata:KEY`.

    `tag:PREFIX` is the rest of the first tag that starts with PREFIX.
    """

    kind: str
    argument: str = ""

    @classmethod
    def parse(cls, text: str) -> "CategoryRule":
        """Raises: ConfigError."""
        kind, colon, argument = text.partition(":")
        if (not colon and kind in _PLAIN) or (argument and kind in _WITH_ARGUMENT):
            return cls(kind, argument)
        raise ConfigError(
            f"The category rule {text!r} is unknown: set it to name, environment, model, tag, tag:PREFIX"
            " or metadata:KEY."
        )

    @property
    def needs_metadata(self) -> bool:
        return self.kind == "metadata"

    def of(self, observation: ObservationHead) -> str:
        return clean(self._value(observation)).strip()[:_LENGTH] or UNCATEGORISED

    def _value(self, observation: ObservationHead) -> str:
        match self.kind:
            case "name":
                return trace_name(observation)
            case "environment":
                return observation.environment
            case "model":
                return observation.model or ""
            case "tag":
                return next(
                    (tag.removeprefix(self.argument) for tag in observation.tags if tag.startswith(self.argument)), ""
                )
            case _:
                value = observation.metadata.get(self.argument)
                return value if isinstance(value, str) else "" if value is None else json.dumps(value)


def trace_name(observation: ObservationHead) -> str:
    """The trace's own name, else that of the observation that stands for it."""
    return observation.trace_name or observation.name
