"""Drawn traces -> drafts of tasks with prelabels, a batch at a time. Nothing is written, and no task made.

It is done ahead of the import: while Label Studio works off one batch, the next one's payloads are fetched, and its
drafts made and checked.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from goldloop.codebook.controls import swapped
from goldloop.codebook.render import render
from goldloop.codebook.result import MODEL_VERSION, to_result
from goldloop.codebook.schema import Codebook
from goldloop.codebook.task import task_data
from goldloop.errors import RejectedError
from goldloop.pipeline.payload import characters, fetch_all
from goldloop.ports import Store, TaskDraft, TaskQueue, TraceSource
from goldloop.records import Draw, Prediction, Project, Trace

_FETCHED = 100
"""Traces whose payloads are asked for at once."""
_BATCH = 1000
_CHARACTERS = 4_000_000
"""Import goes by far faster in large batches. One is closed when it has so many traces, or so much text in them. Memory
holds the drafts of one, and the traces of the next, with what was fetched beyond, while its drafts are made."""

Fetched = tuple[Draw, Trace | RejectedError]


@dataclass(frozen=True)
class Batch:
    """Draws that are imported together.

    Attributes:
        draws: in the annotators' order.
        drafts: the tasks to be, by trace id, in the same order.
        refused: by trace id, why nobody can judge a trace.
        invalid: by trace id, why a draft goes without its prelabel.
    """

    draws: Sequence[Draw]
    drafts: Mapping[str, TaskDraft]
    refused: Mapping[str, RejectedError]
    invalid: Mapping[str, str]


class Drafts:
    """What drafts are made with: one codebook version, in one project.

    `since`: since which version each question has asked what it asks.
    """

    def __init__(
        self,
        codebook: Codebook,
        project: Project,
        source: TraceSource,
        tasks: TaskQueue,
        store: Store,
        since: Mapping[str, str],
    ) -> None:
        self._codebook, self._since = codebook, since
        self._label_config = project.label_config or render(codebook)
        self._source, self._tasks, self._store = source, tasks, store

    def batches(self, draws: Sequence[Draw]) -> Iterator[Batch]:
        """Each with its payloads, fit to be imported at once."""
        return map(self._batch, self._fetched(draws))

    def _batch(self, fetched: Sequence[Fetched]) -> Batch:
        refused = {draw.trace_id: found for draw, found in fetched if isinstance(found, RejectedError)}
        made = self._made([(draw, found) for draw, found in fetched if not isinstance(found, RejectedError)])
        # One that the label config does not allow would show nothing, and still be submitted.
        invalid = self._tasks.invalid_predictions(self._label_config, made)
        drafts = [
            draft.model_copy(update={"prediction": None}) if draft.trace_id in invalid else draft for draft in made
        ]
        return Batch(
            draws=[draw for draw, _ in fetched],
            drafts={draft.trace_id: draft for draft in drafts},
            refused=refused,
            invalid=invalid,
        )

    def _fetched(self, draws: Sequence[Draw]) -> Iterator[list[Fetched]]:
        batch: list[Fetched] = []
        done = 0
        while done < len(draws):
            some = draws[done : done + min(_FETCHED, _BATCH - len(batch))]
            done += len(some)
            traces = fetch_all(self._source, [draw.trace_id for draw in some], pairwise=self._codebook.pairwise)
            batch += zip(some, traces, strict=True)
            if len(batch) >= _BATCH or sum(characters(trace) for _, trace in batch) >= _CHARACTERS:
                yield batch
                batch = []
        if batch:
            yield batch

    def _made(self, traces: Sequence[tuple[Draw, Trace]]) -> list[TaskDraft]:
        codebook = self._codebook
        signals = self._store.signals_of([draw.trace_id for draw, _ in traces])
        # A blind task holds no suggestion: what is in it can be read, whatever the screen shows.
        shown = [draw.trace_id for draw, _ in traces if not draw.blind]
        predictions = self._store.predictions(codebook.name, codebook.version, shown)
        drafts = []
        for draw, trace in traces:
            prediction = predictions.get(draw.trace_id)
            judgement = prediction.judgement if prediction else None
            url = self._source.trace_url(draw.trace_id)
            data = task_data(codebook, trace, draw, signals.get(draw.trace_id, []), judgement, url, self._since)
            drafts.append(
                TaskDraft(
                    trace_id=draw.trace_id,
                    data=data.model_dump(mode="json"),
                    prediction=prelabel_of(codebook, prediction),
                )
            )
        return drafts


def prelabel_of(codebook: Codebook, prediction: Prediction | None) -> dict[str, JsonValue] | None:
    """A prediction in Label Studio's JSON; None for an abstention, so that nothing is selected."""
    if prediction is None or prediction.judgement.abstained is not None:
        return None
    judgement = prediction.judgement
    swap = codebook.pairwise and swapped(prediction.queue, prediction.trace_id)
    return {
        "model_version": MODEL_VERSION,
        "score": judgement.probability,
        "result": [*to_result(codebook, judgement.answers, swap=swap)],
    }
