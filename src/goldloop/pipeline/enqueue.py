"""Drawn traces -> tasks with prelabels in Label Studio. A trace is never two tasks.

Before a batch is imported the store notes that it is about to be. A batch that was noted and never confirmed (the
process died, the answer got lost) is looked up in Label Studio first, and only what is not there is imported. Label
Studio works an import off even where nobody waits for its answer any more, and shows nothing of it before its end: so
what is not there is imported again only when the first import has had its time.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby

from pydantic import JsonValue

from goldloop.ahead import ahead
from goldloop.codebook.controls import swapped
from goldloop.codebook.lineage import Lineage
from goldloop.codebook.render import render
from goldloop.codebook.result import MODEL_VERSION, to_result
from goldloop.codebook.schema import Codebook
from goldloop.codebook.task import task_data
from goldloop.errors import RejectedError
from goldloop.pipeline.parking import park, park_deleted_tasks, poll_from_the_beginning
from goldloop.pipeline.payload import characters, fetch_all
from goldloop.pipeline.projects import Purpose, ensure_project
from goldloop.ports import Clock, Progress, Store, TaskDraft, TaskQueue, TraceSource
from goldloop.records import Draw, Prediction, Project, Record, State, Task, Trace

_FETCHED = 100
"""Traces whose payloads are asked for at once."""
_BATCH = 1000
_CHARACTERS = 4_000_000
"""Import goes by far faster in large batches. One is closed when it has so many traces, or so much text in them: two
such, and what was fetched beyond, are what memory holds."""

_SETTLED = timedelta(minutes=2)
"""An import that was begun so long ago is over, whatever became of it: no answer is waited for any longer."""

Fetched = tuple[Draw, Trace | RejectedError]


class EnqueueSummary(Record):
    """`waiting` are traces whose import broke off so lately that it may still be under way: the next run sees."""

    queued: int
    with_prelabel: int
    already_there: int
    parked: int
    project_urls: list[str]
    waiting: int = 0


class _Enqueue:
    """The state of one run: what each batch needs and what it adds to."""

    def __init__(self, source: TraceSource, tasks: TaskQueue, store: Store, lineage: Lineage, clock: Clock) -> None:
        self.source, self.tasks, self.store, self.clock, self.now = source, tasks, store, clock, clock()
        self.queued = self.with_prelabel = self.already_there = self.parked = self.waiting = 0
        self.subject = "trace"
        self.given: dict[int, int | None] = {}
        self.lineage = lineage

    def batch(self, codebook: Codebook, project: Project, fetched: Sequence[Fetched]) -> None:
        draws = [draw for draw, _ in fetched]
        # What has an answer already must not be parked for want of a second one.
        self.subject = "relabel" if project.purpose == "relabel" else "trace"
        begun = self.store.imports_begun(codebook.name, [draw.trace_id for draw in draws])
        waiting = self._may_be_under_way(codebook, begun)  # before they are looked up: what ends meanwhile is found
        found = self.tasks.find_tasks(project.project_id, sorted(begun)) if begun else {}
        waiting -= found.keys()
        self.waiting += len(waiting)
        if found:
            # They may have been annotated, and passed by, before anyone knew that they are ours.
            poll_from_the_beginning(self.store, project.project_id)
        wanted = {draw.trace_id: draw.annotators for draw in draws}
        self._save(codebook, project, list(found.items()), wanted)
        self.already_there += len(found)
        drafts = self._drafts(codebook, [one for one in fetched if one[0].trace_id not in found.keys() | waiting])
        drafts = self._valid(codebook, project, drafts)
        for task_ids, imported in self._import(codebook, project, drafts):
            pairs = [(draft.trace_id, task_id) for draft, task_id in zip(imported, task_ids, strict=True)]
            self._save(codebook, project, pairs, wanted)
            self.with_prelabel += sum(draft.prediction is not None for draft in imported)

    def _may_be_under_way(self, codebook: Codebook, begun: Mapping[str, datetime]) -> set[str]:
        now = self.clock()
        to_come = [trace_id for trace_id, at in begun.items() if at > now]
        if to_come:  # the clock was set back since: from now on, then
            self.store.begin_import(codebook.name, to_come, now)
        return {trace_id for trace_id, at in begun.items() if now - at < _SETTLED}

    def _drafts(self, codebook: Codebook, fetched: Sequence[Fetched]) -> list[TaskDraft]:
        traces: list[tuple[Draw, Trace]] = []
        for draw, trace in fetched:
            if isinstance(trace, RejectedError):
                self._park_trace(codebook, draw.trace_id, trace)
            else:
                traces.append((draw, trace))
        signals = self.store.signals_of([draw.trace_id for draw, _ in traces])
        # A blind task holds no suggestion: what is in it can be read, whatever the screen shows.
        shown = [draw.trace_id for draw, _ in traces if not draw.blind]
        predictions = self.store.predictions(codebook.name, codebook.version, shown)
        since = self.lineage.since(codebook.version)
        drafts: list[TaskDraft] = []
        for draw, trace in traces:
            prediction = predictions.get(draw.trace_id)
            judgement = prediction.judgement if prediction else None
            url = self.source.trace_url(draw.trace_id)
            data = task_data(codebook, trace, draw, signals.get(draw.trace_id, []), judgement, url, since)
            drafts.append(
                TaskDraft(
                    trace_id=draw.trace_id,
                    data=data.model_dump(mode="json"),
                    prediction=prelabel_of(codebook, prediction),
                )
            )
        return drafts

    def _valid(self, codebook: Codebook, project: Project, drafts: list[TaskDraft]) -> list[TaskDraft]:
        """A prediction that the label config does not allow would show nothing, and still be submitted: without it."""
        invalid = self.tasks.invalid_predictions(project.label_config or render(codebook), drafts)
        for trace_id, reason in invalid.items():
            error = RejectedError("Label Studio", f"the prelabel was left out: {reason}", reason="invalid_prelabel")
            park(
                self.store,
                "enqueue",
                f"prediction:{trace_id}",
                error,
                self.now,
                queue=codebook.name,
                trace_id=trace_id,
            )
        self.parked += len(invalid)
        return [
            draft.model_copy(update={"prediction": None}) if draft.trace_id in invalid else draft for draft in drafts
        ]

    def _import(
        self, codebook: Codebook, project: Project, drafts: Sequence[TaskDraft]
    ) -> Iterator[tuple[list[int], Sequence[TaskDraft]]]:
        """Import all, or halve until the ones that are refused stand alone and can be parked."""
        if not drafts:
            return
        trace_ids = [draft.trace_id for draft in drafts]
        self.store.begin_import(codebook.name, trace_ids, self.clock())
        try:
            yield self.tasks.import_tasks(project.project_id, drafts), drafts
        except RejectedError as error:
            self.store.end_import(codebook.name, trace_ids)
            if len(drafts) == 1:
                self._park_trace(codebook, drafts[0].trace_id, error)
                return
            half = len(drafts) // 2
            yield from self._import(codebook, project, drafts[:half])
            yield from self._import(codebook, project, drafts[half:])

    def _save(
        self, codebook: Codebook, project: Project, pairs: Sequence[tuple[str, int]], wanted: Mapping[str, int | None]
    ) -> None:
        tasks = [
            Task(
                queue=codebook.name,
                codebook_version=codebook.version,
                trace_id=trace_id,
                project_id=project.project_id,
                task_id=task_id,
            )
            for trace_id, task_id in pairs
        ]
        if tasks:
            self._give_up_taken_ids(tasks)
            self._want_annotators(codebook, tasks, wanted)  # before it is saved: what is not saved is done again
            self.store.save_tasks(tasks, self.now)
            if project.purpose == "relabel":
                self.store.mark_relabels_queued(codebook.name, [task.trace_id for task in tasks], self.now)
        self.queued += len(tasks)

    def _want_annotators(self, codebook: Codebook, tasks: Sequence[Task], wanted: Mapping[str, int | None]) -> None:
        """Those that want another number than the project gives: doubles, and all where the setting changed since."""
        usual = codebook.queue.annotations_per_trace
        numbers = {task.task_id: wanted[task.trace_id] or usual for task in tasks}
        for number in sorted({*numbers.values()} - {self._given(tasks[0].project_id)}):
            self.tasks.want_annotators([task_id for task_id, one in numbers.items() if one == number], number)

    def _given(self, project_id: int) -> int | None:
        """How many annotators the project sends to a task that says nothing else."""
        if project_id not in self.given:
            there = self.tasks.find_project("", project_id)
            self.given[project_id] = there.annotations_per_task if there else None
        return self.given[project_id]

    def _give_up_taken_ids(self, tasks: Sequence[Task]) -> None:
        """Label Studio gives the id of a deleted task again: the trace that had it has no task any more."""
        project_id = tasks[0].project_id
        known = self.store.tasks_of(project_id, [task.task_id for task in tasks], standing=True)
        before = {task: known.get(task.task_id) for task in tasks}
        taken = [new.task_id for new, old in before.items() if old and old.trace_id != new.trace_id]
        park_deleted_tasks(self.store, project_id, taken, self.now)

    def _park_trace(self, codebook: Codebook, trace_id: str, error: RejectedError) -> None:
        self.parked += 1
        park(
            self.store, "enqueue", f"{self.subject}:{trace_id}", error, self.now, queue=codebook.name, trace_id=trace_id
        )


def enqueue(
    codebook: Codebook, source: TraceSource, tasks: TaskQueue, store: Store, clock: Clock, progress: Progress
) -> EnqueueSummary:
    """Make a task of every drawn trace, in the project of the codebook version that it is asked by."""
    run = _Enqueue(source, tasks, store, store.lineage(codebook.name), clock)
    drawn = store.draws(codebook.name, State.DRAWN) + store.relabels(codebook.name)
    urls = []
    done = 0
    by_project = sorted(drawn, key=_project_of)  # stable: the annotators' order is kept
    for (version, purpose), group in groupby(by_project, key=_project_of):
        asked = store.codebook(codebook.name, version)
        project = ensure_project(asked, purpose, tasks, store, run.now)
        if project.url not in urls:
            urls.append(project.url)
        for batch in ahead(_fetched(source, list(group), pairwise=asked.pairwise)):
            run.batch(asked, project, batch)
            done += len(batch)
            progress(done, len(drawn))
    return EnqueueSummary(
        queued=run.queued,
        with_prelabel=run.with_prelabel,
        already_there=run.already_there,
        parked=run.parked,
        project_urls=urls,
        waiting=run.waiting,
    )


def _fetched(source: TraceSource, draws: Sequence[Draw], *, pairwise: bool) -> Iterator[list[Fetched]]:
    """The draws with their payloads, in batches fit to be imported."""
    batch: list[Fetched] = []
    done = 0
    while done < len(draws):
        some = draws[done : done + min(_FETCHED, _BATCH - len(batch))]
        done += len(some)
        traces = fetch_all(source, [draw.trace_id for draw in some], pairwise=pairwise)
        batch += zip(some, traces, strict=True)
        if len(batch) >= _BATCH or sum(characters(trace) for _, trace in batch) >= _CHARACTERS:
            yield batch
            batch = []
    if batch:
        yield batch


def _project_of(draw: Draw) -> tuple[str, Purpose]:
    """A trace that is judged a second time needs a project apart: none holds a trace twice."""
    return draw.codebook_version, "relabel" if draw.policy == "relabel" else "blind" if draw.blind else "review"


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
