"""Traces whose labels are known, as JSON lines: what a backtest replays draws on.

The fields are those of docs/trace-files.md, and `failure`, `group_id` and a judge's column besides.
"""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool

from goldloop.errors import InputError
from goldloop.jsonlines import numbered_lines, read_line

HUMAN_REFERENCE = "human-reference"
"""A row of this `model` is a human's model answer, no output of the app."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


def _messages(value: object) -> object:
    return [{"content": value}] if isinstance(value, str) else value


def _label(value: object) -> object:
    return bool(value) if value in (0, 1) else value


class LabelledMessage(_Part):
    role: str = "user"
    content: str = ""


class LabelledDocument(_Part):
    title: str | None = None
    text: str = ""


class LabelledSignal(_Part):
    name: str
    value: float | None = None
    label: str | None = None


class _Rating(_Part):
    verdict: Literal["pass", "fail"] | None = None


class _Human(_Part):
    ratings: tuple[_Rating, ...] = ()


class LabelledTrace(_Part):
    """One line. Rows of one `group_id` (the same question to several models, say) never judge each other."""

    id: str = Field(min_length=1)
    group_id: str | None = None
    category: str = "uncategorised"
    user_id: str | None = None
    session_id: str | None = None
    model: str | None = None
    release: str | None = None
    input: Annotated[tuple[LabelledMessage, ...], BeforeValidator(_messages)] = ()
    context: tuple[LabelledDocument, ...] = ()
    output: str = ""
    signals: tuple[LabelledSignal, ...] = ()
    failure: Annotated[StrictBool | None, BeforeValidator(_label)] = None
    human: _Human = _Human()

    @property
    def failed(self) -> bool | None:
        """The label: `failure`, or what most of the ratings' verdicts say (a tie fails); None where nothing says it."""
        if self.failure is not None:
            return self.failure
        verdicts = [rating.verdict for rating in self.human.ratings if rating.verdict]
        return 2 * verdicts.count("fail") >= len(verdicts) if verdicts else None


class LabelledFile(BaseModel):
    """What was read: the traces in their order, a judge's column beside them (None: no value), and who was left out."""

    model_config = ConfigDict(frozen=True)

    name: str
    traces: tuple[LabelledTrace, ...]
    scores: tuple[float | None, ...] | None = None
    left_out: int = 0


def read(path: Path, column: str | None = None, leave_out: Iterable[str] = (HUMAN_REFERENCE,)) -> LabelledFile:
    """The file's traces (plain JSON lines, or gzip by its name); `InputError` as `parse` has it."""
    return parse(numbered_lines(path), str(path), column, leave_out)


def parse(
    lines: Iterable[tuple[int, str]], name: str, column: str | None = None, leave_out: Iterable[str] = ()
) -> LabelledFile:
    """From numbered lines; without the rows of the models to leave out.

    `column` names a judge's number, a dot for each level (`judges.gpt`); null or missing is no value. `InputError`
    names the file, the line and the field.
    """
    out = set(leave_out)
    traces: list[LabelledTrace] = []
    scores: list[float | None] = []
    seen: dict[str, int] = {}
    skipped = 0
    for number, line in lines:
        where = f"{name}:{number}"
        value, trace = read_line(LabelledTrace, line, where, "docs/sampling.md")
        if trace.id in seen:
            raise InputError(f"{where}: id: {trace.id} stands on line {seen[trace.id]} already; ids are unique")
        seen[trace.id] = number
        if trace.model is not None and trace.model in out:
            skipped += 1
            continue
        if trace.failed is None:
            raise InputError(f"{where}: failure: a backtest needs the label, true or false, on each line")
        traces.append(trace)
        scores.append(_score(value, column, where) if column else None)
    _check(name, traces, scores if column else None, column)
    return LabelledFile(name=name, traces=tuple(traces), scores=tuple(scores) if column else None, left_out=skipped)


def _check(name: str, traces: list[LabelledTrace], scores: list[float | None] | None, column: str | None) -> None:
    if not traces:
        raise InputError(f"{name}: there is no trace in it; each line is one JSON object")
    failures = sum(bool(trace.failed) for trace in traces)
    if failures in (0, len(traces)):
        all_or_none = "all" if failures else "none"
        raise InputError(
            f"{name}: failure: {all_or_none} of the {len(traces)} traces failed, so there is nothing to find"
        )
    if scores is not None and all(score is None for score in scores):
        raise InputError(f"{name}: {column}: no line has a number there; name a column that the judge filled")


def _score(value: Any, column: str, where: str) -> float | None:
    for part in column.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if value is None:
        return None
    if isinstance(value, bool | int | float) and math.isfinite(value):
        return float(value)
    raise InputError(f"{where}: {column}: a judge's column holds numbers or true and false")
