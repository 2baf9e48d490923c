"""What the pipeline remembers of judges: predictions, fits, examples, calls and what they cost."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from goldloop.numeric import Floats
from goldloop.records import (
    BlindLabel,
    Example,
    JudgeCall,
    JudgeFit,
    Limits,
    Prediction,
    Record,
    Spent,
    TraceFeatures,
    Utc,
)


class Selection(Record):
    """Which traces are judged: what was drawn and waits for its task, or with `history` candidates, drawn or not."""

    history: bool = False
    since: Utc | None = Field(default=None, description="traces from this time on")
    until: Utc | None = Field(default=None, description="traces before this time")
    categories: tuple[str, ...] = Field(default=(), description="only these; empty: all")
    limit: int | None = Field(default=None, ge=1, description="so many traces at most")


class Prelabel(NamedTuple):
    """What an annotator is shown of a judgement; `answers` as JSON text, by question."""

    answers: str
    probability: float | None
    abstained: str | None
    judge: str
    judge_version: str


@dataclass(frozen=True)
class Risks:
    """What judges said of candidates, one a row, shape (m,), ascending by trace id.

    `risk` is the newest judgement's probability of failure; `dissent` that of the vote farthest from it, NaN where
    there was one opinion.
    """

    trace_id: NDArray[np.bytes_]
    risk: Floats
    dissent: Floats


@dataclass(frozen=True)
class Reserved:
    """Calls set aside for one batch; nobody else can spend them until they are settled."""

    reservation: str
    calls: int


class Ledger(Protocol):
    """What calls to models were made, what they said, and what may still be spent; processes may share it."""

    def known_calls(self, keys: Collection[str]) -> dict[str, JudgeCall]:
        """By key, those that were answered (or refused): they need no model."""
        ...

    def reserve(self, run: str, calls: int, usd_each: float, limits: Limits, at: datetime) -> Reserved:
        """As many of these calls as the limits leave, counting what others have set aside; none is no error.

        A limit in USD leaves what it pays for at `usd_each`, any number where a call costs nothing. What a process
        that died had set aside counts for an hour.
        """
        ...

    def settle(self, reservation: str, calls: Sequence[JudgeCall], *, done: bool = True) -> None:
        """These calls were made, and the reservation's rest is free again; one that is gone is no error.

        A batch that goes on is not `done`: what it has not called yet stays set aside, for an hour from its last call.
        Calls that were made beyond the reservation are kept all the same.
        """
        ...

    def spent(self, since: datetime, run: str | None = None) -> Spent: ...


class JudgeStore(Ledger, Protocol):
    """What the store knows of judges. Every method is one transaction."""

    # -- predictions
    def judged(self, queue: str, codebook_version: str, judge: str, judge_version: str) -> set[str]:
        """Drawn traces, in state drawn, that this judge in this version has judged."""
        ...

    def unjudged_candidates(
        self, queue: str, codebook_version: str, judge: str, judge_version: str, selection: Selection
    ) -> Iterator[list[str]]:
        """Candidates of the selection, newest first, that this judge in this version has not judged: lists of ids."""
        ...

    def count_unjudged_candidates(
        self, queue: str, codebook_version: str, judge: str, judge_version: str, selection: Selection
    ) -> int: ...

    def save_predictions(self, predictions: Sequence[Prediction]) -> None: ...
    def prediction(self, queue: str, codebook_version: str, trace_id: str) -> Prediction | None:
        """The newest one."""
        ...

    def predictions(self, queue: str, codebook_version: str, trace_ids: Sequence[str]) -> dict[str, Prediction]:
        """The newest one of each trace that has any."""
        ...

    def prelabels(self, queue: str, codebook_version: str, trace_ids: Sequence[str]) -> dict[str, Prelabel]:
        """As `predictions`, in the least that a screen needs: a page waits for it."""
        ...

    def all_predictions(self, queue: str, trace_ids: Sequence[str]) -> list[Prediction]:
        """Every one of these traces, of all judges, versions and codebook versions, oldest first."""
        ...

    def risks(self, queue: str, as_of: datetime | None = None) -> Risks:
        """What judges said of this queue's traces; with `as_of` what they had said by then.

        An abstention says nothing: what was said before it stands. Of several of one time the highest risk counts.
        """
        ...

    # -- learning
    def save_features(self, features: Sequence[TraceFeatures]) -> None: ...
    def features(self, version: str, trace_ids: Sequence[str]) -> dict[str, TraceFeatures]: ...
    def blind_labels(self, queue: str) -> list[BlindLabel]:
        """Resolved answers of this queue to traces that were drawn blind, quarantined ones left out; by trace id."""
        ...

    def save_fits(self, fits: Sequence[JudgeFit]) -> None:
        """One that is there already, by its version, stays as it is.

        Where another came after it, its time moves: labels that were taken back make an old fit the newest again.
        """
        ...

    def fits(self, queue: str) -> list[JudgeFit]:
        """The newest for each judge, version of the judge, and question."""
        ...

    def fit_history(self, queue: str) -> list[JudgeFit]:
        """All of them, oldest first."""
        ...

    # -- examples
    def save_example(self, example: Example) -> None: ...
    def remove_example(self, queue: str, trace_id: str) -> bool:
        """Whether there was one."""
        ...

    def examples(self, queue: str) -> list[Example]:
        """Oldest first."""
        ...
