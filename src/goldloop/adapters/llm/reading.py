"""What replies amount to: an answer that can be used, or what is wrong with it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import JsonValue

from goldloop.adapters.llm.asking import Reply
from goldloop.codebook.answer import read_answer
from goldloop.codebook.controls import side
from goldloop.codebook.schema import Codebook, Question
from goldloop.errors import RejectedError
from goldloop.judge.logprobs import Token, label_shares

DECLINED: Final = "the model declines to judge this trace"
TOO_LONG: Final = "the trace is longer than the model reads"

_WRONG: Final = {
    "truncated": "it broke off before its end; keep the reason short",
    "empty": "it was empty",
    "malformed": "it was no JSON object",
    "wrong_shape": "it was not of the form that was asked for",
    "unknown_question": "it answered a question that was not asked",
    "unknown_choice": "it gave a label that is none of the question's",
    "two_answers": "it gave several labels to a question that takes one",
    "wrong_type": "an answer in it was of the wrong type",
    "out_of_range": "a number in it was out of its range",
    "off_step": "a number in it was on no step of its scale",
    "no_answer": "it left a required question open, and did not abstain",
    "contradiction": "it abstained, and answered all the same",
}
"""In words of our own: what the model said may hold words of the trace, and these must not stand outside its marks."""


@dataclass(frozen=True)
class Understood:
    """A reply that can be used, as the ledger keeps it: `said` is the object, `shares` labels' probabilities."""

    answer: dict[str, JsonValue]


@dataclass(frozen=True)
class Misfit:
    """A reply that cannot be used: `reason` is one word for a table."""

    reason: str

    @property
    def told(self) -> str:
        """What the model is told of it."""
        wrong = _WRONG.get(self.reason, _WRONG["wrong_shape"])
        return f"Your last answer could not be used: {wrong}. Judge the trace once more, in the form asked for."


def understood(codebook: Codebook, reply: Reply, *, swap: bool, says_sure: bool) -> Understood | Misfit:
    """Only what the model wrote as its answer is looked at; a verdict inside the trace is none of it."""
    if reply.cut:
        return Misfit("truncated")
    text = reply.text or ""
    said = _object(reply.arguments if reply.arguments is not None else text)
    if said is None:
        return Misfit("malformed" if reply.arguments is not None or text.strip() else "empty")
    try:
        read_answer(codebook, said, swap=swap, confidence=says_sure)
    except RejectedError as error:
        return Misfit(error.reason)
    answer: dict[str, JsonValue] = {"said": said}
    shares = _shares(codebook, said, text, reply.tokens) if reply.tokens else {}
    return Understood(answer | ({"shares": shares} if shares else {}))


def shown_labels(question: Question) -> list[str]:
    """A question's labels as the model is shown them."""
    return [side(name, swap=False) if question.kind == "pairwise" else name for name in question.label_names]


def _shares(codebook: Codebook, said: Mapping[str, Any], text: str, tokens: tuple[Token, ...]) -> dict[str, JsonValue]:
    answered = said["answers"]
    found: dict[str, JsonValue] = {}
    for question in codebook.questions:
        if isinstance(answered.get(question.name), str) and question.chooses:
            shares = label_shares(text, tokens, ("answers", question.name), shown_labels(question))
            if shares is not None:
                found[question.name] = {label: round(share, 9) for label, share in shares.items()}
    return found


def _object(given: object) -> dict[str, JsonValue] | None:
    if isinstance(given, str):
        given = _parsed(given)
    return given if isinstance(given, dict) else None


def _parsed(text: str) -> object:
    """The JSON in a text; some models put words or a fence around theirs."""
    start, end = text.find("{"), text.rfind("}")
    if start < 0 or end < start:
        return None
    try:
        return json.loads(text[start : end + 1], object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # Of two verdicts in one answer neither is it.
    named = dict(pairs)
    if len(named) < len(pairs):
        raise ValueError("a name stands twice")
    return named


def _no_constant(name: str) -> Any:
    raise ValueError(name)
