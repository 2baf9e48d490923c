"""What the schema refuses, said so that somebody who does not program can mend it."""

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any, Final, get_args

import yaml
from pydantic import BaseModel
from pydantic_core import ErrorDetails

from goldloop.codebook.schema import Codebook
from goldloop.codebook.tree import Place, line_of, node_at

_VERSION: Final = r"^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)$"
_PATTERNS: Final = {
    _VERSION: "is three numbers with points between them, as in 1.0.0",
    r"\S": "is blank: write it, or remove the line",
    r"^[a-z0-9]$": "is one small letter or digit, as in p or 1",
    r"^[a-z][a-z0-9_]{0,39}$": "is a small letter, then small letters, digits and _, as in wrong_tone (40 at most)",
    r"^[a-z][a-z0-9-]{0,59}$": "is a small letter, then small letters, digits and -, as in answer-quality (60 at most)",
    r"^[A-Za-z][A-Za-z0-9_.-]{0,34}$": "is a letter, then letters, digits, _ . and - (35 at most)",
}
_KINDS: Final = {
    "int_type": "is a whole number, without quotes",
    "int_from_float": "is a whole number",
    "float_type": "is a number, without quotes",
    "bool_type": "is true or false, without quotes",
    "model_type": "has fields of its own: write them below it, indented by two spaces",
    "model_attributes_type": "has fields of its own: write them below it, indented by two spaces",
    "dict_type": "has fields of its own, as in {{ name: value }}",
    "string_too_long": "has {length} characters, and {max_length} at most: shorten it",
    "string_too_short": "needs {min_length} characters or more: write it, or remove the line",
    "too_short": "takes {min_length} or more, and has {actual_length}",
    "too_long": "takes {max_length} at most, and has {actual_length}",
}


def complaints(problems: Sequence[ErrorDetails], tree: yaml.Node) -> Iterator[tuple[int, str]]:
    """The line of each thing that is wrong; the field in question, what is wrong with it and what to write there."""
    told: set[tuple[int | str, ...]] = set()
    unknown = [problem["loc"] for problem in problems if problem["type"] == "extra_forbidden"]
    places = [_place(problem) for problem in problems]
    for place, problem in zip(places, problems, strict=True):
        # Where a field takes two shapes, pydantic complains for both: the complaint that goes deeper is of the one
        # that was meant, and of two for one place the first is enough.
        if place in told or any(other[: len(place)] == place and len(other) > len(place) for other in places):
            continue
        if problem["type"] == "missing" and any(_misspelled(place, other) for other in unknown):
            continue
        told.add(place)
        if problem["type"] == "value_error":
            for said in str(problem["msg"]).removeprefix("Value error, ").split("; "):
                yield _line_of_rule(said, place, tree), f"{_shown(place)}{said}"
        else:
            yield line_of(tree, place), f"{_shown(place)}{_sentence(problem, place, tree)}"


def _misspelled(missing: Place, unknown: Place) -> bool:
    """Whether a field that is missing is there under a name that is nearly its own: one complaint is enough."""
    near = get_close_matches(str(unknown[-1]), [str(missing[-1])], cutoff=0.6)
    return tuple(missing[:-1]) == tuple(unknown[:-1]) and bool(near)


def _place(problem: ErrorDetails) -> tuple[int | str, ...]:
    """Where it is in the file: pydantic's own way also names the shapes that it tried."""
    return tuple(part for part in problem["loc"] if isinstance(part, int) or "[" not in part)


def _line_of_rule(said: str, place: Place, tree: yaml.Node) -> int:
    """The line of a rule that several fields break together: of the second key, or of the question that it is about."""
    if not place and "one hotkey: " in said:
        wanted = said.rpartition("one hotkey: ")[2].split(", ")[0]
        keys = [line for line, key in _hotkeys(tree) if key == wanted]
        return keys[1] if len(keys) > 1 else 1
    questions = node_at(tree, ("questions",)) if not place else None
    for number in range(len(questions.value) if questions else 0):
        name = node_at(tree, ("questions", number, "name"))
        if isinstance(name, yaml.ScalarNode) and name.value == said.split(maxsplit=1)[0]:
            return line_of(tree, ("questions", number, "only_if" if "only if" in said else "name"))
    return line_of(tree, place or (("skip_reasons",) if "skip reason" in said else ("questions",)))


def _hotkeys(node: yaml.Node) -> Iterator[tuple[int, str]]:
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if name.value == "hotkey":
                yield name.start_mark.line + 1, str(value.value)
            yield from _hotkeys(value)
    elif isinstance(node, yaml.SequenceNode):
        for part in node.value:
            yield from _hotkeys(part)


def _sentence(problem: ErrorDetails, place: Place, tree: yaml.Node) -> str:
    node = node_at(tree, place)
    if problem["type"] == "missing":
        return f"is missing: add `{place[-1]}:`{_meaning(place)}"
    if problem["type"] == "extra_forbidden":
        return _unknown(place)
    written = node.value if isinstance(node, yaml.ScalarNode) else None
    if isinstance(node, yaml.ScalarNode) and not written and not node.style:
        return "is empty: write it after the colon, or remove the line"
    return _said(problem, problem["type"], written)


def _said(problem: ErrorDetails, kind: str, written: str | None) -> str:
    given = str(problem["input"])
    context = {name: str(value) for name, value in problem.get("ctx", {}).items()}
    match kind:
        case "string_pattern_mismatch":
            said = _PATTERNS.get(context["pattern"], problem["msg"])
        case "string_type" if problem["loc"] == ("version",):
            said = _PATTERNS[_VERSION]
        case "string_type" if written is None:
            said = "is a text: write it on the same line, or below `>-`; a text with a colon has to stand in quotes"
        case "string_type":
            said = f'is a text: put it into quotes, as in "{written}"'
        case "tuple_type":
            said = f"is a list: write [{written}]" if written else "is a list: start each line of it with `- `"
        case "literal_error":
            wanted = context["expected"].replace("'", "")
            said = f"is one of {wanted}{_near(given, wanted.replace(' or ', ', ').split(', '))}"
        case _:
            plain = problem["msg"].removeprefix("Value error, ").replace("Input should", "must")
            said = _KINDS[kind].format(**context, length=len(given)) if kind in _KINDS else plain
    return said


def _shown(place: Place) -> str:
    words = [str(part + 1) if isinstance(part, int) else part for part in place]
    return ".".join(words) + ": " if words else ""


def _near(word: str, known: Sequence[str]) -> str:
    near = get_close_matches(word, known, n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else ""


def _unknown(place: Place) -> str:
    name, here = str(place[-1]), _model(place[:-1])
    near = get_close_matches(name, here.model_fields, n=1, cutoff=0.6)
    if near:
        return f"there is no such field; did you mean `{near[0]}`?"
    owners = [kind for kind, model in _models(Codebook, "the codebook itself") if name in model.model_fields]
    if owners:
        return f"there is no such field here: it belongs to {' or '.join(owners)}; mind how far it is indented"
    return f"there is no such field; there are {', '.join(here.model_fields)}"


def _meaning(place: Place) -> str:
    field = _model(place[:-1]).model_fields.get(str(place[-1]))
    return f" ({field.description})" if field and field.description else ""


def _model(place: Place) -> type[BaseModel]:
    """The model whose fields stand at `place`."""
    model: type[BaseModel] = Codebook
    for part in place:
        field = model.model_fields.get(part) if isinstance(part, str) else None
        model = next(_inside(field.annotation), model) if field else model
    return model


def _models(model: type[BaseModel], name: str) -> Iterator[tuple[str, type[BaseModel]]]:
    yield name, model
    for part, field in model.model_fields.items():
        for below in _inside(field.annotation):
            yield from _models(below, f"`{part}`")


def _inside(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _inside(part)
