"""What Langfuse answers, row by row: strict about the fields that goldloop reads, blind to all others."""

import math
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from goldloop.codebook.text import clean


def _text(value: Any) -> Any:
    if value is None:
        return ""
    return clean(value) if isinstance(value, str) else value


def _optional(value: Any) -> Any:
    return (clean(value) if isinstance(value, str) else value) or None


def _time(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError("not a time")  # noqa: TRY004 - pydantic turns only ValueError into a validation error
    try:
        moment = datetime.fromisoformat(value)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except OverflowError as error:
        raise ValueError("not a time") from error


def _optional_time(value: Any) -> Any:
    return None if value in (None, "") else _time(value)


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def _number_or_text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else _optional(value)


def _list(value: Any) -> Any:
    return [] if value is None else value


def _object(value: Any) -> Any:
    return {} if value is None else value


Text = Annotated[str, BeforeValidator(_text)]
OptionalText = Annotated[str | None, BeforeValidator(_optional)]
Id = Annotated[str, Field(min_length=1), BeforeValidator(_text)]
Time = Annotated[datetime, BeforeValidator(_time)]
OptionalTime = Annotated[datetime | None, BeforeValidator(_optional_time)]
Number = Annotated[float | None, BeforeValidator(_number)]


class Wire(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", frozen=True, alias_generator=to_camel)


class ObservationHead(Wire):
    """Of a row of `GET /v2/observations` what tells whether its trace is worth drawing.

    What was not asked for by `fields` has its default.
    """

    id: Id
    trace_id: Id
    start_time: Time
    name: Text = ""
    environment: Text = ""
    version: OptionalText = None
    user_id: OptionalText = None
    session_id: OptionalText = None
    trace_name: OptionalText = None
    release: OptionalText = None
    tags: Annotated[list[Text], BeforeValidator(_list)] = Field(default_factory=list)
    model: OptionalText = None
    prompt_name: OptionalText = None
    prompt_version: Annotated[str | None, BeforeValidator(_number_or_text)] = None
    metadata: Annotated[dict[str, Any], BeforeValidator(_object)] = Field(default_factory=dict)
    input: Any = None


class Observation(ObservationHead):
    """The row, as a payload is assembled from it; `input` and `output` are on current servers raw strings."""

    end_time: OptionalTime = None
    updated_at: OptionalTime = None
    parent_observation_id: OptionalText = None
    is_root_observation: bool | None = None
    type: Text = ""
    total_cost: Number = None
    output: Any = None

    @property
    def is_root(self) -> bool:
        return self.parent_observation_id is None if self.is_root_observation is None else self.is_root_observation


class Subject(Wire):
    """What a score is about: `kind` is trace, observation, session or experiment."""

    kind: Text
    id: Id
    trace_id: OptionalText = None

    @property
    def of_trace(self) -> str | None:
        return self.id if self.kind == "trace" else self.trace_id


class ScoreRow(Wire):
    """A row of `GET /v3/scores`; `value` is a number, a boolean or a text, as `data_type` says."""

    id: Id
    name: Text
    data_type: Text
    value: Any = None
    timestamp: Time
    subject: Subject | None = None
    metadata: Any = None


class DatasetItem(Wire):
    """A row of `GET /dataset-items`, and what an upsert answers."""

    id: Id
    dataset_name: str
    status: Text
    source_trace_id: OptionalText = None
    input: Any = None
    expected_output: Any = None
    metadata: Any = None


def reason(error: ValidationError) -> str:
    """Which field is wrong and how, without its value."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "row"
    return f"{where}: {first['type']}"
