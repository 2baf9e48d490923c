"""A store of the terminal's folder in which people have answered traces."""

from datetime import timedelta

from builders import NOW, QUEUE, candidate, codebook, draw
from builders_labelled import logged
from goldloop.adapters.store import SqlStore, open_store
from goldloop.judge.features import trace_features
from goldloop.ports import TraceResolution
from goldloop.records import Answer, DrawRun, State


def opened() -> SqlStore:
    return open_store("sqlite:///.goldloop/goldloop.db")


def label(count: int, *, blind: bool = True, resolved: bool = True) -> None:
    """So many traces are drawn, and people answered them."""
    asked = codebook()
    with opened() as store:
        store.save_codebook(asked, NOW)
        rows = [logged(number) for number in range(count)]
        run = DrawRun.model_validate(
            {
                "run_id": "run",
                "queue": QUEUE,
                "codebook_version": asked.version,
                "drawn_at": NOW,
                "window_start": NOW - timedelta(days=1),
                "window_end": NOW,
                "frame_size": count,
                "budget": count,
                "seed": 1,
                "mix": {"random": 1.0},
                "settings_hash": "s",
                "code_version": "c",
            }
        )
        store.save_candidates([candidate(trace.trace_id) for trace, _ in rows], NOW)
        store.save_draw(run, [draw(trace.trace_id).model_copy(update={"blind": blind}) for trace, _ in rows])
        store.save_features([trace_features(trace) for trace, _ in rows])
        for trace, verdict in rows if resolved else []:
            answer = Answer(
                queue=QUEUE,
                codebook_version=asked.version,
                trace_id=trace.trace_id,
                question="verdict",
                value=verdict,
                votes=1,
                voters=1,
                annotators=("ada@example.org",),
                method="majority",
                revised_at=NOW,
            )
            store.save_resolutions(
                QUEUE,
                [TraceResolution(trace.trace_id, state=State.RESOLVED, answers=[answer], scores=[], eval_row=None)],
                NOW,
            )
