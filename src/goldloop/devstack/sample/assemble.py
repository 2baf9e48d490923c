"""Puts scenes, people and times together to traces."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from goldloop.devstack.sample.behaviour import ratings, signals
from goldloop.devstack.sample.chance import Chance
from goldloop.devstack.sample.facts import facts, fill, moments
from goldloop.devstack.sample.material import Answer, Material, Person, Scene, load

SEED = 20261115
SMALL, LARGE = "nova-small-2", "nova-large-1"
PARAMS = {SMALL: {"temperature": 0.2, "max_tokens": 400}, LARGE: {"temperature": 0.3, "max_tokens": 700}}
_NEW_PROMPT = datetime(2026, 11, 9, tzinfo=UTC)
_SKIPPED = 9
# Thumbs by whether the answer was right: (up, down). They are rare, and not always just.
_THUMBS = {True: (5, 2), False: (1, 5)}


@dataclass(frozen=True, slots=True)
class _Turn:
    """One trace to be, with all but what depends on the other traces."""

    chance: Chance
    scene: Scene
    answer: Answer
    history: tuple[dict[str, str], ...]
    person: Person
    model: str
    when: datetime
    last: bool


def lines(seed: int = SEED) -> str:
    """The whole sample as JSON lines, oldest trace first."""
    return "".join(json.dumps(trace, ensure_ascii=False) + "\n" for trace in traces(seed))


def traces(seed: int = SEED) -> list[dict[str, Any]]:
    """All traces of the sample, oldest first."""
    material = load()
    turns = sorted(_turns(material, seed), key=lambda turn: (turn.when, turn.chance.key))
    thumbs = _thumbs(turns)
    undisputed = [turn for turn in turns if turn.answer.mild is None and turn.answer.dissent is None]
    skipped = {turn.chance.key for turn in _first(undisputed, _SKIPPED, "skip")}
    return [_trace(turn, material, thumbs, skip=turn.chance.key in skipped) for turn in turns]


def _turns(material: Material, seed: int) -> Iterator[_Turn]:
    placed = sorted(material.scenes, key=lambda scene: Chance(seed, scene.key).number("place"))
    for scene, start in zip(placed, moments(len(placed)), strict=True):
        chance = Chance(seed, scene.key)
        # A power of a uniform number: few people write often, most once.
        person = material.people[int(len(material.people) * chance.number("person") ** 1.5)]
        values = facts(chance, person, start)
        model = _model(chance, scene)
        prompt = material.prompts["agent" if _is_agent(scene) else "chat"]
        history: tuple[dict[str, str], ...] = ({"role": "system", "content": prompt},)
        when = start + timedelta(milliseconds=int(1000 * chance.number("milliseconds")))
        for number, answer in enumerate(scene.answers):
            filled = _filled(answer, values)
            history += ({"role": "user", "content": filled.ask},)
            own = Chance(seed, f"{scene.key}#{number}")
            last = number == len(scene.answers) - 1
            yield _Turn(own, scene, filled, history, person, model, when, last)
            history += ({"role": "assistant", "content": filled.text},)
            when += timedelta(seconds=round(own.around("pause", 95, 0.5), 3))


def _model(chance: Chance, scene: Scene) -> str:
    """The model that the material asks for, or else one by chance: the small one fails more often."""
    for answer in scene.answers:
        if answer.model:
            return {"small": SMALL, "large": LARGE}[answer.model]
    failed = any(answer.fails for answer in scene.answers)
    return SMALL if chance.happens("small", 0.42 if failed else 0.56) else LARGE


def _filled(answer: Answer, values: dict[str, str]) -> Answer:
    dissent = answer.dissent
    return replace(
        answer,
        ask=fill(answer.ask, values),
        text=fill(answer.text, values),
        tools=tuple(fill(list(answer.tools), values)),
        fix=tuple(fill(list(answer.fix), values)),
        dissent=dissent and replace(dissent, fix=fill(dissent.fix, values)),
    )


def _first(turns: list[_Turn], count: int, what: str) -> list[_Turn]:
    return sorted(turns, key=lambda turn: turn.chance.number(what))[:count]


def _thumbs(turns: list[_Turn]) -> dict[str, int]:
    """1 or 0 by the key of the trace, for the few who gave a thumb."""
    given: dict[str, int] = {}
    for right, (up, down) in _THUMBS.items():
        kind = [turn for turn in turns if bool(turn.answer.fails) != right]
        loud = [turn for turn in kind if turn.answer.gripe] or kind
        given |= {turn.chance.key: 0 for turn in _first(loud, down, "thumb down")}
        quiet = [turn for turn in kind if turn.chance.key not in given]
        given |= {turn.chance.key: 1 for turn in _first(quiet, up, "thumb up")}
    return given


def _trace(turn: _Turn, material: Material, thumbs: dict[str, int], *, skip: bool) -> dict[str, Any]:
    answer, chance = turn.answer, turn.chance
    context = _context(turn, material)
    tools = [{"type": "tool", **tool} for tool in answer.tools]
    given = ratings(chance, answer, skip=skip)
    failed = [rating for rating in given if rating.get("verdict") == "fail"]
    failure = 2 * len(failed) > sum("verdict" in rating for rating in given)
    trace: dict[str, Any] = {
        "id": chance.hex("trace")[:32],
        "timestamp": f"{turn.when:%Y-%m-%dT%H:%M:%S}.{turn.when.microsecond // 1000:03d}Z",
        "user_id": turn.person.user_id,
        "session_id": f"sess-{Chance(chance.seed, turn.scene.key).hex('session')[:12]}",
        "name": "support-agent" if _is_agent(turn.scene) else "support-chat",
        "category": turn.scene.category,
        "input": list(turn.history),
        "context": context,
        "output": answer.text,
        "model": turn.model,
        "model_params": PARAMS[turn.model],
        "steps": [_retrieval(turn, context), *tools, *(_generation(turn) if _is_agent(turn.scene) else ())],
        "tags": _tags(turn),
        "latency_s": _latency(turn),
        "cost_usd": _cost(turn, context),
        "release": "support-prompt-13" if turn.when >= _NEW_PROMPT else "support-prompt-12",
        "signals": signals(chance, answer, last=turn.last, thumb=thumbs.get(chance.key)),
        "human": {"ratings": given},
        "failure": failure,
        "failure_types": list(answer.fails) if failure else [],
    }
    return trace


def _is_agent(scene: Scene) -> bool:
    return any(answer.tools for answer in scene.answers)


def _context(turn: _Turn, material: Material) -> list[dict[str, Any]]:
    """The articles that were fetched, best first; lower scores where the right one was missed."""
    score = 0.56 if "retrieval" in turn.answer.fails else 0.88
    found = []
    for doc in turn.answer.docs:
        score -= 0.02 + 0.09 * turn.chance.number(f"score {doc}")
        found.append({**material.articles[doc], "score": round(score, 3)})
    return found


def _retrieval(turn: _Turn, context: list[dict[str, Any]]) -> dict[str, Any]:
    hits = [{"id": article["id"], "score": article["score"]} for article in context]
    return {
        "type": "retriever",
        "name": "kb_search",
        "input": {"query": turn.answer.ask, "k": len(hits)},
        "output": hits,
    }


def _generation(turn: _Turn) -> tuple[dict[str, Any]]:
    prompt = {"messages": len(turn.history), "articles": len(turn.answer.docs), "tool_results": len(turn.answer.tools)}
    return ({"type": "generation", "name": "write_answer", "input": prompt, "output": turn.answer.text},)


def _tags(turn: _Turn) -> list[str]:
    channel = Chance(turn.chance.seed, turn.scene.key).pick("channel", ("web", "web", "app", "app", "mail"))
    return [f"channel:{channel}", *(["conversation"] if len(turn.scene.answers) > 1 else [])]


def _latency(turn: _Turn) -> float:
    """Seconds: a start, the words one by one, and each tool."""
    start, by_word = (0.4, 0.012) if turn.model == SMALL else (0.8, 0.026)
    median = start + by_word * len(turn.answer.text.split()) + 0.35 * len(turn.answer.tools)
    return round(turn.chance.around("latency", median, 0.3), 3)


def _cost(turn: _Turn, context: list[dict[str, Any]]) -> float:
    """US dollars, at 4 characters a token."""
    read, written = (0.15e-6, 0.60e-6) if turn.model == SMALL else (2.0e-6, 8.0e-6)
    prompt = sum(len(message["content"]) for message in turn.history) + sum(len(each["text"]) for each in context)
    return round(prompt / 4 * read + len(turn.answer.text) / 4 * written, 6)
