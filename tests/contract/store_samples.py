"""Records to put into a store, with what a test does not care about filled in."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from goldloop import ids
from goldloop.codebook.schema import Codebook
from goldloop.ports import EvalDue, Store, TraceResolution, Window
from goldloop.records import (
    Annotation,
    Answer,
    Candidate,
    Draw,
    DrawRun,
    Judgement,
    Parked,
    Prediction,
    Score,
    ScoreType,
    State,
    Task,
    Value,
)

QUEUE = "answer-quality"
VERSION = "1.0.0"
NOON = datetime(2026, 3, 2, 12, 0, 0, 123456, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
TODAY = Window(start=NOON - timedelta(hours=12), end=NOON + timedelta(hours=12))


def codebook(**changes: Any) -> Codebook:
    labels = [{"name": name, "text": name, "definition": name} for name in ("pass", "fail")]
    return Codebook.model_validate(
        {
            "name": QUEUE,
            "version": VERSION,
            "title": "Answer quality",
            "owner": "Ada",
            "purpose": "Is the answer good?",
            "questions": [
                {"name": "verdict", "kind": "binary", "text": "Good?", "labels": labels, "failure": ["fail"]}
            ],
            "queue": {"budget": 10, "mix": {"random": 1.0}},
            **changes,
        }
    )


def candidate(trace_id: str = "t1", **changes: Any) -> Candidate:
    return Candidate.model_validate({"trace_id": trace_id, "category": "billing", "timestamp": NOON, **changes})


def draw_run(queue: str = QUEUE, **changes: Any) -> DrawRun:
    given = {
        "run_id": ids.draw_run_id(queue, 7, str(changes.get("drawn_at", NOON))),
        "queue": queue,
        "codebook_version": VERSION,
        "drawn_at": NOON,
        "window_start": TODAY.start,
        "window_end": TODAY.end,
        "frame_size": 10,
        "budget": 5,
        "seed": 7,
        "mix": {"random": 1.0},
        "settings_hash": "s",
        "code_version": "c",
    }
    return DrawRun.model_validate({**given, **changes})


def draw(trace_id: str = "t1", run: DrawRun | None = None, **changes: Any) -> Draw:
    run = run or draw_run()
    given = {
        "run_id": run.run_id,
        "queue": run.queue,
        "codebook_version": run.codebook_version,
        "trace_id": trace_id,
        "policy": "random",
        "mixture": {"random": 1.0},
        "pi": 0.5,
        "stratum": "billing",
        "priority": 0,
        "drawn_at": run.drawn_at,
    }
    return Draw.model_validate({**given, **changes})


def prediction(trace_id: str = "t1", *, minutes: int = 0, **judgement: Any) -> Prediction:
    given = {"judge": "lexical", "judge_version": "1", "method": "lexical", "answers": {"verdict": "fail"}}
    return Prediction(
        queue=QUEUE,
        codebook_version=VERSION,
        trace_id=trace_id,
        judged_at=NOON + minutes * MINUTE,
        judgement=Judgement.model_validate({**given, **judgement}),
    )


def task(trace_id: str = "t1", task_id: int = 1, project_id: int = 1) -> Task:
    return Task(queue=QUEUE, codebook_version=VERSION, trace_id=trace_id, project_id=project_id, task_id=task_id)


def annotation(number: int = 1, trace_id: str = "t1", *, minutes: int = 0, **changes: Any) -> Annotation:
    given = {
        "key": ids.annotation_key(1, number),
        "queue": QUEUE,
        "codebook_version": VERSION,
        "trace_id": trace_id,
        "project_id": 1,
        "task_id": 1,
        "annotation_id": number,
        "annotator": "ada@example.org",
        "answers": {"verdict": "fail"},
        "created_at": NOON,
        "updated_at": NOON + minutes * MINUTE,
    }
    return Annotation.model_validate({**given, **changes})


def answer(value: Value = "fail", trace_id: str = "t1", **changes: Any) -> Answer:
    given = {
        "queue": QUEUE,
        "codebook_version": VERSION,
        "trace_id": trace_id,
        "question": "verdict",
        "value": value,
        "votes": 1,
        "voters": 1,
        "annotators": ("ada@example.org",),
        "method": "majority",
        "revised_at": NOON,
    }
    return Answer.model_validate({**given, **changes})


def score(score_id: str = "s1", trace_id: str = "t1", *, minutes: int = 0, **changes: Any) -> Score:
    given = {
        "score_id": score_id,
        "trace_id": trace_id,
        "name": "human_verdict",
        "data_type": ScoreType.CATEGORICAL,
        "value": "fail",
        "event_at": NOON + minutes * MINUTE,
    }
    return Score.model_validate({**given, **changes})


def eval_due(trace_id: str = "t1", row_id: str = "e1", *, remove: bool = False, tried: bool = False) -> EvalDue:
    return EvalDue(row_id=row_id, queue=QUEUE, codebook_version=VERSION, trace_id=trace_id, remove=remove, tried=tried)


def parked(subject: str = "trace:t1", **changes: Any) -> Parked:
    verb = str(changes.get("verb", "enqueue"))
    given = {
        "parked_id": ids.parked_id(verb, subject),
        "verb": verb,
        "subject": subject,
        "queue": QUEUE,
        "trace_id": "t1",
        "reason": "trace is gone",
        "parked_at": NOON,
    }
    return Parked.model_validate({**given, **changes})


def have_drawn(store: Store, *trace_ids: str, **changes: Any) -> None:
    """Each of the traces is a candidate that the queue drew."""
    store.save_candidates([candidate(trace_id) for trace_id in trace_ids], NOON)
    run = draw_run()
    store.save_draw(run, [draw(trace_id, run, **changes) for trace_id in trace_ids])


def have_queued(store: Store, *trace_ids: str) -> None:
    """Each of the traces is a task, numbered from 1."""
    have_drawn(store, *trace_ids)
    store.save_tasks([task(trace_id, number) for number, trace_id in enumerate(trace_ids, 1)], NOON)


def resolve(
    store: Store,
    *scores: Score,
    trace_id: str = "t1",
    state: State = State.RESOLVED,
    answers: Sequence[Answer] | None = None,
    eval_row: EvalDue | None = None,
) -> int:
    given = [answer(trace_id=trace_id)] if answers is None else answers
    return store.save_resolutions(
        QUEUE, [TraceResolution(trace_id, state=state, answers=given, scores=scores, eval_row=eval_row)], NOON + MINUTE
    )


def state_of(store: Store, trace_id: str = "t1") -> State:
    return next(state for state in State if trace_id in {found.trace_id for found in store.draws(QUEUE, state)})
