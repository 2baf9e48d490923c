"""Random edits of codebooks that the schema takes, each under the lowest version number that says enough of it."""

from collections.abc import Callable
from typing import Any, Final

from hypothesis import strategies as st
from pydantic import ValidationError

from goldloop.codebook.diff import diff
from goldloop.codebook.schema import Codebook

Book = dict[str, Any]
Edit = Callable[[Book, dict[str, Any]], object]
"""Changes one question of a codebook's content, in place."""


def _more(question: dict[str, Any], field: str) -> None:
    question[field] = f"{question[field] or ''} zebra".strip()


def _label(name: str) -> dict[str, Any]:
    return {"name": name, "text": name, "definition": f"It has {name}."}


def _rename(book: Book, question: dict[str, Any]) -> None:
    old, question["name"] = question["name"], f"zz{question['name']}"[:40]
    for other in book["questions"]:
        if other["only_if"] and old in other["only_if"]:
            other["only_if"] = {question["name"]: other["only_if"][old]}


def _new_question(book: Book, _question: dict[str, Any]) -> None:
    labels = [_label("hooves"), _label("stripes")]
    book["questions"].append(
        {"name": f"extra{len(book['questions'])}", "kind": "choice", "text": "?", "labels": labels}
    )


EDITS: Final[dict[str, Edit]] = {
    "reworded": lambda _, q: _more(q, "text"),
    "label reworded": lambda _, q: q["labels"][0].update(text=f"{q['labels'][0]['text']} zebra"),
    "example": lambda _, q: _more(q["labels"][0], "positive"),
    "redefined": lambda _, q: _more(q["labels"][-1], "definition"),
    "label added": lambda _, q: q["labels"].append(_label(f"zebra{len(q['labels'])}")),
    "label removed": lambda _, q: q["labels"].pop(),
    "label severity": lambda _, q: q["labels"][0].update(severity="major"),
    "turned round": lambda _, q: q["labels"].reverse(),
    "scale": lambda _, q: q["scale"].update(maximum=q["scale"]["maximum"] + 1),
    "required": lambda _, q: q.update(required=not q["required"]),
    "score": lambda _, q: q.update(score=f"zebra.{q['name']}"[:35]),
    "failure": lambda _, q: q.update(failure=[label["name"] for label in q["labels"][:1]]),
    "always shown": lambda _, q: q.update(only_if=None),
    "removed": lambda book, q: book["questions"].remove(q),
    "renamed": _rename,
    "question added": _new_question,
}


@st.composite
def successors(draw: st.DrawFn, codebook: Codebook) -> Codebook:
    """The next version: one to three edits, of which those count that leave a codebook."""
    edited = codebook
    for name in draw(st.lists(st.sampled_from(sorted(EDITS)), min_size=1, max_size=3)):
        book = edited.model_dump(mode="json")
        question = draw(st.sampled_from(book["questions"]))
        try:
            EDITS[name](book, question)
            edited = Codebook.model_validate(book)
        except (ValidationError, IndexError, AttributeError, TypeError):
            continue  # it can't be done to this question
    major, minor, patch = (int(part) for part in codebook.version.split("."))
    edited = edited.model_copy(update={"version": f"{major}.{minor}.{patch + 1}"})
    return edited.model_copy(update={"version": max(edited.version, diff(codebook, edited).needed_version, key=_key)})


def _key(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]
