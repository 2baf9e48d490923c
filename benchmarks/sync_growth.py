"""Growth: the same changes after ten times the history, in the store and on the servers.

History is traces that went all the way: candidates, draws, tasks, annotations, answers, confirmed scores. It is older
than a draw looks back. Both stores read the same stand-in, which has the longer history.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from benchmarks.judge_table import Row
from benchmarks.sync_gather import AnnotatedProject, annotated_project
from benchmarks.sync_publish import a_score
from benchmarks.sync_servers import Servers, silent
from benchmarks.sync_store import NOW
from benchmarks.sync_traces import fill, trace_id
from goldloop import ids
from goldloop.adapters.store import open_store
from goldloop.pipeline.draw import draw
from goldloop.pipeline.enqueue import enqueue
from goldloop.pipeline.gather import gather
from goldloop.pipeline.publish import publish
from goldloop.pipeline.pull import PullRange, pull
from goldloop.pipeline.read_back import ReadBack
from goldloop.pipeline.resolve import resolve
from goldloop.ports import TraceResolution
from goldloop.records import Annotation, Answer, State
from goldloop.signals.judges import SignalSettings

_TIMES = 10
_MOST = 1.5
_ROUNDS = 5
_LONG_AGO = NOW - timedelta(days=90)
_REACH = PullRange(since=NOW - timedelta(days=14), overlap=timedelta(hours=1), lag=timedelta(0))

Seconds = dict[str, list[float]]


def measure(servers: Servers, *, fast: bool) -> Iterator[Row]:
    history, changed = (200, 100) if fast else (1_000, 300)
    fill(servers.database, _LONG_AGO, _TIMES * history, _TIMES * history, first=1_000_000)
    fill(servers.database, NOW, changed, changed, first=2_000_000)
    few = _lived(servers, "few", history, changed)
    many = _lived(servers, "many", _TIMES * history, changed)
    seconds: list[Seconds] = [{}, {}]
    for phase in (_later_verbs, _first_verbs):  # tasks that enqueue makes would be news to gather
        for number in range(_ROUNDS):
            for project, of_it in zip((few, many), seconds, strict=True):
                phase(servers, project, number, changed, of_it)
    for verb, took in seconds[0].items():
        before, after = statistics.median(took), statistics.median(seconds[1][verb])
        told = f"{1000 * before:,.0f} ms after {history:,}, {1000 * after:,.0f} ms after {_TIMES * history:,}"
        yield Row.at_most(f"{verb}, {changed:,} changes, ten times the history", _MOST, after / before, "x", told)


def _lived(servers: Servers, name: str, history: int, changed: int) -> AnnotatedProject:
    """A project and a store with a history; the changes are annotations that the store does not have yet."""
    project = annotated_project(servers, name, known=history, changed=changed, at=_LONG_AGO, budget=changed)
    store = open_store(f"sqlite:///{project.template}")
    asked = project.asked
    first = asked.verdict.label_names[0]
    tasks = sorted(store.task_ids(project.project_id))[:history]
    annotations = [
        Annotation(
            key=ids.annotation_key(project.project_id, 10_000_000 + number),
            queue=asked.name,
            codebook_version=asked.version,
            trace_id=trace_id(number),
            project_id=project.project_id,
            task_id=task_id,
            annotation_id=10_000_000 + number,
            annotator="a@example.org",
            answers={asked.verdict.name: first},
            created_at=_LONG_AGO,
            updated_at=_LONG_AGO,
        )
        for number, task_id in enumerate(tasks)
    ]
    store.save_annotations(annotations, _LONG_AGO)
    resolutions: list[TraceResolution] = []
    for one in annotations:
        answer = Answer(
            queue=asked.name,
            codebook_version=asked.version,
            trace_id=one.trace_id,
            question=asked.verdict.name,
            value=first,
            votes=1,
            voters=1,
            annotators=("a@example.org",),
            method="majority",
            revised_at=_LONG_AGO,
        )
        score = a_score(asked, int(one.trace_id[:12], 16)).model_copy(update={"trace_id": one.trace_id})
        resolutions.append(TraceResolution(one.trace_id, State.RESOLVED, [answer], [score], None))
    store.save_resolutions(asked.name, resolutions, _LONG_AGO)
    sent = [score.score_id for score in store.due_scores(asked.name, len(annotations))]
    store.mark_scores_sent(sent, _LONG_AGO)
    store.mark_scores_confirmed(sent)
    store.mark_published(asked.name)
    store.close()
    return project


def _later_verbs(servers: Servers, project: AnnotatedProject, number: int, changed: int, took: Seconds) -> None:
    store = project.store(servers.folder, f"later-{project.project_id}-{number}")
    queue = servers.label_studio()
    read_back = ReadBack(lambda: datetime.now(UTC), time.sleep, timedelta(seconds=60), timedelta(seconds=0.1))
    with servers.langfuse() as langfuse:
        _time(took, "gather", lambda: gather(project.asked, queue, store, NOW, silent))
        _time(took, "resolve", lambda: resolve(project.asked, store, NOW, silent))
        _time(
            took,
            "publish",
            lambda: publish(project.asked, langfuse.source, langfuse.scores, [], store, read_back, silent),
        )
    assert store.counts(project.asked.name).by_state[State.PUBLISHED] >= changed
    queue.close()
    store.close()


def _first_verbs(servers: Servers, project: AnnotatedProject, number: int, changed: int, took: Seconds) -> None:
    store = project.store(servers.folder, f"first-{project.project_id}-{number}")
    asked = project.asked
    end = NOW + timedelta(seconds=1)
    with servers.langfuse() as langfuse:
        queue = servers.label_studio()
        _time(took, "pull", lambda: pull(langfuse.source, store, _REACH, end, silent))
        _time(took, "draw", lambda: draw(asked, store, 1, end, SignalSettings()))
        assert store.drawn_since(asked.name, NOW) == changed
        _time(took, "enqueue", lambda: enqueue(asked, langfuse.source, queue, store, lambda: end, silent))
        queue.close()
    store.close()


def _time(took: Seconds, verb: str, call: Callable[[], object]) -> None:
    began = time.perf_counter()
    call()
    took.setdefault(verb, []).append(time.perf_counter() - began)
