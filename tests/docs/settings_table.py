"""The table of docs/settings.md, made from the settings themselves.

`.venv/bin/python tests/docs/settings_table.py` writes it.
"""

from collections.abc import Iterator
from pathlib import Path

from pydantic import AliasChoices, BaseModel
from pydantic.fields import FieldInfo

from goldloop.settings import Settings

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"
BEGIN, END = "<!-- settings: begin -->\n", "<!-- settings: end -->"


def rows(model: type[BaseModel] = Settings, prefix: str = "GOLDLOOP_") -> Iterator[tuple[str, str, str]]:
    """Variable, default and meaning of each setting, groups by their members."""
    for name, field in model.model_fields.items():
        if isinstance(field.default, BaseModel):
            yield from rows(type(field.default), f"{prefix}{name.upper()}__")
        else:
            default = field.get_default(call_default_factory=True)
            yield _variable(name, field, prefix), _default(default), field.description or ""


def table() -> str:
    lines = ["| variable | default | meaning |", "|---|---|---|"]
    lines += [f"| {variable} | {default} | {meaning} |" for variable, default, meaning in rows()]
    return "\n".join(lines) + "\n"


def renewed(page: str) -> str:
    """The page with its table as it should be."""
    before, _, rest = page.partition(BEGIN)
    return before + BEGIN + table() + END + rest.partition(END)[2]


def _variable(name: str, field: FieldInfo, prefix: str) -> str:
    match field.validation_alias:
        case AliasChoices(choices=choices):
            return " or ".join(f"`{choice}`" for choice in choices)
        case str(alias):
            return f"`{alias}`"
        case _:
            return f"`{prefix}{name.upper()}`"


def _default(value: object) -> str:
    match value:
        case None:
            return "not set"
        case tuple() | dict() if not value:
            return "empty"
        case (BaseModel(), *_):
            return "built in"
        case bool():
            return f"`{str(value).lower()}`"
        case _:
            return f"`{value}`"


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
