"""The answer's schema as Anthropic takes it."""

from typing import Any


def with_unions(schema: dict[str, Any]) -> dict[str, Any]:
    """The same schema with `anyOf` in place of each list of types, which Anthropic's SDK does not know.

    What holds for the value (its labels, its bounds) goes to the part that is not null; the description stays outside.
    """
    changed = {name: _changed(part) for name, part in schema.items()}
    types = changed.get("type")
    if not isinstance(types, list):
        return changed
    of_value = {name: part for name, part in changed.items() if name not in {"type", "description"}}
    if "enum" in of_value:
        of_value["enum"] = [label for label in of_value["enum"] if label is not None]
    parts = [{"type": kind} | (of_value if kind != "null" else {}) for kind in types]
    described = {"description": changed["description"]} if "description" in changed else {}
    return {"anyOf": parts} | described


def unions(schema: dict[str, Any]) -> int:
    """How many parts of a schema may be of several types: Anthropic enforces a schema of at most sixteen."""
    own = isinstance(schema.get("type"), list) or "anyOf" in schema
    return own + sum(unions(part) for part in schema.get("properties", {}).values())


def _changed(part: Any) -> Any:
    if isinstance(part, dict):
        return with_unions(part)
    return part
