import time
from collections.abc import Sequence

from builders import NOW, QUEUE, draw
from goldloop.errors import RetryableError
from goldloop.records import Draw, Judgement, Prediction
from ml_backend.saving import Saving


class Store:
    """Draws `t0` to `t9`; t1 to be judged blind."""

    def __init__(self) -> None:
        self.saved: list[Prediction] = []
        self.fails: BaseException | None = None

    def drawn(self, queue: str, trace_ids: Sequence[str]) -> list[Draw]:
        known = [draw(name) for name in trace_ids if name in {f"t{number}" for number in range(10)} and queue == QUEUE]
        return [one.model_copy(update={"blind": one.trace_id == "t1"}) for one in known]

    def save_predictions(self, predictions: Sequence[Prediction]) -> None:
        if self.fails:
            raise self.fails
        self.saved += predictions


def prediction(trace_id: str, queue: str = QUEUE) -> Prediction:
    said = Judgement(judge="stub", judge_version="1", answers={"verdict": "pass"}, method="lexical")
    return Prediction(queue=queue, codebook_version="1.0.0", trace_id=trace_id, judged_at=NOW, judgement=said)


def test_what_was_drawn_is_saved_and_nothing_that_is_blind_or_made_up() -> None:
    store = Store()
    saving = Saving(store)
    for name in ("t0", "t1", "made up", "t2"):
        saving.keep(prediction(name))
        saving.keep(prediction(name, "another-queue"))
    saving.stop(10)
    assert {(one.queue, one.trace_id) for one in store.saved} == {(QUEUE, "t0"), (QUEUE, "t2")}


def test_a_store_that_fails_stops_nothing() -> None:
    store = Store()
    store.fails = RetryableError("store", "away")
    saving = Saving(store)
    saving.keep(prediction("t0"))
    give_up = time.monotonic() + 10
    while not saving._waiting.empty() and time.monotonic() < give_up:
        time.sleep(0.01)
    time.sleep(0.05)
    store.fails = None
    saving.keep(prediction("t2"))
    saving.stop(10)
    assert [one.trace_id for one in store.saved] == ["t2"]
