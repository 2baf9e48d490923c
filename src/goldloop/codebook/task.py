"""The data of a task: a fixed, documented shape (docs/task-data.md), from a trace and the draw that chose it."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from goldloop.codebook.controls import side, swapped
from goldloop.codebook.link import link_to
from goldloop.codebook.render.asked import offers
from goldloop.codebook.schema import Codebook
from goldloop.codebook.text import clean, is_fixed_width, shorten
from goldloop.records import Draw, Judgement, Message, Signal, Step, Trace

FORMAT = "goldloop.task/1"
TEXT_LIMIT = 100_000
"""Characters of one text that the screen shows; more makes Label Studio's page slow."""
NOTHING = "(none)"
FIXED = "fixed"
"""The form of an answer that is mostly code, JSON or a table."""
_TELLING: Final = 20
"""Characters from which an answer is known again inside a longer text; "Yes" or "4" stands in any log by chance."""


class Passage(BaseModel):
    """One block of a Paragraphs tag: who or what it is from, and its text. Both are plain text."""

    model_config = ConfigDict(frozen=True)

    author: str
    text: str


class TaskData(BaseModel):
    """What a task holds. The screen shows the first part, the second is for people who look into exports."""

    model_config = ConfigDict(frozen=True)

    format: str = Field(default=FORMAT, description="name and version of this shape")
    title: str = Field(description="category and name of the trace")
    trace: str = Field(default="", description="a link to the trace in Langfuse, as HTML: the only HTML in a task")
    conversation: list[Passage] = Field(description="all messages up to the answer, the system prompt left out")
    output: str = Field(description="the answer to judge; of two that are compared, the left one (A)")
    other: str = Field(default="", description="of two answers that are compared, the right one (B)")
    form: str = Field(default="", description="`fixed` where an answer is mostly code, JSON or a table")
    system: list[Passage] = Field(description="system messages")
    documents: list[Passage] = Field(description="retrieved passages in the retriever's order")
    steps: list[Passage] = Field(description="tool calls and other steps, in time order")
    about: dict[str, str] = Field(description="model, version, time, latency, cost, what is unusual")
    feedback: dict[str, str] = Field(description="what the user said or did")
    prelabel: str = Field(description="the machine's suggestion in words; empty where there is none")

    trace_id: str
    queue: str
    codebook: str = Field(description="name@version")
    draw_run: str = Field(description="id of the draw that chose the trace")
    policy: str
    pi: float = Field(description="inclusion probability of that draw")
    stratum: str
    blind: bool = Field(default=False, description="drawn to be judged without a suggestion")
    blind_probability: float = Field(default=0.0, description="of that, given that it was drawn")
    double: bool = Field(default=False, description="one annotator more judges it")
    double_probability: float = Field(default=0.0, description="of that, given that it was drawn")
    annotators: int | None = Field(default=None, description="how many judge it; None: as many as the codebook says")
    kept: float = Field(default=1.0, description="share of its draw that had not expired when the task was made")
    mixture: dict[str, float] = Field(default={}, description="each policy's share of the probability")
    priority: int = Field(default=0, description="place in the annotators' order")
    certain: bool = Field(default=False, description="it had to be reviewed")
    capped: bool = Field(default=False, description="the cap of its user or session made pi smaller")
    drawn_at: str = Field(default="", description="when, as ISO 8601; empty where nobody knows")
    since: dict[str, str] = Field(default={}, description="version since which each question has its meaning")


def task_data(
    codebook: Codebook,
    trace: Trace,
    draw: Draw,
    signals: Sequence[Signal],
    judgement: Judgement | None,
    url: str,
    since: Mapping[str, str] | None = None,
) -> TaskData:
    """What an annotator is to see of a trace. Without a judgement nothing on the screen hints at one.

    Where two answers are compared, nothing tells which of them is the app's own: no link, no feedback on it, nothing
    on how it was made but the tool calls that either answer is to be held against.

    The second part is all that the store knows of the draw, and `since` what it knows of the version: from it a store
    that is lost can be made again (`goldloop.pipeline.rebuild`).
    """
    swap = swapped(draw.queue, trace.trace_id)
    compared = [show_output(trace.output), show_output(trace.alternative or "")]
    left, right = (reversed(compared) if swap else compared) if codebook.pairwise else (compared[0], "")
    return TaskData(
        title=clean(" · ".join(part for part in (draw.stratum, trace.name) if part)),
        trace="" if codebook.pairwise else link_to(url),
        conversation=_passages(
            (message.role, message.content) for message in trace.messages if not _is_system(message)
        ),
        output=left,
        other=right,
        form=FIXED if any(is_fixed_width(text) for text in (left, right)) else "",
        system=_passages((said.role, said.content) for said in trace.messages if _is_system(said)),
        documents=_passages(
            (
                f"{place}. {document.title}" + (f" (score {document.score:.2f})" if document.score is not None else ""),
                document.text,
            )
            for place, document in enumerate(trace.documents, start=1)
        ),
        steps=_passages(shown_steps(codebook, trace)),
        about=_about(trace, of_two=codebook.pairwise),
        feedback={} if codebook.pairwise else {clean(signal.name): _signal_value(signal) for signal in signals},
        prelabel=suggestion(codebook, judgement, swap=swap) if judgement else "",
        trace_id=trace.trace_id,
        queue=draw.queue,
        codebook=codebook.ref,
        draw_run=draw.run_id,
        policy=draw.policy,
        pi=draw.pi,
        stratum=draw.stratum,
        blind=draw.blind,
        blind_probability=draw.blind_probability,
        double=draw.double,
        double_probability=draw.double_probability,
        annotators=draw.annotators,
        kept=draw.kept,
        mixture=draw.mixture,
        priority=draw.priority,
        certain=draw.certain,
        capped=draw.capped,
        drawn_at=draw.drawn_at.isoformat() if draw.drawn_at else "",
        since=dict(since or {}),
    )


def show_output(output: str) -> str:
    """The answer as the screen shows it; a correction that equals it is none."""
    return shorten(clean(output), TEXT_LIMIT) if output.strip() else "(the assistant answered nothing)"


def suggestion(codebook: Codebook, judgement: Judgement, *, swap: bool = False) -> str:
    """A judgement in one or two sentences, plainly a machine's, with how far it can be trusted.

    Of two compared answers it names the side (`swap`: the app's own stands on the right), and gives no reason: a
    reason may tell which is whose.
    """
    if judgement.abstained:
        return _no_suggestion(judgement.abstained)
    answer = judgement.answers.get(codebook.verdict.name)
    shown = side(answer, swap=swap) if isinstance(answer, str) and codebook.verdict.kind == "pairwise" else answer
    label = next((text for text, alias, _, _ in offers(codebook.verdict) if alias == shown), "?")
    sure = f", {judgement.probability:.0%} sure" if judgement.probability is not None else ""
    state = "calibrated on human labels" if judgement.calibrated else "uncalibrated: do not lean on the number"
    state = f"confident, {state}" if judgement.confident else state
    reason = "" if codebook.pairwise else judgement.reason
    return clean(f"{label}{sure} ({state})\n{reason}").strip()


def _no_suggestion(cause: str) -> str:
    """Without how many labels there are of what: who reads that "fail" is rare looks for fewer failures."""
    causes = [one for one in cause.split("; ") if not one.startswith("uncalibrated:")]
    return f"No suggestion: {clean('; '.join(causes)) or 'the judge has too few human labels to learn from'}"


def shown_messages(trace: Trace) -> list[Message]:
    """The messages of a trace as reviewers saw them, for whoever has to reproduce the question."""
    return [Message(role=clean(message.role), content=clean(message.content)) for message in trace.messages]


def shown_steps(codebook: Codebook, trace: Trace) -> list[tuple[str, str]]:
    """The steps that a reviewer or a judge sees, a title such as `1. tool lookup` and a text each.

    The numbers are those by which a question may ask for a step.
    """
    steps = _steps_of_neither(trace) if codebook.pairwise else trace.steps
    return [
        (clean(f"{place}. {step.kind} {step.name}"), clean(f"{step.input}\n→ {step.output}"))
        for place, step in enumerate(steps, start=1)
    ]


def _is_system(message: Message) -> bool:
    return message.role == "system"


def _steps_of_neither(trace: Trace) -> list[Step]:
    """The tool calls, but for those that repeat an answer and would say by that which one the app gave."""
    answers = [text.strip() for text in (trace.output, trace.alternative or "") if text.strip()]
    return [
        step
        for step in trace.steps
        if step.kind == "tool"
        and not any(_repeats(logged, text) for text in answers for logged in (step.input, step.output))
    ]


def _repeats(logged: str, answer: str) -> bool:
    """Whether a logged text is the answer or has it inside: as it is, or escaped as a string of JSON."""
    if logged.strip() in {answer, json.dumps(answer), json.dumps(answer, ensure_ascii=False)}:
        return True
    forms = (answer, json.dumps(answer)[1:-1], json.dumps(answer, ensure_ascii=False)[1:-1])
    return len(answer) >= _TELLING and any(form in logged for form in forms)


def _passages(pairs: Iterable[tuple[str, str]]) -> list[Passage]:
    # A blank text is one space, and only the placeholder has none: by that the style knows which panel to leave out.
    # An empty list would crash Label Studio's page.
    passages = [Passage(author=clean(author), text=shorten(clean(text), TEXT_LIMIT) or " ") for author, text in pairs]
    return passages or [Passage(author=NOTHING, text="")]


def _about(trace: Trace, *, of_two: bool) -> dict[str, str]:
    """What is known of the trace; of two compared answers only what holds for both."""
    rows = {
        "time": trace.timestamp.strftime("%Y-%m-%d %H:%M:%S UTC"),
        "environment": trace.environment,
    }
    if not of_two:
        own = {
            "model": trace.model,
            "release": trace.release,
            "latency": f"{trace.latency_s:.2f} s" if trace.latency_s is not None else None,
            "cost": f"${trace.cost_usd:.5f}" if trace.cost_usd is not None else None,
            "unusual": "; ".join(trace.notes),
        }
        rows |= {name: value for name, value in own.items() if value}
    return {name: clean(value) for name, value in rows.items() if value}


def _signal_value(signal: Signal) -> str:
    return (
        clean(signal.label) if signal.label is not None else f"{signal.value:g}" if signal.value is not None else "yes"
    )
