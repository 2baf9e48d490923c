"""Traces as JSON lines: what `make demo TRACES=FILE` takes. docs/trace-files.md describes the fields.

Fields that are not named here are allowed and left alone: files carry a lot that a demo has no use for.
"""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from goldloop.errors import InputError
from goldloop.jsonlines import numbered_lines, read_line
from goldloop.records import Utc

_FAILING = 2
"""On the 1 to 4 scales of criteria, a rating of 2 or less says that something is wrong."""

_ERROR_OF = {
    "faithfulness": "ungrounded",
    "completeness": "missed_question",
    "answer_relevance": "missed_question",
    "relevance": "missed_question",
    "appropriateness": "tone",
    "naturalness": "format",
    "fluency": "format",
}


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class FileMessage(_Part):
    role: str
    content: str


class FileDocument(_Part):
    id: str | None = None
    title: str | None = None
    text: str
    score: float | None = None


class FileStep(_Part):
    type: Literal["tool", "retriever", "generation"] = "tool"
    name: str
    input: JsonValue = None
    output: JsonValue = None


class FileSignal(_Part):
    name: str
    value: float
    comment: str | None = None


class Rating(_Part):
    """One human's judgement: a verdict, or criteria from 1 to 4 from which one is taken; else a skip."""

    rater: str = Field(min_length=1)
    verdict: Literal["pass", "fail"] | None = None
    error_types: tuple[str, ...] = ()
    correction: str | None = None
    note: str | None = None
    skipped: bool = False
    task_duration_s: float | None = Field(default=None, ge=0)
    criteria: dict[str, float] = Field(default_factory=dict, exclude=True)

    @model_validator(mode="before")
    @classmethod
    def _collect_criteria(cls, value: object) -> object:
        if isinstance(value, dict) and "criteria" not in value:
            return {
                **value,
                "criteria": {name: value[name] for name in _ERROR_OF if isinstance(value.get(name), int | float)},
            }
        return value

    @property
    def skips(self) -> bool:
        """Whether nothing was judged: the rater skipped the trace, or filled in none of what is known here."""
        return self.skipped or (self.verdict is None and not self.criteria)

    @property
    def failed(self) -> tuple[str, ...]:
        """The criteria that it rates as failed."""
        return tuple(name for name, rating in self.criteria.items() if rating <= _FAILING)

    @property
    def label(self) -> Literal["pass", "fail"]:
        if self.verdict:
            return self.verdict
        return "fail" if self.failed else "pass"

    @property
    def errors(self) -> tuple[str, ...]:
        return self.error_types or tuple(dict.fromkeys(_ERROR_OF[name] for name in self.failed))


class Human(_Part):
    ratings: tuple[Rating, ...] = ()


class FileTrace(_Part):
    """One line."""

    id: str = Field(min_length=1)
    timestamp: Utc
    user_id: str | None = None
    session_id: str | None = None
    name: str = "trace"
    category: str = "uncategorised"
    input: tuple[FileMessage, ...] = Field(min_length=1)
    context: tuple[FileDocument, ...] = ()
    output: str
    alternative: str | None = None
    model: str | None = None
    model_params: dict[str, JsonValue] = Field(default_factory=dict)
    steps: tuple[FileStep, ...] = ()
    tags: tuple[str, ...] = ()
    release: str | None = None
    latency_s: float | None = Field(default=None, ge=0)
    cost_usd: float | None = Field(default=None, ge=0)
    signals: tuple[FileSignal, ...] = ()
    human: Human = Human()


def read(path: Path) -> list[FileTrace]:
    """Every trace of the file (plain or gzip); `InputError` names the file, the line and the field."""
    traces: list[FileTrace] = []
    lines: dict[str, int] = {}
    for number, line in numbered_lines(path):
        _, trace = read_line(FileTrace, line, f"{path}:{number}", "docs/trace-files.md")
        if trace.id in lines:
            raise InputError(
                f"{path}:{number}: id: {trace.id} stands on line {lines[trace.id]} already; ids are unique"
            )
        lines[trace.id] = number
        traces.append(trace)
    if not traces:
        raise InputError(f"{path}: there is no trace in it; each line is one JSON object")
    return traces
