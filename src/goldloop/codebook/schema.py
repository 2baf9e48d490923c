"""The shape of a codebook file."""

import hashlib
import json
from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
QueueName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,59}$")]
Version = Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+$")]
Share = Annotated[float, Field(gt=0, le=1)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Label(_Part):
    """One possible choice of a question."""

    name: Name
    text: str = Field(min_length=1, description="what the annotator reads on the button")
    definition: str = Field(min_length=1, description="when it applies")
    hotkey: str | None = Field(default=None, pattern=r"^[a-z0-9]$")


class Question(_Part):
    """One thing asked of a trace."""

    name: Name
    kind: Literal["binary", "choice", "multi-choice", "correction", "text"]
    text: str = Field(min_length=1, description="the question as the annotator reads it")
    labels: tuple[Label, ...] = ()
    required: bool = False
    failure: tuple[Name, ...] = Field(default=(), description="labels that make the trace a failure")
    only_if: dict[Name, Name] | None = Field(
        default=None, min_length=1, max_length=1, description="shown only when that question has that label"
    )

    @property
    def label_names(self) -> tuple[str, ...]:
        return tuple(label.name for label in self.labels)

    @property
    def chooses(self) -> bool:
        """Whether it is answered by labels, so that a majority exists."""
        return self.kind in {"binary", "choice", "multi-choice"}

    @model_validator(mode="after")
    def _labels_fit_kind(self) -> Self:
        wanted = {"binary": (2, 2), "choice": (2, 20), "multi-choice": (2, 20), "correction": (0, 0), "text": (0, 0)}
        low, high = wanted[self.kind]
        if not low <= len(self.labels) <= high:
            raise ValueError(
                f"a {self.kind} question takes {low} to {high} labels, and {self.name} has {len(self.labels)}"
            )
        if len(set(self.label_names)) != len(self.labels):
            raise ValueError(f"{self.name} has two labels of one name")
        unknown = set(self.failure) - set(self.label_names)
        if unknown:
            raise ValueError(f"{self.name} counts {sorted(unknown)} as failure, but has no such label")
        return self


class QueueSettings(_Part):
    """How many traces are drawn, by which policies, for how many annotators."""

    budget: int = Field(gt=0, le=10_000, description="traces drawn a day, UTC")
    mix: dict[Literal["random", "stratified"], Share] = Field(description="share of each policy; they sum to 1")
    stratified_power: float = Field(
        default=0.5, ge=0, le=1, description="a category weighs its size to this power: 0 all alike, 1 by size"
    )
    annotations_per_trace: int = Field(default=1, ge=1, le=9, description="annotators who judge each trace")
    age_limit_days: int = Field(default=30, ge=1, description="older traces are not drawn")

    @model_validator(mode="after")
    def _shares_sum_to_one(self) -> Self:
        total = sum(self.mix.values())
        if abs(total - 1) > 1e-9:  # noqa: PLR2004 - rounding of decimal shares
            raise ValueError(f"the shares of the mix sum to {total:g}, and must sum to 1")
        return self


class Codebook(_Part):
    """What is asked of a trace, and by which rules traces come to be asked about. One file a queue."""

    name: QueueName = Field(description="the queue's name, the same in all versions")
    version: Version
    title: str = Field(min_length=1, max_length=40, description="what annotators see as the project's name")
    owner: str = Field(min_length=1, description="the one person who decides")
    purpose: str = Field(min_length=1)
    questions: tuple[Question, ...] = Field(min_length=1)
    queue: QueueSettings

    @property
    def verdict(self) -> Question:
        """The question that says whether the trace is a failure; each annotation's score carries its answer."""
        return next(question for question in self.questions if question.failure)

    @property
    def ref(self) -> str:
        return f"{self.name}@{self.version}"

    def question(self, name: str) -> Question | None:
        return next((question for question in self.questions if question.name == name), None)

    def digest(self) -> str:
        """A hash of what is asked: the same version must keep it. Budgets and shares may change from day to day."""
        text = json.dumps(self.model_dump(mode="json", exclude={"queue"}), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def _problems(self) -> Iterator[str]:
        names = [question.name for question in self.questions]
        if len(set(names)) != len(names):
            yield "two questions have one name"
        verdicts = [question for question in self.questions if question.failure]
        if len(verdicts) != 1:
            yield "exactly one question has to say by `failure` which answer is a failure"
        elif verdicts[0].kind == "multi-choice" or verdicts[0].only_if:
            yield f"{verdicts[0].name} decides about failure: it must be binary or choice, and always shown"
        hotkeys = [label.hotkey for question in self.questions for label in question.labels if label.hotkey]
        if len(set(hotkeys)) != len(hotkeys):
            yield "two labels have one hotkey"
        for place, question in enumerate(self.questions):
            for other, label in (question.only_if or {}).items():
                before = next((asked for asked in self.questions[:place] if asked.name == other), None)
                if before is None or label not in before.label_names:
                    yield f"{question.name} is shown only if {other} is {label}, which no question before it can be"

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        problems = list(self._problems())
        if problems:
            raise ValueError("; ".join(problems))
        return self
