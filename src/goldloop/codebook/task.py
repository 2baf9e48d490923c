"""The data of a task: a fixed, documented shape (docs/task-data.md), from a trace and the draw that chose it."""

from collections.abc import Iterable, Sequence

from pydantic import BaseModel, ConfigDict, Field

from goldloop.codebook.schema import Codebook
from goldloop.codebook.text import clean, shorten
from goldloop.records import Draw, Judgement, Message, Signal, Trace

FORMAT = "goldloop.task/1"
TEXT_LIMIT = 100_000
"""Characters of one text that the screen shows; more makes Label Studio's page slow."""
NOTHING = "(none)"


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
    conversation: list[Passage] = Field(description="all messages up to the answer, the system prompt left out")
    output: str = Field(description="the answer to judge")
    system: list[Passage] = Field(description="system messages")
    documents: list[Passage] = Field(description="retrieved passages in the retriever's order")
    steps: list[Passage] = Field(description="tool calls and other steps, in time order")
    about: dict[str, str] = Field(description="model, version, time, latency, cost, link, what is unusual")
    feedback: dict[str, str] = Field(description="what the user said or did")
    prelabel: str = Field(description="the machine's suggestion in words; empty where there is none")

    trace_id: str
    queue: str
    codebook: str = Field(description="name@version")
    draw_run: str = Field(description="id of the draw that chose the trace")
    policy: str
    pi: float = Field(description="inclusion probability of that draw")
    stratum: str


def task_data(
    codebook: Codebook, trace: Trace, draw: Draw, signals: Sequence[Signal], judgement: Judgement | None, url: str
) -> TaskData:
    """What an annotator is to see of a trace. Without a judgement nothing on the screen hints at one."""
    spoken = [message for message in trace.messages if message.role != "system"]
    return TaskData(
        title=clean(" · ".join(part for part in (draw.stratum, trace.name) if part)),
        conversation=_passages((message.role, message.content) for message in spoken),
        output=show_output(trace.output),
        system=_passages((message.role, message.content) for message in trace.messages if message.role == "system"),
        documents=_passages(
            (
                f"{place}. {document.title}" + (f" (score {document.score:.2f})" if document.score is not None else ""),
                document.text,
            )
            for place, document in enumerate(trace.documents, start=1)
        ),
        steps=_passages((f"{step.kind} {step.name}", f"{step.input}\n→ {step.output}") for step in trace.steps),
        about=_about(trace, url),
        feedback={clean(signal.name): _signal_value(signal) for signal in signals},
        prelabel=suggestion(codebook, judgement) if judgement else "",
        trace_id=trace.trace_id,
        queue=draw.queue,
        codebook=codebook.ref,
        draw_run=draw.run_id,
        policy=draw.policy,
        pi=draw.pi,
        stratum=draw.stratum,
    )


def show_output(output: str) -> str:
    """The answer as the screen shows it; a correction that equals it is none."""
    return shorten(clean(output), TEXT_LIMIT) if output.strip() else "(the assistant answered nothing)"


def suggestion(codebook: Codebook, judgement: Judgement) -> str:
    """A judgement in one or two sentences, plainly a machine's, with how far it can be trusted."""
    if judgement.abstained:
        return f"No suggestion: {clean(judgement.abstained)}"
    label = next(
        (label for label in codebook.verdict.labels if label.name == judgement.answers.get(codebook.verdict.name)), None
    )
    sure = f", {judgement.probability:.0%} sure" if judgement.probability is not None else ""
    state = "calibrated on human labels" if judgement.calibrated else "uncalibrated: do not lean on the number"
    return clean(f"{label.text if label else '?'}{sure} ({state})\n{judgement.reason}").strip()


def shown_messages(trace: Trace) -> list[Message]:
    """The messages of a trace as reviewers saw them, for whoever has to reproduce the question."""
    return [Message(role=clean(message.role), content=clean(message.content)) for message in trace.messages]


def _passages(pairs: Iterable[tuple[str, str]]) -> list[Passage]:
    # A blank text is one space, and only the placeholder has none: by that the style knows which panel to leave out.
    # An empty list would crash Label Studio's page.
    passages = [Passage(author=clean(author), text=shorten(clean(text), TEXT_LIMIT) or " ") for author, text in pairs]
    return passages or [Passage(author=NOTHING, text="")]


def _about(trace: Trace, url: str) -> dict[str, str]:
    rows = {
        "model": trace.model,
        "release": trace.release,
        "time": trace.timestamp.strftime("%Y-%m-%d %H:%M:%S UTC"),
        "latency": f"{trace.latency_s:.2f} s" if trace.latency_s is not None else None,
        "cost": f"${trace.cost_usd:.5f}" if trace.cost_usd is not None else None,
        "environment": trace.environment,
        "unusual": "; ".join(trace.notes),
        "trace": url,
    }
    return {name: clean(value) for name, value in rows.items() if value}


def _signal_value(signal: Signal) -> str:
    return (
        clean(signal.label) if signal.label is not None else f"{signal.value:g}" if signal.value is not None else "yes"
    )
