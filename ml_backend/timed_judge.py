"""A judge with a deadline: an annotator's page waits while it thinks."""

import threading
import time
from concurrent.futures import Future

from goldloop.codebook.schema import Codebook
from goldloop.ports import Judge
from goldloop.records import Judgement, Trace


class TimedJudge:
    """Gives up waiting after some seconds, and never has more than `threads` judgements under way.

    A thread cannot be stopped from outside: a judgement that is late runs on unheard, and counts until it ends.
    """

    def __init__(self, judge: Judge, threads: int = 4) -> None:
        self._judge = judge
        self._free = threading.BoundedSemaphore(threads)

    def judge(self, codebook: Codebook, trace: Trace, seconds: float) -> Judgement:
        """The judgement; TimeoutError where it is not there in time, and whatever the judge raises."""
        give_up = time.monotonic() + seconds
        if not self._free.acquire(timeout=max(0.0, seconds)):
            raise TimeoutError("all threads of the judge are busy")
        outcome: Future[Judgement] = Future()

        def think() -> None:
            try:
                outcome.set_result(self._judge.judge(codebook, trace))
            except BaseException as error:  # noqa: BLE001 - it is raised again where somebody waits for it
                outcome.set_exception(error)
            finally:
                self._free.release()

        # A daemon: a judgement that hangs must not keep the server from ending.
        threading.Thread(target=think, name="judge", daemon=True).start()
        return outcome.result(timeout=max(0.0, give_up - time.monotonic()))
