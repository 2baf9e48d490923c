"""What a score must look like to be accepted, before its config is looked at."""

import re
import sys
from collections.abc import Callable
from typing import Any, Final

from goldloop.devstack.langfuse import answers
from goldloop.devstack.langfuse.answers import MISSING, Issue

DATA_TYPES: Final = ("NUMERIC", "CATEGORICAL", "BOOLEAN", "TEXT", "CORRECTION")
TEXT_MAX: Final = 500
_SOURCES = ("API", "ANNOTATION")
_ENVIRONMENT = re.compile(r"(?!langfuse)[a-z0-9_-]{1,40}")
_TARGETS = ("traceId", "sessionId", "datasetRunId")
_OPTIONAL_TEXTS = ("id", *_TARGETS, "observationId", "comment", "configId", "queueId")
_TARGET_RULE = (
    "Provide exactly one of the following: traceId (with optional observationId), sessionId or datasetRunId. "
    "ObservationId requires traceId."
)


def check(body: Any) -> list[Issue]:
    """All that is wrong with `body`; empty when it is accepted."""
    if not isinstance(body, dict):
        return [answers.wrong_type([], "object", body)]
    issues = [*_text_issues(body), *_value_issues(body), *_choice_issues(body)]
    # The server looks at how fields fit together only where each is right by itself.
    return issues or [*_target_issues(body), *_annotation_issues(body)]


def is_number(value: Any) -> bool:
    """Whether `value` is a number to JavaScript: no boolean, and no larger than its largest."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _text_issues(body: dict[str, Any]) -> list[Issue]:
    issues = [
        answers.wrong_type([name], "string", body[name])
        for name in _OPTIONAL_TEXTS
        if body.get(name) is not None and not isinstance(body[name], str)
    ]
    name = body.get("name", MISSING)
    if not isinstance(name, str):
        issues.append(answers.wrong_type(["name"], "string", name))
    environment = body.get("environment")
    if environment is not None and not isinstance(environment, str):
        issues.append(answers.wrong_type(["environment"], "string", environment))
    elif environment is not None and not _ENVIRONMENT.fullmatch(environment):
        issues.append(
            answers.custom(
                ["environment"],
                "Only alphanumeric lower case characters, hyphens and underscores are allowed, "
                "and it must not start with 'langfuse'",
            )
        )
    return issues


def _value_issues(body: dict[str, Any]) -> list[Issue]:
    value = body.get("value", MISSING)
    check_value = _VALUE_RULES.get(str(body.get("dataType")), _untyped)
    return check_value(value)


def _number(value: Any) -> list[Issue]:
    return [] if is_number(value) else [answers.wrong_type(["value"], "number", value)]


def _string(value: Any) -> list[Issue]:
    return [] if isinstance(value, str) else [answers.wrong_type(["value"], "string", value)]


def _boolean(value: Any) -> list[Issue]:
    if is_number(value) and value not in (0, 1):
        return [answers.custom(["value"], "Value must be a number equal to either 0 or 1 for data type BOOLEAN")]
    return _number(value)


def _text(value: Any) -> list[Issue]:
    if not isinstance(value, str):
        return _string(value)
    if not value:
        return [answers.too_small(["value"], 1, of="string")]
    return [answers.too_big(["value"], TEXT_MAX, of="string")] if len(value) > TEXT_MAX else []


def _untyped(value: Any) -> list[Issue]:
    if is_number(value) or isinstance(value, str):
        return []
    return [answers.union(["value"], [[answers.wrong_type([], kind, value)] for kind in ("number", "string")])]


_VALUE_RULES: dict[str, Callable[[Any], list[Issue]]] = {
    "NUMERIC": _number,
    "BOOLEAN": _boolean,
    "CATEGORICAL": _string,
    "TEXT": _text,
    "CORRECTION": _string,
}


def _choice_issues(body: dict[str, Any]) -> list[Issue]:
    return [
        answers.not_one_of([name], values)
        for name, values in (("dataType", DATA_TYPES), ("source", _SOURCES))
        if body.get(name) is not None and body[name] not in values
    ]


def _target_issues(body: dict[str, Any]) -> list[Issue]:
    given = [name for name in _TARGETS if body.get(name)]
    stray_observation = bool(body.get("observationId")) and given != ["traceId"]
    if len(given) == 1 and not stray_observation:
        return []
    return [answers.custom([*_TARGETS, "observationId"], _TARGET_RULE)]


def _annotation_issues(body: dict[str, Any]) -> list[Issue]:
    needs_config = body.get("source") == "ANNOTATION" and body.get("dataType") != "CORRECTION"
    if not needs_config or body.get("configId"):
        return []
    return [answers.custom(["configId"], "configId is required when source is ANNOTATION")]
