"""Annotations -> one answer a question, and the scores and eval rows that follow from them, into the outbox.

Traces go by the page: its annotations are read at once, and what comes of them is saved in one transaction, so that a
run that dies has done its pages before, and leaves the others due.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from goldloop import ids
from goldloop.codebook.lineage import Lineage
from goldloop.codebook.schema import Codebook
from goldloop.codebook.score_configs import digest, score_configs
from goldloop.errors import RejectedError
from goldloop.pipeline.parking import park
from goldloop.ports import EvalDue, Progress, Store, TraceResolution
from goldloop.records import Annotation, Draw, Record, State
from goldloop.resolution.across import Across, resolve_across
from goldloop.resolution.scores import Scoring

PAGE = 500
"""Traces read, worked out and saved at once."""

_VERB = "resolve"


class ResolveSummary(Record):
    traces: int
    decided: int
    failures: int
    outbox: int
    quarantined: int = 0
    parked: int = 0


def resolve(
    codebook: Codebook, store: Store, now: datetime, progress: Progress, *, page_size: int = PAGE
) -> ResolveSummary:
    """Work out again every trace whose annotations changed; only what differs from before goes to the outbox.

    What counts is what the newest published version asks, whatever version a trace was annotated by. A trace that
    cannot be worked out or saved is parked with the reason, stays due, and is tried again by each run; nothing is sent
    of it until then.
    """
    due = store.due_for_resolve(codebook.name)
    made = ResolveSummary(traces=len(due), decided=0, failures=0, outbox=0)
    if not due:
        return made
    _free(codebook.name, due, store)
    run = _Resolve(codebook.name, store, now)
    for start in range(0, len(due), page_size):
        page = due[start : start + page_size]
        run.page(page)
        progress(start + len(page), len(due))
    return made.model_copy(update=run.counts)


@dataclass(frozen=True)
class _Found:
    """What the pure part finds of one trace."""

    resolution: TraceResolution
    across: Across

    @property
    def failure(self) -> bool:
        return self.resolution.eval_row is not None


class _Resolve:
    def __init__(self, queue: str, store: Store, now: datetime) -> None:
        self.queue, self.store, self.now = queue, store, now
        self.lineage = store.lineage(queue)
        self.configs = _configs(self.lineage.newest.codebook, store)
        self.counts = {"decided": 0, "failures": 0, "outbox": 0, "quarantined": 0, "parked": 0}

    def page(self, trace_ids: Sequence[str]) -> None:
        draws = {draw.trace_id: draw for draw in self.store.drawn(self.queue, trace_ids)}
        annotations = self.store.annotations_by_trace(self.queue, trace_ids)
        environments = self.store.environments(trace_ids)
        found: list[_Found] = []
        try:
            for trace_id in trace_ids:
                if trace_id in environments:
                    given = annotations.get(trace_id, [])
                    found.append(self._found(draws[trace_id], given, environments[trace_id]))
                else:
                    said = f"Trace {trace_id} was never pulled: pull the time that it is from."
                    self._park(trace_id, RejectedError("the store", said, reason="never_pulled"))
        finally:  # whatever one of them raises, those before it are done
            self._save(found)

    def _found(self, draw: Draw, annotations: Sequence[Annotation], environment: str) -> _Found:
        across = resolve_across(self.lineage, annotations, draw.annotators)
        scoring = Scoring(self.lineage, draw, environment, self.configs)
        answers = [*across.answers, *across.quarantined]
        scores = [scoring.annotation(one) for one in annotations] + [scoring.answer(one) for one in answers]
        failure = any(answer.failure for answer in across.answers)
        resolution = TraceResolution(
            draw.trace_id,
            state=_state(self.lineage, draw, annotations, across),
            answers=answers,
            scores=[score for score in scores if score],
            eval_row=_eval_due(self.lineage, self.queue, draw.trace_id) if failure else None,
        )
        return _Found(resolution, across)

    def _save(self, found: Sequence[_Found]) -> None:
        """All at once; one by one where the store refuses one of them."""
        try:
            outbox = self.store.save_resolutions(self.queue, [one.resolution for one in found], self.now)
        except RejectedError as error:
            if len(found) > 1:
                for one in found:
                    self._save([one])
            else:
                self._park(found[0].resolution.trace_id, error)
            return
        self.counts["outbox"] += outbox
        self.counts["decided"] += sum(one.across.decided for one in found)
        self.counts["failures"] += sum(one.failure for one in found)
        self.counts["quarantined"] += sum(bool(one.across.quarantined) for one in found)

    def _park(self, trace_id: str, error: RejectedError) -> None:
        park(self.store, _VERB, f"trace:{trace_id}", error, self.now, queue=self.queue, trace_id=trace_id)
        self.counts["parked"] += 1


def _free(queue: str, due: Sequence[str], store: Store) -> None:
    """What the sampler set aside, for it was old or too much, and somebody judged all the same; and what resolve did.

    First of all: how likely a trace was to be kept, which its scores tell, changes with it.
    """
    wanted = set(due)
    aside = [row for row in store.parked(queue) if row.trace_id in wanted and row.subject == f"trace:{row.trace_id}"]
    overflow = [row.trace_id for row in aside if row.verb == "draw" and row.trace_id]
    annotations = store.annotations_by_trace(queue, overflow)
    judged = {trace_id for trace_id, given in annotations.items() if any(not one.deleted for one in given)}
    free = [row for row in aside if row.verb == _VERB or (row.verb == "draw" and row.trace_id in judged)]
    if free:
        store.unpark([row.parked_id for row in free])


def _state(lineage: Lineage, draw: Draw, annotations: Sequence[Annotation], found: Across) -> State:
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
