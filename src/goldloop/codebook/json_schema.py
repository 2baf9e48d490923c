"""The JSON schema of codebook files, made from the model: editors complete and check by it."""

import json
from typing import Any, Final

from goldloop.codebook.schema import Codebook

FILE: Final = "codebook.schema.json"
"""Where it stands beside the codebooks."""
EDITOR_LINE: Final = f"# yaml-language-server: $schema={FILE}\n"
"""The first line of a codebook: by it an editor finds the schema."""


def codebook_schema() -> dict[str, Any]:
    """The schema (JSON Schema 2020-12). It takes all that `load` takes; rules across fields only `load` knows."""
    schema = Codebook.model_json_schema()
    for kind in ("Label", "SkipReason"):
        texts = schema["$defs"][kind]["properties"]["hotkey"]["anyOf"]
        texts.append({"type": "integer", "minimum": 0, "maximum": 9})  # `hotkey: 1` is read as the text
    condition = schema["$defs"]["Question"]["properties"]["only_if"]["anyOf"][0]
    condition["additionalProperties"] = False
    for pattern, labels in condition["patternProperties"].items():
        condition["patternProperties"][pattern] = {"anyOf": [labels["items"], labels]}  # one label needs no list
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **_without_titles(schema),
        "title": "A codebook of goldloop",
    }


def as_text() -> str:
    """The schema as a file's text, ending with a newline."""
    return json.dumps(codebook_schema(), indent=2, ensure_ascii=False) + "\n"


def _without_titles(value: Any) -> Any:
    """Without the titles that only repeat a field's name, which an editor shows in front of what it means."""
    if isinstance(value, list):
        return [_without_titles(part) for part in value]
    if not isinstance(value, dict):
        return value
    return {
        name: _without_titles(part) for name, part in value.items() if not (name == "title" and isinstance(part, str))
    }
