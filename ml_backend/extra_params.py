"""What a project can set about its predictions: Label Studio's `extra_params`, sent with each `/setup`."""

import json
import re
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

_NAME = re.compile(r"\w{1,40}", re.ASCII)


class ExtraParams(BaseModel):
    """Of one project."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)

    live: bool = Field(default=True, description="whether tasks without a stored prediction are judged when opened")
    deadline_seconds: Annotated[float, Field(gt=0, le=30)] | None = Field(
        default=None, description="how long a live judgement may take, instead of GOLDLOOP_JUDGE__LIVE_SECONDS"
    )


class ExtraParamsError(ValueError):
    """They are refused, with the names of the fields and never a value."""


def read_extra_params(given: object) -> ExtraParams:
    """None and an empty text stand for none; a text is read as JSON. Raises ExtraParamsError.

    An unknown field is refused, and not passed over: Label Studio asks when they are saved, so whoever misspelled one
    sees it at once, and nothing that worked stops working.
    """
    if isinstance(given, str) and given.strip():
        try:
            given = json.loads(given)
        except ValueError:
            raise ExtraParamsError("extra_params is no JSON") from None
    if given is None or given == "":
        return ExtraParams()
    if not isinstance(given, dict):
        raise ExtraParamsError("extra_params is no JSON object")
    try:
        return ExtraParams.model_validate(given)
    except ValidationError as error:
        wrong = sorted({_shown(str(problem["loc"][0])) for problem in error.errors(include_input=False)})
        known = ", ".join(ExtraParams.model_fields)
        raise ExtraParamsError(f"extra_params: wrong or unknown: {', '.join(wrong)}; known are {known}") from None


def _shown(name: str) -> str:
    return name if _NAME.fullmatch(name) else "a name that is none"
