"""Whatever order a score's revisions arrive in, and however often each: the last one stands."""

import json
from datetime import timedelta
from itertools import count
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from contract.store_samples import NOON, draw, draw_run, score
from goldloop.adapters.langfuse.score_events import event, event_id
from goldloop.adapters.store import SqlStore
from goldloop.ports import TraceResolution
from goldloop.records import Score, State
from pipeline.loop import opened

_numbers = count()

# Annotators' clocks stand still, go back, and differ by less than the server keeps.
offsets = st.sampled_from([0, 1, 400, 900, 1_000, 60_000_000, -1, -60_000_000])
revisions = st.lists(
    st.tuples(st.sampled_from(["pass", "fail"]), st.sampled_from(["", "a note"]), offsets, st.booleans()),
    min_size=1,
    max_size=8,
)


class Model:
    """The server's rule for one score: the newest event time wins, an equal or older one is ignored."""

    def __init__(self) -> None:
        self.time, self.value, self.comment = "", "", ""

    def take(self, sent: Score) -> None:
        arrived = json.loads(event(event_id(sent), sent, {}).body)
        if arrived["timestamp"] > self.time:  # of one form, so that they sort as the times do
            self.time = arrived["timestamp"]
            self.value, self.comment = arrived["body"]["value"], arrived["body"]["comment"]


def handed_out(store: SqlStore, said: list[tuple[str, str, int, bool]]) -> list[Score]:
    """Every revision that a run came to send; each may have reached the server at any time since."""
    queue = f"queue-{next(_numbers)}"
    run = draw_run(queue)
    store.save_draw(run, [draw("t1", run)])
    sent: list[Score] = []
    for number, (value, comment, offset, comes_to_send) in enumerate(said, start=1):
        wanted = score(f"{queue}-s", value=value, comment=comment, event_at=NOON + timedelta(microseconds=offset))
        store.save_resolutions(
            queue, [TraceResolution("t1", state=State.RESOLVED, answers=[], scores=[wanted], eval_row=None)], NOON
        )
        if comes_to_send or number == len(said):
            sent += store.due_scores(queue, 10)
            if comes_to_send:
                store.mark_scores_sent([f"{queue}-s"], NOON)
    return sent


@pytest.mark.simulation
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(said=revisions, data=st.data())
def test_the_last_revision_stands(
    template: Path, tmp_path: Path, said: list[tuple[str, str, int, bool]], data: st.DataObject
) -> None:
    with opened(template, tmp_path / f"{next(_numbers)}.db") as store:
        sent = handed_out(store, said)
    again = data.draw(st.lists(st.sampled_from(sent), max_size=10))
    server = Model()
    for one in data.draw(st.permutations([*sent, *again])):
        server.take(one)
    value, comment, _, _ = said[-1]
    assert (server.value, server.comment) == (value, comment)
