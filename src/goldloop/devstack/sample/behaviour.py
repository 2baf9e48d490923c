"""What people do with an answer: the customers' signals, and the ratings of Ana, Ben and Chloe."""

import re
from typing import Any

from goldloop.devstack.sample.chance import Chance
from goldloop.devstack.sample.material import Answer

RATERS = ("ana", "ben", "chloe")
_PACE = {"ana": 1.0, "ben": 0.65, "chloe": 1.4}  # of the time that a rating takes
_LENIENT = ("ben", "ben", "ben", "ana", "chloe")  # who lets a mild failure pass
_PRAISE = (
    "Matches the article.",
    "Good.",
    "Would send it like this.",
    "Checked against the article, fine.",
    "ok",
    "Clear.",
    "Everything in it is in the context.",
)
_SKIPS = (
    "I know this customer, please let the others decide.",
    "Not sure which rule applied on that day.",
    "I wrote this article, so I'd rather not judge it.",
    "Had to leave in the middle of it.",
    "I read it three times and can't decide.",
    "Would like to talk this one over first.",
)
_THANKS = ("thanks!", "quick and clear", None, "super helpful 👍", None)
_GRUMBLES = ("I'd rather talk to a person", "not what I hoped for", None)


def ratings(chance: Chance, answer: Answer, *, skip: bool) -> list[dict[str, Any]]:
    """Three ratings in the order of RATERS; with ``skip`` one of them is a skip with its reason."""
    lenient = chance.pick("lenient", _LENIENT) if answer.mild is not None else None
    skipper = chance.pick("skipper", RATERS) if skip else None
    turn = int(chance.number("first voice") * len(RATERS))
    voices = [rater for rater in RATERS[turn:] + RATERS[:turn] if rater not in {lenient, skipper}]
    given = []
    for rater in RATERS:
        own = Chance(chance.seed, f"{chance.key}/{rater}")
        if rater == skipper:
            note = own.pick("skip", _SKIPS)
            given.append({"rater": rater, "skipped": True, "note": note})
        elif answer.fails and rater != lenient:
            given.append(_fail(own, rater, answer, voices.index(rater)))
        elif answer.dissent and rater == answer.dissent.by:
            objection = answer.dissent
            given.append(_rating(own, rater, answer, [objection.type], objection.fix, objection.note))
        else:
            note = own.pick("praise", _PRAISE) if own.happens("speaks", 0.1) else ""
            given.append(_rating(own, rater, answer, [], None, answer.mild if rater == lenient else note))
    return given


def _fail(chance: Chance, rater: str, answer: Answer, voice: int) -> dict[str, Any]:
    """The rating of the ``voice``-th rater who sees the failure: the first two name all that is wrong."""
    types = list(answer.fails if voice <= 1 else answer.fails[:1])
    note = answer.notes[voice] if voice < len(answer.notes) else ""
    return _rating(chance, rater, answer, types, answer.fix[voice % len(answer.fix)], note)


def _rating(
    chance: Chance,
    rater: str,
    answer: Answer,
    types: list[str],
    correction: str | None,
    note: str | None,
) -> dict[str, Any]:
    reading = 9 + len(f"{answer.ask} {answer.text}".split()) / 3.5 + 6 * len(answer.docs)
    typing = 12 + len((correction or "").split()) / 0.9 if correction else 0
    seconds = _PACE[rater] * chance.around("duration", reading + typing, 0.35)
    rating: dict[str, Any] = {"rater": rater, "verdict": "fail" if types else "pass", "error_types": types}
    if correction is not None:
        rating["correction"] = correction
    return rating | {"note": note or "", "task_duration_s": round(seconds, 1)}


def signals(chance: Chance, answer: Answer, *, last: bool, thumb: int | None) -> list[dict[str, Any]]:
    """What the customer did. ``thumb``: 1 or 0 where one was given; ``last``: nothing was asked after it."""
    failed = bool(answer.fails)
    done: list[dict[str, Any]] = []
    if thumb is not None:
        done.append(_rated(chance, answer, thumb))
    if chance.happens("regenerate", 0.2 if failed else 0.035):
        done.append({"name": "regenerate", "value": 1})
    if answer.text and chance.happens("copy", 0.05 if failed else 0.14):
        done.append({"name": "copy", "value": 1})
    edited = answer.fix[0] if failed else _shortened(answer.text)
    if edited and chance.happens("edit", 0.14 if failed else 0.04):
        done.append({"name": "edit", "value": 1, "comment": edited})
    if not last or chance.happens("follow up", 0.25 if failed else 0.07):
        done.append({"name": "follow_up", "value": 1})
    if chance.happens("dwell", 0.72):
        seconds = chance.around("dwell seconds", 29.0 if failed else 19.0, 0.6)
        done.append({"name": "dwell_s", "value": round(seconds, 1)})
    return done


def _rated(chance: Chance, answer: Answer, thumb: int) -> dict[str, Any]:
    words = chance.pick("words", _THANKS if thumb else _GRUMBLES)
    comment = answer.gripe if answer.gripe and not thumb else words
    return {"name": "user_rating", "value": thumb} | ({"comment": comment} if comment else {})


def _shortened(text: str) -> str | None:
    """``text`` without its last sentence; None where it has lines or is one sentence."""
    sentences = re.split(r"(?<=[.!?]) ", text)
    return None if "\n" in text or len(sentences) == 1 else " ".join(sentences[:-1])
