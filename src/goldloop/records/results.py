"""What goes to Langfuse and to the golden set, and what is kept aside."""

from enum import StrEnum

from pydantic import Field, JsonValue, SkipValidation

from goldloop.records.base import Record, Utc, Value
from goldloop.records.traces import Document, Message

Metadata = dict[str, SkipValidation[JsonValue]]
"""JSON that was made here, or parsed: to look through it again would take longer than the rest of its record."""


class ScoreType(StrEnum):
    NUMERIC = "NUMERIC"
    CATEGORICAL = "CATEGORICAL"
    BOOLEAN = "BOOLEAN"
    TEXT = "TEXT"


class ScoreConfig(Record):
    """What a Langfuse score config holds: the values that scores of its name may have.

    `categories` are (label, value) of a CATEGORICAL one, `minimum` and `maximum` the bounds of a NUMERIC one, both
    inclusive.
    """

    name: str
    data_type: ScoreType
    categories: tuple[tuple[str, float], ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    description: str | None = None


class Score(Record):
    """A Langfuse score of ours. A revision keeps `score_id` and has a later `event_at`; the server keeps the latest."""

    score_id: str
    trace_id: str
    name: str
    data_type: ScoreType
    value: str | float
    comment: str | None = None
    metadata: Metadata = Field(default_factory=dict)
    environment: str = "default"
    config_id: str | None = Field(default=None, description="the score config that the value keeps to")
    event_at: Utc


MARK = "goldloop"
"""The key in a score's metadata by which goldloop's own are known; it holds `queue@version`."""


class ShownScore(Record):
    """A score as Langfuse shows it. `event_at` is that of the revision, where goldloop wrote it into the metadata."""

    score_id: str
    trace_id: str | None
    name: str
    value: str | float | None
    comment: str | None = None
    metadata: Metadata = Field(default_factory=dict)
    event_at: Utc | None = None


class EvalRow(Record):
    """A line of the golden set: what was asked, what was wrong with the answer, and where the judgement comes from."""

    row_id: str
    dataset: str
    trace_id: str
    input: list[Message]
    context: list[Document]
    output: str
    expected_output: str | None = Field(description="the annotators' correction, where they gave one")
    labels: dict[str, Value]
    severity: str | None = Field(default=None, description="of the worst error that was named")
    note: str | None
    provenance: dict[str, JsonValue]


def labels_in(shown: object, queue: str) -> dict[str, Value] | None:
    """The labels of an eval row as a sink shows it; None for what another hand or another queue has put there."""
    match shown:
        case {"labels": dict(labels), "provenance": {"queue": str(of)}} if of == queue:
            return labels
        case _:
            return None


class Receipt(Record):
    """What a sink says of one write: taken, or refused with a reason."""

    key: str
    accepted: bool
    reason: str = ""


class Parked(Record):
    """Something kept aside: by which verb, why, and what it was. Never a trace's payload."""

    parked_id: str
    verb: str
    subject: str = Field(description="its kind and id: `trace:ID`, `score:ID`, `eval-row:ID`, `task:PROJECT/TASK`, ...")
    queue: str
    trace_id: str | None
    reason: str
    detail: str = ""
    parked_at: Utc
    attempts: int = Field(default=1, ge=1)
