"""The tables of fields in docs/codebooks.md, made from the model of a codebook.

`.venv/bin/python tests/docs/codebook_table.py` writes them. A field that says nothing of itself gets its `description`
in the model, where editors show it too.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from goldloop.codebook.schema import Codebook

PAGE = Path(__file__).parents[2] / "docs" / "codebooks.md"
BEGIN, END = "<!-- fields: begin -->\n", "<!-- fields: end -->"


def models(model: type[BaseModel] = Codebook, place: str = "") -> dict[type[BaseModel], str]:
    """Each model that a codebook file can hold, and the fields that lead to it; a parent before its parts."""
    found = {model: place}
    for name, field in model.model_fields.items():
        for inside in _inside(field.annotation):
            if inside not in found:
                found = models(inside, f"{place}.{name}" if place else name) | found
    return dict(sorted(found.items(), key=lambda pair: _order(pair[1])))


def _order(place: str) -> list[int]:
    """As the fields stand in the file."""
    model: type[BaseModel] = Codebook
    order = []
    for name in place.split(".") if place else []:
        order.append(list(model.model_fields).index(name))
        model = next(_inside(model.model_fields[name].annotation))
    return order


def rows(model: type[BaseModel]) -> Iterator[tuple[str, str, str]]:
    """Field, what holds where it is left out, and meaning."""
    for name, field in model.model_fields.items():
        yield f"`{name}`", _left_out(field), "; ".join([field.description or "", *_words(field.annotation)])


def tables() -> str:
    told = []
    for model, place in models().items():
        told += [
            f"### Fields of `{place}`\n" if place else "### Fields of a codebook\n",
            "| field | left out | meaning |",
            "|---|---|---|",
        ]
        told += [f"| {name} | {left_out} | {_cell(meaning)} |" for name, left_out, meaning in rows(model)]
        told += [""]
    return "\n".join(told)


def renewed(page: str) -> str:
    """The page with its tables as they should be."""
    before, _, rest = page.partition(BEGIN)
    return before + BEGIN + tables() + END + rest.partition(END)[2]


def _left_out(field: FieldInfo) -> str:
    if field.is_required():
        return "needed"
    default = field.get_default(call_default_factory=True)
    if default is None or isinstance(default, BaseModel) or default in ((), {}):
        return "-"
    if isinstance(default, tuple):
        return "built in"
    return f"`{default if isinstance(default, str) else json.dumps(default)}`"


def _words(annotation: Any) -> Iterator[str]:
    """The words that a field takes, or that its parts are named by, where only some will do."""
    if get_origin(annotation) is Literal:
        yield "one of " + ", ".join(f"`{word}`" for word in get_args(annotation))
        return
    for part in get_args(annotation):
        yield from (
            told.replace("one of", "names:") if get_origin(annotation) is dict else told for told in _words(part)
        )


def _inside(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _inside(part)


def _cell(text: str) -> str:
    return re.sub(r"([|<])", r"\\\1", text)


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
