"""What all records are made of."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def _utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("a time without a zone is ambiguous: give it one")
    return value.astimezone(UTC)


Utc = Annotated[datetime, AfterValidator(_utc)]
Probability = Annotated[float, Field(ge=0.0, le=1.0)]
Value = str | float | list[str]
"""An answer's value: a label or a text, a number, or a set of labels in the codebook's order."""


class Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
