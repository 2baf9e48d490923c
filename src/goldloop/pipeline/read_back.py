"""What was sent is looked for, until Langfuse shows it: a score that it took may still be dropped, and is late anyway.

A score is told by its revision, not by its value: the one that stands may be an older one that says the same.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from goldloop.ahead import ahead
from goldloop.codebook.text import clean
from goldloop.ports import Clock, ScoreSink, Store
from goldloop.records import Score, ShownScore

_AT_ONCE = 2400
_NEVER = timedelta(minutes=15)
"""A score that was taken this long ago and is still not readable was dropped."""


Sent = tuple[Score, datetime]
"""A score, and when it was sent."""


@dataclass(frozen=True)
class ReadBack:
    """How long a run waits for what it sent to become readable; what is not by then is looked for in the next."""

    clock: Clock
    sleep: Callable[[float], None]
    patience: timedelta = timedelta(seconds=30)
    pause: timedelta = timedelta(seconds=1)

    @property
    def lag(self) -> timedelta:
        """Time enough for most that was sent to show."""
        return self.patience / 3


@dataclass
class Doomed:
    """Scores that were sent for deletion at `at`; `seen` are those that stood until then.

    One of those is gone as soon as it is not shown. The others may have been on their way: they are gone when they
    have not come after the server's lag.
    """

    score_ids: set[str] = field(default_factory=set)
    seen: Collection[str] = ()
    at: datetime | None = None


def is_this(score: Score, shown: ShownScore) -> bool:
    """Whether what is shown is this very revision, by times in milliseconds: the server keeps no more.

    A score without a time was sent by an older goldloop, and is told by its value.
    """
    same = shown.value == (clean(score.value) if isinstance(score.value, str) else score.value)
    return same and (shown.event_at is None or _milliseconds(shown.event_at) == _milliseconds(score.event_at))


def is_over(score: Score, shown: ShownScore) -> bool:
    """Whether another revision stands that the server will not give up for this one: a newer one, or an equal one."""
    if shown.event_at is None or is_this(score, shown):
        return False
    return _milliseconds(shown.event_at) >= _milliseconds(score.event_at)


def _milliseconds(moment: datetime) -> datetime:
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def never_appeared_text(count: int) -> str:
    """What people are told of so many scores; "" where there are none."""
    scores = "1 score" if count == 1 else f"{count:,} scores"
    return f"{scores} never appeared in Langfuse, which had taken them: goldloop parked list" if count else ""


class Looking:
    """One run's reading back.

    Attributes:
        confirmed: scores that are there.
        deleted: scores that were to be deleted and are gone.
        left: what is still to be looked for, by the next run.
        dropped: scores that were taken long ago and are not there.
    """

    def __init__(self, queue: str, sink: ScoreSink, store: Store, read_back: ReadBack) -> None:
        self._queue, self._sink, self._store, self._read_back = queue, sink, store, read_back
        self._waiting = deque(store.unconfirmed_scores(queue))
        self.confirmed = self.deleted = self.left = 0
        self.dropped: list[Score] = []

    def note(self, sent: Sequence[Score], at: datetime) -> None:
        """These were sent: look for them too."""
        self._waiting.extend((score, at) for score in sent)

    def look(self, doomed: Doomed, send_due: Callable[[], None]) -> None:
        """Until all is there or patience ends; `send_due` sends, and notes, what had to become due again."""
        clock = self._read_back.clock
        deadline = clock() + self._read_back.patience
        while self._waiting or doomed.score_ids:
            last = clock() >= deadline
            over = self._confirm(every=last)
            self._find_gone(doomed)
            if last:
                self._end(self._waiting, over + len(doomed.score_ids))
                return
            if over:
                send_due()
            if self._waiting or doomed.score_ids:
                self._read_back.sleep(self._read_back.pause.total_seconds())

    def _confirm(self, *, every: bool) -> int:
        """What is missing goes to the end of the line. Where most of a part is missing, the rest can wait too.

        How many have to be sent again, for a newer revision stands that is not the store's (as after a restore).
        """
        over = 0
        for part, shown in ahead(self._parts(list(self._waiting))):
            there: list[str] = []
            newer: dict[str, datetime] = {}
            missing: list[Sent] = []
            for sent in part:
                score = self._waiting.popleft()[0]
                stands = shown.get(score.score_id)
                if stands is None:
                    missing.append(sent)
                elif is_this(score, stands):
                    there.append(score.score_id)
                elif stands.event_at is not None and is_over(score, stands):
                    newer[score.score_id] = stands.event_at
                else:
                    missing.append(sent)
            self._store.mark_scores_confirmed(there)
            self.confirmed += len(there)
            if newer:
                self._store.send_again(newer)
                over += len(newer)
            self._waiting.extend(missing)
            if len(missing) * 2 > len(part) and not every:
                break
        return over

    def _parts(self, waiting: list[Sent]) -> Iterator[tuple[list[Sent], dict[str, ShownScore]]]:
        """Some at a time, with what is shown of them: read while the part before is marked."""
        for start in range(0, len(waiting), _AT_ONCE):
            part = waiting[start : start + _AT_ONCE]
            yield part, self._sink.read([score.score_id for score, _ in part])

    def _find_gone(self, doomed: Doomed) -> None:
        if not doomed.score_ids or doomed.at is None:
            return
        now = self._read_back.clock()
        shown = self._sink.read(sorted(doomed.score_ids))
        settled = now >= doomed.at + self._read_back.lag
        gone = [one for one in doomed.score_ids if one not in shown and (settled or one in doomed.seen)]
        self._store.mark_scores_deleted(sorted(gone), now)
        self.deleted += len(gone)
        doomed.score_ids.difference_update(gone)

    def _end(self, missing: Collection[Sent], others: int) -> None:
        now = self._read_back.clock()
        self.dropped = [score for score, sent_at in missing if now - sent_at > _NEVER]
        self.left = len(missing) - len(self.dropped) + others
