"""Annotations -> one answer a question, and the scores and eval rows that follow from them, into the outbox."""

from datetime import datetime

from goldloop import ids
from goldloop.codebook.schema import Codebook
from goldloop.ports import EvalDue, Progress, Store
from goldloop.records import Record, State
from goldloop.resolution.majority import resolve as majority
from goldloop.resolution.scores import annotation_score, answer_score


class ResolveSummary(Record):
    traces: int
    decided: int
    failures: int
    outbox: int


def resolve(codebook: Codebook, store: Store, now: datetime, progress: Progress) -> ResolveSummary:
    """Work out again every trace whose annotations changed; only what differs from before goes to the outbox."""
    due = store.due_for_resolve(codebook.name)
    decided = failures = outbox = 0
    for done, trace_id in enumerate(due, start=1):
        draw = store.draw(codebook.name, trace_id)
        asked = store.codebook(codebook.name, draw.codebook_version)
        annotations = store.annotations(codebook.name, trace_id)
        environment = store.environment(trace_id)
        resolution = majority(asked, annotations)
        scores = [annotation_score(asked, annotation, draw, environment) for annotation in annotations]
        scores += [answer_score(asked, answer, draw, environment) for answer in resolution.answers]
        failure = any(answer.failure for answer in resolution.answers)
        live = any(not annotation.deleted for annotation in annotations)
        outbox += store.save_resolution(
            codebook.name,
            trace_id,
            state=State.RESOLVED if resolution.decided else State.ANNOTATED if live else State.QUEUED,
            answers=resolution.answers,
            scores=[score for score in scores if score],
            eval_row=EvalDue(
                row_id=ids.eval_row_id(codebook.name, trace_id, asked.version),
                queue=codebook.name,
                codebook_version=asked.version,
                trace_id=trace_id,
                remove=False,
            )
            if failure
            else None,
            at=now,
        )
        decided += resolution.decided
        failures += failure
        progress(done, len(due))
    return ResolveSummary(traces=len(due), decided=decided, failures=failures, outbox=outbox)
