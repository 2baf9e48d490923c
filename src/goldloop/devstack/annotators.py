"""Scripted annotators: the ratings of a trace file, played back through Label Studio's API, an account each.

They are never called anything but scripted: their accounts say so, and so does everything that shows what they did.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import httpx
from pydantic import SecretStr

from goldloop.adapters.labelstudio.auth import KeyAuth
from goldloop.codebook.controls import swapped
from goldloop.codebook.result import to_result
from goldloop.codebook.schema import Codebook
from goldloop.devstack.send import trace_id
from goldloop.devstack.tracefile import FileTrace, Rating
from goldloop.errors import RetryableError
from goldloop.ports import TaskQueue
from goldloop.records import TaskSnapshot, Value

_NOT_KEPT = {"Connection": "close"}
"""Label Studio's development server adds 40 ms to each request on a connection that is kept."""

_DOMAIN = "scripted.goldloop.local"


@dataclass(frozen=True)
class Played:
    """What one playback did: annotations and skips that it submitted."""

    annotated: int
    skipped: int


def email(rater: str) -> str:
    """The account that plays a rater."""
    return f"{rater}@{_DOMAIN}"


def raters(traces: Sequence[FileTrace]) -> list[str]:
    """Everyone who rated anything in the file, in the order of their names."""
    return sorted({rating.rater for trace in traces for rating in trace.human.ratings})


def answers_of(codebook: Codebook, rating: Rating) -> dict[str, Value]:
    """A rating in the codebook's words: what it has no label for is left out."""
    answers: dict[str, Value] = {codebook.verdict.name: rating.label}
    if rating.label not in codebook.verdict.failure:
        return answers
    for question in codebook.questions:
        if question.kind == "multi-choice":
            known = [name for name in question.label_names if name in rating.errors]
            if known:
                answers[question.name] = known
        elif question.kind == "correction" and rating.correction:
            answers[question.name] = rating.correction
        elif question.kind == "text" and rating.note:
            answers[question.name] = rating.note
    return answers


def play(
    codebook: Codebook,
    traces: Sequence[FileTrace],
    queue: TaskQueue,
    project_id: int,
    url: str,
    keys: Mapping[str, SecretStr],
    progress: Callable[[int, int | None], None],
) -> Played:
    """Submit every rating of every task that its rater has not submitted yet; raters work side by side."""
    by_trace = {trace_id(trace.id): trace for trace in traces}
    tasks = [task for page in queue.changed_tasks(project_id, None) for task in page.rows]
    work: dict[str, list[tuple[TaskSnapshot, Rating]]] = {rater: [] for rater in keys}
    for task in sorted(tasks, key=lambda task: task.task_id):
        done = {annotation.annotator for annotation in task.annotations}
        trace = by_trace.get(task.trace_id or "")
        for rating in trace.human.ratings if trace else ():
            if email(rating.rater) not in done:
                work[rating.rater].append((task, rating))
    total = sum(map(len, work.values()))
    submitted: list[bool] = []

    def sit_down(rater: str) -> None:
        with httpx.Client(base_url=url, auth=KeyAuth(url, keys[rater]), headers=_NOT_KEPT, timeout=60) as client:
            for task, rating in work[rater]:
                _submit(client, codebook, task, rating)
                submitted.append(rating.skips)
                progress(len(submitted), total)

    with ThreadPoolExecutor(max_workers=max(1, len(work))) as pool:
        list(pool.map(sit_down, work))
    return Played(annotated=submitted.count(False), skipped=submitted.count(True))


def _submit(client: httpx.Client, codebook: Codebook, task: TaskSnapshot, rating: Rating) -> None:
    swap = codebook.pairwise and swapped(codebook.name, task.trace_id or "")
    result = [] if rating.skips else to_result(codebook, answers_of(codebook, rating), swap=swap)
    body = {"result": result, "was_cancelled": rating.skips, "lead_time": rating.task_duration_s}
    try:
        response = client.post(f"/api/tasks/{task.task_id}/annotations/", json=body)
    except httpx.HTTPError as error:
        raise RetryableError(
            "Label Studio", f"a scripted annotation was not taken ({error.__class__.__name__}): run this again"
        ) from None
    if response.is_error:
        raise RetryableError(
            "Label Studio", f"a scripted annotation was refused with {response.status_code}: see Label Studio's log"
        )
