"""Who judges each queue now."""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from goldloop.codebook.schema import Codebook
from goldloop.ports import Judge
from goldloop.records import JudgeFit

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Snapshot:
    """A judge, and what it was made of: the day that its calls are counted by, and the fits that there were."""

    judge: Judge
    made_of: tuple[str, tuple[tuple[str, ...], ...]]


class QueueJudges:
    """One judge a queue, made anew where there are other fits, or another day. Threads may share it.

    Args:
        make: makes a queue's judge; its second argument is the run that its calls are counted by.
        fits: what blind labels made of a queue's judges by now.
        clock: aware UTC.
        close_after: seconds that what was replaced may still be busy for.
    """

    def __init__(
        self,
        make: Callable[[str, str], Judge],
        fits: Callable[[str], Sequence[JudgeFit]],
        clock: Callable[[], datetime],
        close_after: float = 60.0,
    ) -> None:
        self._make, self._fits, self._clock, self._close_after = make, fits, clock, close_after
        self._making = threading.RLock()
        self._snapshots: dict[str, Snapshot] = {}
        self._replaced: list[tuple[datetime, Judge]] = []

    def of(self, queue: str) -> Judge:
        """The queue's judge; only the first call for a queue waits until there is one."""
        known = self._snapshots.get(queue)
        if known is not None:
            return known.judge
        with self._making:
            known = self._snapshots.get(queue) or self._renewed(queue)
        return known.judge

    def made(self, queue: str) -> Judge | None:
        """The queue's judge where there is one already: making it reads the store, and examples from Langfuse."""
        known = self._snapshots.get(queue)
        return known.judge if known else None

    def check(self) -> None:
        """Renew the judges that have become old, and close those that were replaced long ago.

        One that cannot be made anew now stays as it is until the next time.
        """
        with self._making:
            for queue, snapshot in list(self._snapshots.items()):
                try:
                    if self._made_of(queue) != snapshot.made_of:
                        self._renewed(queue)
                except Exception as error:  # noqa: BLE001 - whatever ails one queue's judge, the others are renewed
                    _log.warning("the judge of %s could not be made anew: %s", queue, type(error).__name__)
            now = self._clock()
            old = [one for one in self._replaced if (now - one[0]).total_seconds() >= self._close_after]
            self._replaced = [one for one in self._replaced if one not in old]
        for _, judge in old:
            _close(judge)

    def close(self) -> None:
        """Close all there are: what they traced is sent. They judge no more."""
        for judge in (*(snapshot.judge for snapshot in self._snapshots.values()), *(old for _, old in self._replaced)):
            _close(judge)

    def known(self) -> Mapping[str, Judge]:
        """By queue."""
        return {queue: snapshot.judge for queue, snapshot in sorted(self._snapshots.items())}

    def _renewed(self, queue: str) -> Snapshot:
        made_of = self._made_of(queue)  # read before: what is fitted meanwhile is seen at the next look
        made = Snapshot(self._make(queue, f"ml-backend:{made_of[0]}"), made_of)
        old = self._snapshots.get(queue)
        self._snapshots[queue] = made
        if old is not None:
            self._replaced.append((self._clock(), old.judge))
            _log.info("the judge of %s was made anew", queue)
        return made

    def _made_of(self, queue: str) -> tuple[str, tuple[tuple[str, ...], ...]]:
        fits = sorted((fit.question, fit.judge, fit.judge_version, fit.version) for fit in self._fits(queue))
        return self._clock().date().isoformat(), tuple(fits)


def describe(judge: Judge, codebook: Codebook) -> dict[str, object]:
    """A judge for `/health`."""
    members = [str(member.name) for member in getattr(judge, "members", ())]
    return {"judge": judge.name, "version": judge.version(codebook)} | ({"members": members} if members else {})


def _close(judge: Judge) -> None:
    close = getattr(judge, "close", None)
    if callable(close):
        try:
            close()
        except Exception as error:  # noqa: BLE001 - it is gone either way
            _log.warning("an old judge did not close: %s", type(error).__name__)
