"""The shape of a codebook file."""

import hashlib
import json
from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from goldloop.codebook.queue import QueueSettings

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
QueueName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,59}$")]
ScoreName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,34}$")]
"""Langfuse takes no longer name for a score config."""
Version = Annotated[str, Field(pattern=r"^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)$")]
"""Without leading zeros, so that one version is written in one way only."""
Words = Annotated[str, Field(min_length=1, pattern=r"\S")]
"""A text that somebody reads: not a blank one."""
Hotkey = Annotated[str, Field(pattern=r"^[a-z0-9]$")]
Severity = Literal["minor", "major", "critical"]
Kind = Literal["binary", "choice", "multi-choice", "rating", "number", "text", "correction", "pairwise"]

SIDES: Final = ("output", "alternative")
"""The labels that each pairwise question has: the app's own answer is the better one, or the other that it is held
against. Which of them stands on which side of the screen, a trace's id decides."""
TIE: Final = "tie"
RESERVED: Final = frozenset(
    {
        "title",
        "conversation",
        "output",
        "other",
        "system",
        "documents",
        "steps",
        "about",
        "feedback",
        "prelabel",
        "skip_reason",
        "trace",
    }
)
"""Tags of every label config: a question of that name would be one of them."""
_LABELS: Final[dict[Kind, tuple[int, int]]] = {
    "binary": (2, 2),
    "choice": (2, 20),
    "multi-choice": (2, 20),
    "rating": (2, 10),
    "number": (0, 0),
    "text": (0, 0),
    "correction": (0, 0),
    "pairwise": (2, 3),
}


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Label(_Part):
    """One possible choice of a question."""

    name: Name = Field(description="what stands in the numbers: small letters, digits and _")
    text: Words = Field(description="what the annotator reads on the button")
    definition: Words = Field(description="when it applies")
    positive: Words | None = Field(default=None, description="an example to which it applies")
    negative: Words | None = Field(default=None, description="an example to which it does not apply")
    edge: Words | None = Field(default=None, description="a case that looks like it and is not in it, and why")
    hotkey: Hotkey | None = Field(default=None, description="the key that chooses it")
    severity: Severity | None = Field(default=None, description="how bad this kind of error is")


class Scale(_Part):
    """Which numbers a number question takes."""

    minimum: float = Field(allow_inf_nan=False, description="the lowest number that can be given")
    maximum: float = Field(allow_inf_nan=False, description="the highest one")
    step: float = Field(default=1, gt=0, allow_inf_nan=False, description="from one number to the next")
    unit: Words | None = Field(default=None, description="what is counted, such as minutes")

    @model_validator(mode="after")
    def _goes_up(self) -> Self:
        if self.minimum >= self.maximum:
            raise ValueError("the minimum of a scale must be below its maximum")
        return self


class Question(_Part):
    """One thing asked of a trace."""

    name: Name = Field(description="what its answers are called in the numbers: small letters, digits and _")
    kind: Kind = Field(description="how it is answered")
    text: Words = Field(description="the question as the annotator reads it")
    labels: tuple[Label, ...] = Field(
        default=(), description="the choices; of a rating, from the lowest to the highest"
    )
    scale: Scale | None = Field(default=None, description="which numbers a number question takes")
    required: bool = Field(default=False, description="whether it must be answered where it is shown")
    failure: tuple[Name, ...] = Field(default=(), description="labels that make the trace a failure")
    only_if: dict[Name, tuple[Name, ...]] | None = Field(
        default=None, min_length=1, max_length=1, description="shown only when that question has (one of) that label"
    )
    score: ScoreName | None = Field(
        default=None, description="name of the Langfuse score of its answer; human_<name> without it"
    )

    @property
    def label_names(self) -> tuple[str, ...]:
        return tuple(label.name for label in self.labels)

    @property
    def chooses(self) -> bool:
        """Whether it is answered by labels, so that answers can be counted."""
        return bool(self.labels)

    @property
    def in_words(self) -> bool:
        """Whether it is answered by a text, which is no score."""
        return self.kind in {"text", "correction"}

    @property
    def score_name(self) -> str:
        return self.score or f"human_{self.name}"

    @field_validator("only_if", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        listed = {name: [labels] if isinstance(labels, str) else labels for name, labels in value.items()}
        return {name: tuple(labels) if isinstance(labels, list) else labels for name, labels in listed.items()}

    def _problems(self) -> Iterator[str]:
        low, high = _LABELS[self.kind]
        if not low <= len(self.labels) <= high:
            wanted = f"{low} to {high} labels" if low < high else f"{low} labels" if low else "no labels"
            yield f"a {self.kind} question takes {wanted}, and {self.name} has {len(self.labels)}"
        if len(set(self.label_names)) != len(self.labels):
            yield f"{self.name} has two labels of one name"
        if self.kind == "pairwise" and (self.label_names[:2] != SIDES or set(self.label_names[2:]) - {TIE}):
            yield f"the labels of the pairwise question {self.name} are {', '.join(SIDES)} and, where wanted, {TIE}"
        if (self.kind == "number") != (self.scale is not None):
            yield f"{self.name}: a number question needs a `scale`, and no other question takes one"
        unknown = set(self.failure) - set(self.label_names)
        if unknown:
            yield f"{self.name} counts {sorted(unknown)} as failure, but has no such label"

    @model_validator(mode="after")
    def _labels_fit_kind(self) -> Self:
        problems = list(self._problems())
        if problems:
            raise ValueError("; ".join(problems))
        return self


class SkipReason(_Part):
    """Why an annotator could not judge a trace: chosen before skipping it."""

    name: Name = Field(description="what stands in the numbers: small letters, digits and _")
    text: Words = Field(description="what the annotator reads on the button")
    hotkey: Hotkey | None = Field(default=None, description="the key that chooses it")


class LangfuseMapping(_Part):
    """Where a codebook's answers go in Langfuse; each question names its own score."""

    annotation_score: ScoreName | None = Field(
        default=None,
        description="the scores of single annotations; without it the verdict's, with annotation_ for human_",
    )
    dataset: str | None = Field(
        default=None, min_length=1, max_length=200, description="the dataset of confirmed failures; the queue's name"
    )


class Codebook(_Part):
    """What is asked of a trace, and by which rules traces come to be asked about. One file a queue."""

    name: QueueName = Field(description="the queue's name, the same in all versions")
    version: Version = Field(description="three numbers with points between them, such as 1.0.0")
    title: Words = Field(max_length=40, description="what annotators see as the project's name")
    owner: Words = Field(description="the one person who decides")
    purpose: Words = Field(description="what the labels are for, and what is judged")
    questions: tuple[Question, ...] = Field(min_length=1, description="what is asked, in the screen's order")
    skip_reasons: tuple[SkipReason, ...] = Field(default=(), description="offered where a trace can't be judged")
    langfuse: LangfuseMapping = Field(default=LangfuseMapping(), description="where answers go in Langfuse")
    queue: QueueSettings = Field(description="how many traces are drawn, which, and for how many annotators")

    @property
    def verdict(self) -> Question:
        """The question that says whether the trace is a failure; each annotation's score carries its answer."""
        return next(question for question in self.questions if question.failure)

    @property
    def ref(self) -> str:
        return f"{self.name}@{self.version}"

    @property
    def pairwise(self) -> bool:
        """Whether two answers are held against each other, and not one judged."""
        return any(question.kind == "pairwise" for question in self.questions)

    @property
    def annotation_score(self) -> str:
        return self.langfuse.annotation_score or f"annotation_{self.verdict.score_name.removeprefix('human_')}"

    @property
    def dataset(self) -> str:
        return self.langfuse.dataset or self.name

    def question(self, name: str) -> Question | None:
        return next((question for question in self.questions if question.name == name), None)

    def digest(self) -> str:
        """A hash of what is asked: the same version must keep it. Budgets and shares may change from day to day."""
        text = json.dumps(self.model_dump(mode="json", exclude={"queue"}), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def _problems(self) -> Iterator[str]:
        names = [question.name for question in self.questions]
        if len(set(names)) != len(names):
            twice = sorted({name for name in names if names.count(name) > 1})
            yield f"{twice[0]} is the name of two questions: rename one of them"
        verdicts = [question for question in self.questions if question.failure]
        if len(verdicts) != 1:
            many = " and ".join(question.name for question in verdicts)
            which = f"{many} both do" if many else "none does"
            yield f"exactly one question has to say by `failure` which answer is a failure, and {which}"
        elif verdicts[0].kind == "multi-choice" or verdicts[0].only_if:
            yield f"{verdicts[0].name} decides about failure: it must give one label, and always be shown"
        for name in names:
            if name in RESERVED:
                yield f"{name} can be no question's name, for the screen has that already: rename it"
        yield from self._score_problems()
        if self.pairwise and any(question.kind == "correction" for question in self.questions):
            yield "where two answers are compared there is no one answer to correct: leave the correction out"
        yield from self._key_problems()
        yield from self._order_problems()

    def _score_problems(self) -> Iterator[str]:
        filled: set[str] = set()
        scored = [question for question in self.questions if not question.in_words]
        answers = [*{question.name: question.score_name for question in scored}.items()]
        if sum(bool(question.failure) for question in self.questions) == 1:
            answers.append((self.verdict.name, self.annotation_score))
        for name, score in answers:
            if score in filled:
                yield f"{name} would fill the Langfuse score {score} as well: give it another `score`"
            elif len(score) > 35:  # noqa: PLR2004 - see ScoreName
                yield f"{name} has a Langfuse score of more than 35 characters, {score}: give it a shorter `score`"
            filled.add(score)

    def _key_problems(self) -> Iterator[str]:
        hotkeys = [label.hotkey for question in self.questions for label in question.labels if label.hotkey]
        hotkeys += [reason.hotkey for reason in self.skip_reasons if reason.hotkey]
        if len(set(hotkeys)) != len(hotkeys):
            twice = sorted({key for key in hotkeys if hotkeys.count(key) > 1})
            yield f"two labels have one hotkey: {', '.join(twice)}"
        reasons = [reason.name for reason in self.skip_reasons]
        if len(set(reasons)) != len(reasons):
            yield "two skip reasons have one name"

    def _order_problems(self) -> Iterator[str]:
        for place, question in enumerate(self.questions):
            for other, labels in (question.only_if or {}).items():
                before = next((asked for asked in self.questions[:place] if asked.name == other), None)
                for label in labels:
                    if before is None or label not in before.label_names:
                        yield f"{question.name} is shown only if {other} is {label}, which no question before it can be"

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        problems = list(self._problems())
        if problems:
            raise ValueError("; ".join(problems))
        return self
