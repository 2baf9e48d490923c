"""Records for tests: everything has a value, a test names what it is about."""

from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from goldloop import ids
from goldloop.codebook.load import load
from goldloop.codebook.schema import Codebook
from goldloop.records import Annotation, Candidate, Draw, Message, Trace, Value

ROOT = Path(__file__).parent.parent
NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
QUEUE = "answer-quality"


def codebook(**queue_settings: object) -> Codebook:
    """The codebook that ships, with other queue settings where given."""
    shipped = _shipped()
    if not queue_settings:
        return shipped
    queue = shipped.queue.model_validate(shipped.queue.model_dump() | queue_settings)
    return shipped.model_copy(update={"queue": queue})


@cache
def _shipped() -> Codebook:
    # Reading YAML with its lines takes as long as many a whole test; a codebook is frozen, so all can have the one.
    return load(ROOT / "label_configs" / "answer-quality.yaml")


def candidate(trace_id: str, category: str = "returns", user: str | None = None, minutes: int = 0) -> Candidate:
    return Candidate(
        trace_id=trace_id, category=category, user_id=user, timestamp=NOW - timedelta(hours=1, minutes=-minutes)
    )


def trace(trace_id: str = "t1", output: str = "Returns are accepted within 30 days.", **more: object) -> Trace:
    asked = (Message(role="system", content="Be kind."), Message(role="user", content="How long can I return it?"))
    return Trace.model_validate({"trace_id": trace_id, "timestamp": NOW, "messages": asked, "output": output} | more)


def draw(trace_id: str = "t1", version: str = "1.0.0", policy: str = "random", pi: float = 0.25) -> Draw:
    return Draw(
        run_id="run",
        queue=QUEUE,
        codebook_version=version,
        trace_id=trace_id,
        policy=policy,
        mixture={"random": 0.5, "stratified": 0.5},
        pi=pi,
        stratum="returns",
        priority=0,
    )


def annotation(
    annotator: str, verdict: str | None = "pass", *, number: int = 1, minutes: int = 0, **more: object
) -> Annotation:
    """`verdict=None` is a skip; `more` sets further fields, `answers` adds to the verdict."""
    extra = more.pop("answers", {})
    assert isinstance(extra, dict)
    answers: dict[str, Value] = {} if verdict is None else {"verdict": verdict, **extra}
    fields: dict[str, object] = {
        "key": ids.annotation_key(1, number),
        "queue": QUEUE,
        "codebook_version": "1.0.0",
        "trace_id": "t1",
        "project_id": 1,
        "task_id": 1,
        "annotation_id": number,
        "annotator": annotator,
        "answers": answers,
        "skipped": verdict is None,
        "created_at": NOW,
        "updated_at": NOW + timedelta(minutes=minutes),
    }
    return Annotation.model_validate(fields | more)
