"""Annotations -> one answer a question, and the scores and eval rows that follow from them, into the outbox."""

from collections.abc import Mapping
from datetime import datetime

from goldloop import ids
from goldloop.codebook.lineage import Lineage
from goldloop.codebook.schema import Codebook
from goldloop.codebook.score_configs import digest, score_configs
from goldloop.ports import EvalDue, Progress, Store
from goldloop.records import Annotation, Draw, Record, State
from goldloop.resolution.across import Across, resolve_across
from goldloop.resolution.scores import Scoring


class ResolveSummary(Record):
    traces: int
    decided: int
    failures: int
    outbox: int
    quarantined: int = 0


def resolve(codebook: Codebook, store: Store, now: datetime, progress: Progress) -> ResolveSummary:
    """Work out again every trace whose annotations changed; only what differs from before goes to the outbox.

    What counts is what the newest published version asks, whatever version a trace was annotated by.
    """
    due = store.due_for_resolve(codebook.name)
    decided = failures = outbox = quarantined = 0
    lineage = store.lineage(codebook.name)
    configs = _configs(lineage.newest.codebook, store) if due else {}
    aside = {row.parked_id for row in store.parked(codebook.name)} if due else set()
    for done, trace_id in enumerate(due, start=1):
        draw = store.draw(codebook.name, trace_id)
        annotations = store.annotations(codebook.name, trace_id)
        found = resolve_across(lineage, annotations, draw.annotators)
        scoring = Scoring(lineage, draw, store.environment(trace_id), configs)
        answers = [*found.answers, *found.quarantined]
        scores = [scoring.annotation(one) for one in annotations] + [scoring.answer(one) for one in answers]
        failure = any(answer.failure for answer in found.answers)
        outbox += store.save_resolution(
            codebook.name,
            trace_id,
            state=_state(lineage, draw, annotations, found),
            answers=answers,
            scores=[score for score in scores if score],
            eval_row=_eval_due(lineage, codebook.name, trace_id) if failure else None,
            at=now,
        )
        if any(not one.deleted for one in annotations):
            # Set aside by the sampler, for it was old or too much; then somebody judged it all the same.
            overflow = ids.parked_id("draw", f"{codebook.name}|trace:{trace_id}")
            if overflow in aside:
                store.unpark([overflow])
        decided += found.decided
        failures += failure
        quarantined += bool(found.quarantined)
        progress(done, len(due))
    return ResolveSummary(traces=len(due), decided=decided, failures=failures, outbox=outbox, quarantined=quarantined)


def _state(lineage: Lineage, draw: Draw, annotations: list[Annotation], found: Across) -> State:
    """A trace that is to be labelled again waits for that, whatever its old annotations still decide."""
    live = [one for one in annotations if not one.deleted]
    asked = lineage.since(draw.codebook_version)
    if not any(_is_by(lineage.since(one.codebook_version), asked) for one in live):
        return State.QUEUED
    return State.RESOLVED if found.decided else State.ANNOTATED


def _is_by(made: Mapping[str, str], asked: Mapping[str, str]) -> bool:
    """Whether what an annotation answers means what the trace's version asks."""
    return all(asked.get(question, since) == since for question, since in made.items())


def _eval_due(lineage: Lineage, queue: str, trace_id: str) -> EvalDue:
    newest = lineage.newest
    since = newest.since[newest.codebook.verdict.name]
    return EvalDue(
        row_id=ids.eval_row_id(queue, trace_id, since),
        queue=queue,
        codebook_version=since,
        trace_id=trace_id,
        remove=False,
    )


def _configs(codebook: Codebook, store: Store) -> dict[str, str]:
    """The ids of the score configs in force, by the names of the scores that keep to them."""
    known = store.score_config_ids(codebook.name)
    wanted = ((config.name, digest(config)) for config in score_configs(codebook))
    return {name: known[name, mark] for name, mark in wanted if (name, mark) in known}
