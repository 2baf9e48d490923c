"""JSON from a server, made safe to keep and to show, and to a server, made safe to send."""

import math
from typing import Any

from goldloop.codebook.text import clean


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
