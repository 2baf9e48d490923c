"""How a call ended, and what is known of an asking by that."""

from dataclasses import dataclass, field
from typing import Literal

from pydantic import JsonValue

from goldloop.adapters.llm import faults
from goldloop.adapters.llm.asking import Reply
from goldloop.adapters.llm.line import Came
from goldloop.adapters.llm.reading import DECLINED, TOO_LONG, Misfit, Understood, understood
from goldloop.adapters.llm.tracing import TracedCall
from goldloop.codebook.schema import Codebook
from goldloop.errors import RejectedError
from goldloop.records import JudgeCall, Unjudged

Outcome = Literal["answered", "refused", "unusable", "failed"]


@dataclass
class Found:
    """What is known of one asking: its answer, or why there is none; `made` are the calls that this page made."""

    answer: dict[str, JsonValue] | None = None
    unjudged: Unjudged | None = None
    misfit: Misfit | None = None
    made: list[JudgeCall] = field(default_factory=list)


def outcome_of(codebook: Codebook, came: Came, known: Found, *, says_sure: bool) -> Outcome:
    """How the call ended; sets of `known` the answer, the misfit, or why there is nothing."""
    match came.what:
        case Reply(declined=True):
            known.answer = {"refused": DECLINED}
            return "refused"
        case Reply():
            read = understood(codebook, came.what, swap=came.asking.swap, says_sure=says_sure)
        case RejectedError(reason=faults.TOO_LONG):
            known.answer = {"refused": TOO_LONG}
            return "refused"
        case RejectedError(reason=faults.DAMAGED):
            read = Misfit("malformed")
        case RejectedError():
            reason = f"request refused: {came.what.reason}"
            known.unjudged = Unjudged(cause="unusable", reason=reason, detail=str(came.what))
            return "failed"
        case _:
            known.unjudged = later(came)
            return "failed"
    if isinstance(read, Understood):
        known.answer, known.misfit, known.unjudged = read.answer, None, None
        return "answered"
    known.misfit = read
    known.unjudged = Unjudged(cause="unusable", reason=read.reason, detail="asked twice, it gave no answer of use")
    return "unusable"


def later(came: Came) -> Unjudged:
    return Unjudged(cause="later", reason="no answer from its server", detail=str(came.what))


def traced(codebook: Codebook, call: JudgeCall, version: str, model: str, came: Came) -> TracedCall:
    said = call.answer.get("said")
    answers = said.get("answers") if isinstance(said, dict) else None
    verdict = answers.get(codebook.verdict.name) if isinstance(answers, dict) else None
    return TracedCall(
        judge=call.judge,
        judge_version=version,
        model=model,
        run=call.run,
        queue=codebook.name,
        trace_id=came.asking.trace_id,
        outcome=call.outcome,
        verdict=str(verdict) if verdict is not None else None,
        input_tokens=call.input_tokens,
        output_tokens=call.output_tokens,
        usd=call.usd,
        seconds=call.latency_s,
    )
