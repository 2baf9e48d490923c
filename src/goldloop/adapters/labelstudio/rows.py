"""A row of the task listing as a snapshot."""

from collections.abc import Callable
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError

from goldloop.records import AnnotationSnapshot, TaskOrigin, TaskSnapshot, Utc

INCLUDE: Final = (
    "id,updated_at,created_at,data,total_predictions,"
    "annotations,result,completed_by,updated_by,ground_truth,lead_time,was_cancelled,parent_prediction"
)
"""The fields that the rows below read, of a task and of its annotations. The payload is much of it: `data` holds the
trace's id, and the server can't give one key alone."""


_SHAPE: Final = "goldloop.task/"


class _Person(BaseModel):
    id: int


class _User(_Person):
    email: str | None = None


_USERS: Final = TypeAdapter(Annotated[list[_User], Field(min_length=1)])
"""Whoever asks is one of them."""


class _AnnotationRow(BaseModel):
    model_config = ConfigDict(extra="ignore")

    id: int
    result: list[dict[str, JsonValue]]
    completed_by: int | _Person | None = None
    updated_by: int | None = None
    ground_truth: bool = False
    was_cancelled: bool
    created_at: Utc
    updated_at: Utc
    lead_time: float | None = None
    parent_prediction: int | None = None

    @property
    def person(self) -> int | None:
        return self.completed_by.id if isinstance(self.completed_by, _Person) else self.completed_by

    @property
    def editor(self) -> int | None:
        """Who saved it last, where that is another person; an import names nobody."""
        return None if self.updated_by == self.person else self.updated_by

    @property
    def from_prediction(self) -> bool:
        """Whether it began as a prelabel: it names one, or a part of it says where it comes from."""
        return self.parent_prediction is not None or any(
            str(part.get("origin", "")).startswith("prediction") for part in self.result
        )


class _TaskRow(BaseModel):
    model_config = ConfigDict(extra="ignore")

    id: int
    updated_at: Utc
    data: dict[str, Any]
    total_predictions: int
    annotations: list[_AnnotationRow]


def trace_id(data: Any) -> str | None:
    """The trace that a task's data names; None where it names none."""
    found = data.get("trace_id") if isinstance(data, dict) else None
    return found if isinstance(found, str) and found else None


def _queue(data: dict[str, Any]) -> str | None:
    told = data.get("queue") if str(data.get("format", "")).startswith(_SHAPE) else None
    return told if isinstance(told, str) else None


def emails(users: Any) -> dict[int, str]:
    """Email by id, from the users listing; users without one are left out. Raises: ValidationError."""
    return {user.id: user.email for user in _USERS.validate_python(users) if user.email}


def snapshot(row: dict[str, Any], project_id: int, annotator: Callable[[int | None], str]) -> TaskSnapshot:
    """Raises: ValidationError; see `reason`."""
    task = _TaskRow.model_validate(row)
    return TaskSnapshot(
        task_id=task.id,
        project_id=project_id,
        trace_id=trace_id(task.data),
        queue=_queue(task.data),
        shown_output=output if isinstance(output := task.data.get("output"), str) else "",
        updated_at=task.updated_at,
        predictions=task.total_predictions,
        annotations=tuple(
            AnnotationSnapshot(
                annotation_id=one.id,
                annotator=annotator(one.person),
                result=one.result,
                skipped=one.was_cancelled,
                created_at=one.created_at,
                updated_at=one.updated_at,
                lead_time_s=one.lead_time,
                from_prediction=one.from_prediction,
                edited_by=None if one.editor is None else annotator(one.editor),
                ground_truth=one.ground_truth,
            )
            for one in sorted(task.annotations, key=lambda one: (one.created_at, one.id))
        ),
    )


def origin(row: dict[str, Any], project_id: int) -> TaskOrigin | None:
    """Where the task comes from; None where its data is not of goldloop's shape. Raises: ValidationError."""
    data = row.get("data")
    told = data.get("format") if isinstance(data, dict) else None
    if not isinstance(data, dict) or not isinstance(told, str) or not told.startswith(_SHAPE):
        return None
    # An empty text stands for what was not known when the task was made.
    known = {name: data[name] for name in TaskOrigin.model_fields if data.get(name) not in (None, "")}
    fields = {"task_id": row.get("id"), "project_id": project_id, "created_at": row.get("created_at")}
    return TaskOrigin.model_validate(known | fields)


def reason(error: ValidationError) -> str:
    """Why a row could not be read: the field and the kind of fault, and nothing of its content."""
    first = error.errors(include_input=False, include_context=False, include_url=False)[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['type']}"
