"""What travels between the verbs: frozen records, validated on the way in, without any I/O.

Times are aware and in UTC. Ids of traces, observations and scores are Langfuse's own strings; ids of projects, tasks
and annotations are Label Studio's integers.
"""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue


def _utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("a time without a zone is ambiguous: give it one")
    return value.astimezone(UTC)


Utc = Annotated[datetime, AfterValidator(_utc)]
Probability = Annotated[float, Field(ge=0.0, le=1.0)]
Value = str | float | list[str]
"""An answer's value: a label or a text, a number, or a set of labels in the codebook's order."""


class Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


# --- Langfuse, on the way in -----------------------------------------------------------------------------------


class Candidate(Record):
    """A trace that can be drawn; `category` is its stratum, and nothing here is payload."""

    trace_id: str
    environment: str = "default"
    name: str = ""
    category: str
    timestamp: Utc
    user_id: str | None = None
    session_id: str | None = None
    model: str | None = None
    release: str | None = None
    tags: tuple[str, ...] = ()
    roots: int = Field(default=1, ge=0, description="root observations seen; 0 where the root was never exported")


class Signal(Record):
    """What a user said or did, linked to a trace; `value` is a number, `label` a category. Free text stays away."""

    signal_id: str
    trace_id: str
    name: str
    value: float | None = None
    label: str | None = None
    at: Utc


class Message(Record):
    role: str
    content: str


class Document(Record):
    """A retrieved passage; `score` is the retriever's, in whatever unit it uses."""

    title: str
    text: str
    score: float | None = None


class Step(Record):
    """A tool call, or another observation below the root that a reviewer should see; texts as they were logged."""

    kind: str
    name: str
    input: str
    output: str


class Trace(Record):
    """One request to the app with its payload, in the form that a reviewer or a judge reads."""

    trace_id: str
    environment: str = "default"
    name: str = ""
    timestamp: Utc
    user_id: str | None = None
    session_id: str | None = None
    messages: tuple[Message, ...] = ()
    output: str = ""
    documents: tuple[Document, ...] = ()
    steps: tuple[Step, ...] = ()
    model: str | None = None
    release: str | None = None
    latency_s: float | None = None
    cost_usd: float | None = None
    tags: tuple[str, ...] = ()
    root_observation_id: str | None = None
    notes: tuple[str, ...] = Field(default=(), description="what is unusual about it, in words for the reviewer")


# --- The way through the store ---------------------------------------------------------------------------------


class State(StrEnum):
    """Where a drawn trace is. Each but the last follows from the one before; any may turn to `parked`."""

    DRAWN = "drawn"
    QUEUED = "queued"
    ANNOTATED = "annotated"
    RESOLVED = "resolved"
    PUBLISHED = "published"
    PARKED = "parked"


class DrawRun(Record):
    """One randomised draw; with the candidates of its window it is reproducible from this row alone."""

    run_id: str
    queue: str
    codebook_version: str
    drawn_at: Utc
    window_start: Utc
    window_end: Utc
    frame_size: int = Field(ge=0)
    budget: int = Field(ge=0)
    seed: int
    mix: dict[str, float]
    settings_hash: str
    code_version: str


class Draw(Record):
    """One drawn trace: the policy it is stamped with, the whole mixture, and its inclusion probability `pi`."""

    run_id: str
    queue: str
    codebook_version: str
    trace_id: str
    policy: str
    mixture: dict[str, Probability] = Field(description="each policy's share of this trace's probability; sums to 1")
    pi: Probability
    stratum: str
    priority: int = Field(description="place in the annotators' order, 0 first; independent of pi")


class Judgement(Record):
    """What a judge says of one trace: answers by question, or an abstention with its cause."""

    judge: str
    judge_version: str
    answers: dict[str, Value] = Field(default_factory=dict)
    probability: Probability | None = Field(default=None, description="of the verdict it gave")
    method: str = Field(description="how the probability came about: lexical, logprobs, votes, verbalised, ...")
    calibrated: bool = False
    reason: str = ""
    abstained: str | None = Field(default=None, description="why it gives no answer")


class Prediction(Record):
    """A judgement of one trace under one codebook: the prelabel."""

    queue: str
    codebook_version: str
    trace_id: str
    judged_at: Utc
    judgement: Judgement


class Project(Record):
    """A Label Studio project that a codebook version owns; `url` is where annotators go."""

    queue: str
    codebook_version: str
    purpose: Literal["review", "blind", "adjudication"] = "review"
    project_id: int
    url: str


class Task(Record):
    """Label Studio's unit: one drawn trace in one project."""

    queue: str
    codebook_version: str
    trace_id: str
    project_id: int
    task_id: int


class AnnotationSnapshot(Record):
    """One annotation as Label Studio holds it now; `result` is its own JSON."""

    annotation_id: int
    annotator: str
    result: list[dict[str, JsonValue]]
    skipped: bool
    created_at: Utc
    updated_at: Utc
    lead_time_s: float | None = None
    from_prediction: bool = False


class TaskSnapshot(Record):
    """One task as Label Studio holds it now, with every annotation that still exists."""

    task_id: int
    project_id: int
    trace_id: str | None = None
    shown_output: str = Field(default="", description="the answer as the task shows it: `data.output`")
    updated_at: Utc
    annotations: tuple[AnnotationSnapshot, ...] = ()
    predictions: int = Field(default=0, description="how many prelabels the task carries")


class Annotation(Record):
    """One human's answer to one task, parsed by the codebook; `key` stays the same over its edits."""

    key: str
    queue: str
    codebook_version: str
    trace_id: str
    project_id: int
    task_id: int
    annotation_id: int
    annotator: str
    answers: dict[str, Value] = Field(default_factory=dict)
    skipped: bool = False
    deleted: bool = False
    created_at: Utc
    updated_at: Utc
    lead_time_s: float | None = None
    from_prediction: bool = False


class Answer(Record):
    """What the annotations of one trace were resolved to, for one question."""

    queue: str
    codebook_version: str
    trace_id: str
    question: str
    value: Value
    votes: int = Field(ge=1, description="annotations that say so")
    voters: int = Field(ge=1, description="annotations that answered the question")
    annotators: tuple[str, ...]
    method: str
    failure: bool = False
    revised_at: Utc = Field(description="the newest annotation it rests on")


# --- On the way out --------------------------------------------------------------------------------------------


class ScoreType(StrEnum):
    NUMERIC = "NUMERIC"
    CATEGORICAL = "CATEGORICAL"
    BOOLEAN = "BOOLEAN"
    TEXT = "TEXT"


class Score(Record):
    """A Langfuse score of ours. A revision keeps `score_id` and has a later `event_at`; the server keeps the latest."""

    score_id: str
    trace_id: str
    name: str
    data_type: ScoreType
    value: str | float
    comment: str | None = None
    metadata: dict[str, JsonValue] = Field(default_factory=dict)
    environment: str = "default"
    event_at: Utc


class EvalRow(Record):
    """A line of the golden set: what was asked, what was wrong with the answer, and where the judgement comes from."""

    row_id: str
    dataset: str
    trace_id: str
    input: list[Message]
    context: list[Document]
    output: str
    expected_output: str | None = Field(description="the annotators' correction, where they gave one")
    labels: dict[str, Value]
    note: str | None
    provenance: dict[str, JsonValue]


class Receipt(Record):
    """What a sink says of one write: taken, or refused with a reason."""

    key: str
    accepted: bool
    reason: str = ""


class Parked(Record):
    """Something kept aside: by which verb, why, and what it was. Never a trace's payload."""

    parked_id: str
    verb: str
    subject: str = Field(description="its kind and id: `trace:ID`, `score:ID`, `eval-row:ID`, `task:PROJECT/TASK`, ...")
    queue: str
    trace_id: str | None
    reason: str
    detail: str = ""
    parked_at: Utc
    attempts: int = Field(default=1, ge=1)
