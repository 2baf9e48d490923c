"""What Label Studio sends, read as far as it is needed.

A retrieve brings all tasks at once, some KB each, and stored predictions need a few words of each: reading just those
takes half the time. Of a `/setup` the access token is not even read.
"""

from collections.abc import Iterator, Sequence
from json import loads
from typing import Any, Final, TypedDict, overload

from pydantic_core import SchemaValidator, ValidationError, from_json
from pydantic_core import core_schema as shape


class NotTheProtocolError(ValueError):
    """A body that Label Studio would not send; the message quotes nothing of it."""


class Predict(TypedDict, total=False):
    """`/predict`, without a login and the like."""

    tasks: list[Any]
    project: str | None
    label_config: str | None


class Setup(TypedDict, total=False):
    """`/setup`."""

    project: str | None
    schema: str | None
    extra_params: Any


class Notice(TypedDict, total=False):
    """A webhook: what happened, and to which project."""

    action: str | None
    project: Any


class Tasks(Sequence[Any]):
    """The tasks of a `/predict`: of each what tells which one it is, and all of them whole for who asks."""

    def __init__(self, heads: list[Any], sent: bytes) -> None:
        self._heads, self._sent = heads, sent

    def __len__(self) -> int:
        return len(self._heads)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._heads)

    @overload
    def __getitem__(self, place: int) -> Any: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Any]: ...
    def __getitem__(self, place: int | slice) -> Any:
        return self._heads[place]

    def whole(self) -> Sequence[Any]:
        """Everything of each."""
        try:
            return list(from_json(self._sent)["tasks"])
        except ValueError:
            return list(loads(self._sent)["tasks"])


def read_predict(sent: bytes) -> tuple[Tasks, str, str]:
    """Tasks, project and label config. Raises NotTheProtocolError."""
    body: Predict = _read(_PREDICT, sent)
    if "tasks" not in body:
        raise NotTheProtocolError("missing: tasks")
    return Tasks(body["tasks"], sent), body.get("project") or "", body.get("label_config") or ""


def read_setup(sent: bytes) -> tuple[str, str, Any]:
    """Project, label config and extra parameters. Raises NotTheProtocolError."""
    body: Setup = _read(_SETUP, sent)
    return body.get("project") or "", body.get("schema") or "", body.get("extra_params")


def read_notice(sent: bytes) -> tuple[str, Any]:
    """What happened, and the project that it happened to. Raises NotTheProtocolError."""
    body: Notice = _read(_NOTICE, sent)
    return body.get("action") or "", body.get("project")


def _fields(**fields: shape.CoreSchema) -> shape.TypedDictSchema:
    """An object's fields; none has to be there, and others are passed over."""
    return shape.typed_dict_schema(
        {name: shape.typed_dict_field(field, required=False) for name, field in fields.items()}
    )


def _or_anything(field: shape.CoreSchema) -> shape.UnionSchema:
    return shape.union_schema([field, _ANYTHING], mode="left_to_right")


def _read(form: SchemaValidator, sent: bytes) -> Any:
    try:
        try:
            return form.validate_json(sent)
        except ValidationError as error:
            # Half of a surrogate pair, which a text can hold, only the standard library's parser takes.
            if error.errors(include_input=False)[0]["type"] != "json_invalid":
                raise
            return form.validate_python(loads(sent))
    except RecursionError:
        fault = "nested too deeply"
    except ValidationError as error:
        problems = error.errors(include_input=False)
        wrong = {str(problem["loc"][0]) if problem["loc"] else "the body" for problem in problems}
        fault = f"wrong: {', '.join(sorted(wrong))}"
    except ValueError:
        fault = "no JSON"
    # Out here, for it would carry the parser's own error with it, and that what was sent.
    raise NotTheProtocolError(fault)


_ANYTHING: Final = shape.any_schema()
_TEXT: Final = shape.nullable_schema(shape.str_schema(strict=True))
_HEAD: Final = _fields(format=_ANYTHING, codebook=_ANYTHING, queue=_ANYTHING, trace_id=_ANYTHING, blind=_ANYTHING)
_TASKS: Final = shape.list_schema(_or_anything(_fields(data=_or_anything(_HEAD))), strict=True)
_PREDICT: Final = SchemaValidator(_fields(tasks=_TASKS, project=_TEXT, label_config=_TEXT))
_SETUP: Final = SchemaValidator(_fields(project=_TEXT, schema=_TEXT, extra_params=_ANYTHING))
_NOTICE: Final = SchemaValidator(_fields(action=_TEXT, project=_ANYTHING))
