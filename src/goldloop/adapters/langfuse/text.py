"""Texts from a server, made safe to keep and to show, and texts to a server, made safe to send."""

import math
import re
from typing import Any

_LINE_END = re.compile(r"\r\n?")
# Control characters but for tab and line feed, and halves of surrogate pairs: neither database nor JSON takes them all.
_UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def clean(text: str) -> str:
    """The text with plain line feeds and everything unsafe replaced by U+FFFD, so that it stays visible."""
    return _UNSAFE.sub(_REPLACEMENT, _LINE_END.sub("\n", text))


def clean_json(value: Any) -> Any:
    """A JSON value whose texts are clean and whose numbers JSON can hold; NaN and infinity turn to null."""
    match value:
        case str():
            return clean(value)
        case float():
            return value if math.isfinite(value) else None
        case list() | tuple():
            return [clean_json(each) for each in value]
        case dict():
            return {clean(str(name)): clean_json(each) for name, each in value.items()}
        case _:
            return value
