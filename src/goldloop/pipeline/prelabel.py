"""A judge's answer for each drawn trace, before anyone sees it."""

from datetime import datetime

from goldloop.codebook.schema import Codebook
from goldloop.errors import RejectedError
from goldloop.pipeline.parking import park
from goldloop.pipeline.payload import fetch
from goldloop.ports import Judge, Progress, Store, TraceSource
from goldloop.records import Prediction, Record

_BATCH = 50
"""Predictions saved at once: what a killed run has to judge again."""


class PrelabelSummary(Record):
    judged: int
    abstained: int
    parked: int


def prelabel(
    codebook: Codebook, source: TraceSource, judge: Judge, store: Store, now: datetime, progress: Progress
) -> PrelabelSummary:
    """Judge every drawn trace that this judge, in this version, has not judged. A trace that is gone is parked."""
    todo = store.unjudged(codebook.name, judge.name, judge.version)
    waiting: list[Prediction] = []
    judged = abstained = parked = 0
    for done, draw in enumerate(todo, start=1):
        asked = store.codebook(codebook.name, draw.codebook_version)
        try:
            trace = fetch(source, draw.trace_id, pairwise=asked.pairwise)
        except RejectedError as error:
            park(store, "prelabel", f"trace:{draw.trace_id}", error, now, queue=codebook.name, trace_id=draw.trace_id)
            parked += 1
        else:
            judgement = judge.judge(asked, trace)
            judged += judgement.abstained is None
            abstained += judgement.abstained is not None
            waiting.append(
                Prediction(
                    queue=codebook.name,
                    codebook_version=draw.codebook_version,
                    trace_id=draw.trace_id,
                    judged_at=now,
                    judgement=judgement,
                )
            )
        if len(waiting) >= _BATCH or done == len(todo):
            store.save_predictions(waiting)
            waiting = []
        progress(done, len(todo))
    return PrelabelSummary(judged=judged, abstained=abstained, parked=parked)
