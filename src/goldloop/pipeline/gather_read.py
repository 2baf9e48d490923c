"""An annotation of Label Studio's, read by the codebook."""

from collections.abc import Sequence

from goldloop import ids
from goldloop.codebook.controls import swapped
from goldloop.codebook.result import from_result, skip_reason
from goldloop.codebook.schema import Codebook
from goldloop.codebook.text import clean
from goldloop.errors import RejectedError
from goldloop.records import Annotation, AnnotationSnapshot, Task


def by_newest(
    codebooks: Sequence[Codebook], task: Task, one: AnnotationSnapshot, shown_output: str, before: Annotation | None
) -> Annotation:
    """Read by the newest version that it satisfies, or as it was before where it did not change since.

    `codebooks` are the versions that share the project, newest first. They differ by what was added, so that the older
    reading is never another one. `RejectedError` where none can read it: the newest says why.
    """
    if before is not None and before.updated_at == one.updated_at:
        codebooks = sorted(codebooks, key=lambda codebook: codebook.version != before.codebook_version)  # stable
    refusal: RejectedError | None = None
    for codebook in codebooks:
        try:
            return _read(codebook, task, one, shown_output)
        except RejectedError as error:
            refusal = refusal or error
    assert refusal is not None
    raise refusal


def _read(codebook: Codebook, task: Task, one: AnnotationSnapshot, shown_output: str) -> Annotation:
    """The annotation parsed; a skip has a reason and no answers, and a correction that changes nothing is none."""
    swap = codebook.pairwise and swapped(task.queue, task.trace_id)
    read = {} if one.skipped else from_result(codebook, one.result, swap=swap)
    answers = {name: clean(value) if isinstance(value, str) else value for name, value in read.items()}
    for question in codebook.questions:
        if question.kind == "correction" and answers.get(question.name) == shown_output.strip():
            del answers[question.name]
    return Annotation(
        key=ids.annotation_key(task.project_id, one.annotation_id),
        queue=task.queue,
        codebook_version=codebook.version,
        trace_id=task.trace_id,
        project_id=task.project_id,
        task_id=task.task_id,
        annotation_id=one.annotation_id,
        annotator=one.annotator,
        answers=answers,
        skipped=one.skipped,
        skip_reason=skip_reason(codebook, one.result) if one.skipped else None,
        created_at=one.created_at,
        updated_at=one.updated_at,
        lead_time_s=one.lead_time_s,
        from_prediction=one.from_prediction,
        edited_by=one.edited_by,
        ground_truth=one.ground_truth,
    )
