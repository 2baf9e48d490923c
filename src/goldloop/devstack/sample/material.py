"""Reads the prose under ``material/``.

A scene is what one customer goes through: an exchange is one question with its answer, a conversation several.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import yaml

CATEGORIES = (
    "delivery",
    "battery",
    "returns",
    "warranty",
    "service",
    "app",
    "billing",
    "leasing",
    "fitting",
)
ERROR_TYPES = ("ungrounded", "retrieval", "refusal", "missed_question", "tool_argument", "tone", "format")


@dataclass(frozen=True, slots=True)
class Person:
    user_id: str
    name: str
    city: str


@dataclass(frozen=True, slots=True)
class Dissent:
    """What one rater objects to in an answer that the other two pass."""

    by: str
    type: str
    note: str
    fix: str


@dataclass(frozen=True, slots=True)
class Answer:
    """One question with the answer to it; ``$names`` in the texts stand for orders, dates and people."""

    ask: str
    text: str
    docs: tuple[str, ...]
    tools: tuple[dict[str, Any], ...] = ()
    model: str | None = None
    fails: tuple[str, ...] = ()  # error types; empty when the answer is right
    fix: tuple[str, ...] = ()  # rewritten answers, the long one first
    notes: tuple[str, ...] = ()
    mild: str | None = None  # the note of a rater who lets the failure pass; None where all see it
    gripe: str | None = None  # what the customer writes beside a thumb down
    dissent: Dissent | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    key: str
    category: str
    answers: tuple[Answer, ...]


@dataclass(frozen=True, slots=True)
class Material:
    articles: dict[str, dict[str, str]]  # by id, each {id, title, text}
    people: tuple[Person, ...]
    prompts: dict[str, str]  # system messages: chat, agent
    scenes: tuple[Scene, ...]


def load() -> Material:
    """All the prose, checked.

    Raises:
        ValueError: an answer contradicts itself or names what there is not; the text says which and how to mend it.
    """
    articles = {article["id"]: article for article in _read("articles")}
    people = tuple(Person(*row) for row in _read("people"))
    scenes = tuple(scene for category in CATEGORIES for scene in _scenes(category))
    for scene in scenes:
        for answer in scene.answers:
            _check(scene.key, answer, articles)
    return Material(articles, people, _read("prompts"), scenes)


def _read(name: str) -> Any:
    return yaml.safe_load((files(__package__) / "material" / f"{name}.yaml").read_text(encoding="utf-8"))


def _scenes(category: str) -> Iterator[Scene]:
    page = _read(category)
    for exchange in page["exchanges"]:
        asks, turn, copies = exchange["asks"], 0, 0
        for row in exchange["answers"]:
            for _ in range(row.get("times", 1)):
                turn = row.get("ask", turn)
                ask = asks[turn % len(asks)]
                yield Scene(f"{category}/{exchange['key']}/{copies}", category, (_answer(row, ask, exchange["docs"]),))
                turn, copies = turn + 1, copies + 1
    for talk in page["conversations"]:
        answers = tuple(_answer(row, row["ask"], talk["docs"]) for row in talk["turns"])
        yield Scene(f"{category}/talk-{talk['key']}", category, answers)


def _answer(row: dict[str, Any], ask: str, docs: list[str]) -> Answer:
    dissent = row.get("dissent")
    return Answer(
        ask=ask,
        text=row["text"].rstrip("\n"),
        docs=tuple(row.get("docs", docs)),
        tools=tuple(row.get("tools", ())),
        model=row.get("model"),
        fails=tuple(row.get("fails", ())),
        fix=tuple(text.rstrip("\n") for text in row.get("fix", ())),
        notes=tuple(row.get("notes", ())),
        mild=row.get("mild"),
        gripe=row.get("gripe"),
        dissent=Dissent(**dissent) if dissent else None,
    )


def _check(key: str, answer: Answer, articles: dict[str, dict[str, str]]) -> None:
    if missing := [doc for doc in answer.docs if doc not in articles]:
        raise ValueError(f"{key}: no article {missing}; add it to articles.yaml or mend the id")
    types = answer.fails + ((answer.dissent.type,) if answer.dissent else ())
    if unknown := [name for name in types if name not in ERROR_TYPES]:
        raise ValueError(f"{key}: unknown error type {unknown}; use one of {ERROR_TYPES}")
    if bool(answer.fails) != bool(answer.fix) or (answer.fails and not answer.notes):
        raise ValueError(f"{key}: a failing answer needs fails, fix and notes, a right one none of them")
    if answer.fails and answer.dissent:
        raise ValueError(f"{key}: a dissent belongs to a right answer; use mild on a failing one")
