"""Live judgements on their way into the store, so that none is paid for twice."""

import logging
import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Final, Protocol

from goldloop.records import Draw, Prediction

_WAITING: Final = 10_000
_AT_ONCE: Final = 500

_log = logging.getLogger(__name__)


class Writes(Protocol):
    """What is written to the store, and what has to be known for it."""

    def drawn(self, queue: str, trace_ids: Sequence[str]) -> list[Draw]: ...
    def save_predictions(self, predictions: Sequence[Prediction]) -> None: ...


class Saving:
    """One thread that saves what it is given, as many at a time as wait. What the store does not take is left."""

    def __init__(self, store: Writes) -> None:
        self._store = store
        self._waiting: queue.Queue[Prediction | None] = queue.Queue(_WAITING)
        self._thread = threading.Thread(target=self._work, name="saving", daemon=True)
        self._thread.start()

    def keep(self, prediction: Prediction) -> None:
        """Save it soon; returns at once."""
        try:
            self._waiting.put_nowait(prediction)
        except queue.Full:
            _log.warning("too many live judgements wait for the store: one was left")

    def stop(self, seconds: float) -> None:
        """Save what waits, for so long."""
        try:
            self._waiting.put(None, timeout=seconds)
        except queue.Full:
            return
        self._thread.join(seconds)

    def _work(self) -> None:
        while (first := self._waiting.get()) is not None:
            batch, ended = [first], False
            while len(batch) < _AT_ONCE and not self._waiting.empty() and not ended:
                more = self._waiting.get()
                ended = more is None
                batch += [more] if more is not None else []
            try:
                self._store.save_predictions([*savable(batch, self._store.drawn)])
            except BaseException as error:  # noqa: BLE001 - the thread goes on, whatever happened to one batch
                _log.warning("%d live judgements were not saved: %s", len(batch), type(error).__name__)
            if ended:
                return


def savable(
    predictions: Iterable[Prediction], drawn: Callable[[str, Sequence[str]], list[Draw]]
) -> Iterator[Prediction]:
    """Those of traces that goldloop drew for that queue, and not to be judged blind.

    A task's data can be edited, or made up, by any member of its project: of a trace that was never drawn it proves
    nothing.
    """
    for name, group in groupby(sorted(predictions, key=_queue_of), key=_queue_of):
        own = list(group)
        known = {draw.trace_id for draw in drawn(name, [one.trace_id for one in own]) if not draw.blind}
        yield from (one for one in own if one.trace_id in known)


def _queue_of(prediction: Prediction) -> str:
    return prediction.queue
