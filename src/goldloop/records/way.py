"""What a trace becomes on its way through the store."""

from enum import StrEnum
from typing import Literal

from pydantic import Field, JsonValue

from goldloop.records.base import Probability, Record, Utc, Value


class State(StrEnum):
    """Where a drawn trace is. Each but the last follows from the one before; any may turn to `parked`."""

    DRAWN = "drawn"
    QUEUED = "queued"
    ANNOTATED = "annotated"
    RESOLVED = "resolved"
    PUBLISHED = "published"
    PARKED = "parked"


class DrawRun(Record):
    """One randomised draw; with the candidates of its window it is reproducible from this row alone.

    `mix` are the shares that were asked for, `shares` those that it had: a policy without candidates gives its share
    back. `plan` is the rest of what it was drawn by (`pipeline.plan.DrawPlan`), `frame` says which candidates there
    were, with a digest of them, `explanation` what came of it. They are empty in rows of before the plan was kept,
    and of one that was rebuilt from its tasks:
    its `frame` says so, and which share of each policy's draws was left when these were made.
    """

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
    shares: dict[str, float] = Field(default_factory=dict)
    plan: dict[str, JsonValue] = Field(default_factory=dict)
    frame: dict[str, JsonValue] = Field(default_factory=dict)
    explanation: dict[str, JsonValue] = Field(default_factory=dict)
    settings_hash: str
    code_version: str

    @property
    def rebuilt(self) -> bool:
        """Whether it is made of what its tasks say: what else it drew from, and by what, nobody knows."""
        return self.frame.get("rebuilt") is True


class Draw(Record):
    """One drawn trace: the policy it is stamped with, the whole mixture, and its inclusion probability `pi`.

    Which arm it is in (double-labelled, blind) was drawn apart from that, with the probabilities that stand beside:
    of the arm, given that the trace was drawn. What is double-labelled is blind too.
    """

    run_id: str
    queue: str
    codebook_version: str
    trace_id: str
    policy: str
    mixture: dict[str, Probability] = Field(description="each policy's share of this trace's probability; sums to 1")
    pi: Probability
    stratum: str
    priority: int = Field(description="place in the annotators' order, 0 first; independent of pi")
    certain: bool = Field(default=False, description="it had to be reviewed, and was no matter of chance")
    capped: bool = Field(default=False, description="the cap of its user or session made pi smaller")
    blind: bool = Field(default=False, description="judged without a suggestion")
    blind_probability: Probability = 0.0
    double: bool = Field(default=False, description="one annotator more judges it, to measure agreement")
    double_probability: Probability = 0.0
    annotators: int | None = Field(default=None, description="how many judge it; None: as many as the codebook says")
    kept: Probability = Field(default=1.0, description="share of its draw's traces, by policy, that did not expire")
    drawn_at: Utc | None = Field(default=None, description="when its run drew it")

    @property
    def inclusion(self) -> float:
        """The probability that it was drawn and did not expire before anyone could answer: the one to estimate by."""
        return self.pi * self.kept


class NamedSlice(Record):
    """A part of the traffic that was named, by hand or by an alert: for the targeted policy, or for certain review.

    `where` are the conditions, as `codebook.sampling.Slice` has them; `traces` names single traces instead.
    """

    queue: str
    name: str
    must_review: bool = False
    where: dict[str, JsonValue] = Field(default_factory=dict)
    traces: tuple[str, ...] = ()
    weight: float = 1.0
    note: str = ""
    made_at: Utc
    expires_at: Utc


class Project(Record):
    """A Label Studio project that a codebook version owns; `url` is where annotators go.

    Versions that break no question share one. `label_config` is the one that goldloop set last, where it is known.
    """

    queue: str
    codebook_version: str
    purpose: Literal["review", "blind", "relabel"] = "review"
    project_id: int
    url: str
    label_config: str | None = None
    adopted: bool = Field(default=False, description="changed by hand, and taken over so")


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
    edited_by: str | None = Field(default=None, description="who saved it last, where that is not the annotator")
    ground_truth: bool = Field(default=False, description="marked so in Label Studio; it counts as any other")


class TaskSnapshot(Record):
    """One task as Label Studio holds it now, with every annotation that still exists."""

    task_id: int
    project_id: int
    trace_id: str | None = None
    queue: str | None = Field(default=None, description="the queue that goldloop made it for, as its data says")
    shown_output: str = Field(default="", description="the answer as the task shows it: `data.output`")
    updated_at: Utc
    annotations: tuple[AnnotationSnapshot, ...] = ()
    predictions: int = Field(default=0, description="how many prelabels the task carries")


class TaskOrigin(Record):
    """Where a task of goldloop's comes from, as its data says (docs/task-data.md), without its payload.

    What tasks of before did not say is None, or as it is where nothing was special.
    """

    task_id: int
    project_id: int
    created_at: Utc
    trace_id: str
    queue: str
    codebook: str
    draw_run: str
    policy: str
    pi: Probability
    stratum: str
    blind: bool = False
    blind_probability: Probability = 0.0
    double: bool = False
    double_probability: Probability = 0.0
    annotators: int | None = None
    kept: Probability = 1.0
    mixture: dict[str, Probability] = Field(default_factory=dict)
    priority: int = 0
    certain: bool = False
    capped: bool = False
    drawn_at: Utc | None = None
    since: dict[str, str] = Field(default_factory=dict)

    @property
    def version(self) -> str:
        """The codebook version that asks it."""
        return self.codebook.partition("@")[2]


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
    skip_reason: str | None = Field(default=None, description="why it was skipped, where the annotator said so")
    deleted: bool = False
    created_at: Utc
    updated_at: Utc
    lead_time_s: float | None = None
    from_prediction: bool = False
    edited_by: str | None = Field(default=None, description="who saved it last, where that is not the annotator")
    ground_truth: bool = Field(default=False, description="marked so in Label Studio; it counts as any other")


class Answer(Record):
    """What the annotations of one trace were resolved to, for one question.

    `codebook_version` is the one since which the question means what it means here: answers of one question may be
    counted together where it is the same.
    """

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
    quarantined: bool = Field(default=False, description="a later version asks something else by this question")
    revised_at: Utc = Field(description="the newest annotation it rests on")
