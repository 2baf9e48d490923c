"""What `GET /api/public/v2/observations` selects: simple parameters, and the JSON of `filter`.

A condition of `filter` replaces the simple parameter of the same column; the other parameters stay in force.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from goldloop.devstack.langfuse import answers, times
from goldloop.devstack.langfuse.call import Call

_STRINGS = {
    "id": "id",
    "traceId": "trace_id",
    "type": "type",
    "name": "name",
    "environment": "environment",
    "level": "level",
    "statusMessage": "status_message",
    "version": "version",
    "userId": "user_id",
    "sessionId": "session_id",
    "traceName": "trace_name",
    "model": "model",
    "providedModelName": "model",
    "promptName": "prompt_name",
    "parentObservationId": "parent_id",
}
_TIMES = {"startTime": "start_ms", "endTime": "end_ms"}
_TAGS = {"tags": "tags", "traceTags": "tags"}
_SIMPLE = ("name", "userId", "sessionId", "type", "traceId", "level", "version")

_Condition = tuple[str, list[Any]]
_T = TypeVar("_T")


def conditions(call: Call) -> tuple[list[str], list[Any]]:
    """SQL conditions to be joined by AND, and what to bind.

    Raises:
        AnswerError: 400, a parameter is malformed, or a condition is one that the stand-in does not do.
    """
    advanced = _read(call.query.get("filter"))
    taken = {column for column, _ in advanced}
    simple = [(column, condition) for column, condition in _simple(call) if column not in taken]
    found = [condition for _, condition in [*advanced, *simple]]
    return [sql for sql, _ in found], [value for _, values in found for value in values]


def _simple(call: Call) -> list[tuple[str, _Condition]]:
    found: list[tuple[str, _Condition]] = [
        (_STRINGS[name], (f"{_STRINGS[name]} = ?", [value]))
        for name in _SIMPLE
        if (value := call.query.get(name)) is not None
    ]
    parent = call.query.get("parentObservationId")
    if parent is not None:
        found.append(("parent_id", ("parent_id IS NULL", []) if parent == "" else ("parent_id = ?", [parent])))
    root = call.query.get("isRootObservation")
    if root is not None:
        if root not in ("true", "false"):
            raise answers.invalid([answers.not_one_of(["isRootObservation"], ["true", "false"])])
        found.append(("is_root", ("is_root = ?", [root == "true"])))
    environments = call.query.getlist("environment")
    if environments:
        found.append(("environment", _any_of("environment", environments)))
    start, end = call.moment("fromStartTime"), call.moment("toStartTime")
    if start is not None:
        found.append(("start_ms", ("start_ms >= ?", [times.bound_ms(start)])))
    if end is not None:
        found.append(("start_ms", ("start_ms < ?", [times.bound_ms(end)])))
    return found


def _read(text: str | None) -> list[tuple[str, _Condition]]:
    if not text:
        return []
    try:
        parsed = answers.loads(text)
    except ValueError as error:
        raise answers.refused("Invalid JSON in filter parameter") from error
    if not isinstance(parsed, list):
        raise answers.invalid([answers.wrong_type(["filter"], "array", parsed)])
    return [_condition(each, index) for index, each in enumerate(parsed)]


def _condition(given: Any, index: int) -> tuple[str, _Condition]:
    if not isinstance(given, dict):
        raise answers.invalid([answers.wrong_type(["filter", index], "object", given)])
    kind = str(given.get("type"))
    if kind not in _KINDS:
        raise answers.not_simulated(f"filters of type {kind!r}")
    return _KINDS[kind](str(given.get("column")), str(given.get("operator")), given.get("value"), given)


def _string(column: str, operator: str, value: Any, _: dict[str, Any]) -> tuple[str, _Condition]:
    name = _known(_STRINGS, column, "string")
    return name, (_compare(name, operator, "string"), [_expect(value, str, "string")])


def _compare(name: str, operator: str, kind: str) -> str:
    """A comparison of texts, by case, with nothing special in the text (so no LIKE)."""
    forms = {
        "=": f"{name} = ?",
        "contains": f"instr({name}, ?) > 0",
        "does not contain": f"instr(coalesce({name}, ''), ?) = 0",
        "starts with": f"instr({name}, ?) = 1",
    }
    return _form(forms, operator, kind)


def _string_options(column: str, operator: str, value: Any, _: dict[str, Any]) -> tuple[str, _Condition]:
    name = _known(_STRINGS, column, "stringOptions")
    sql, values = _any_of(name, _strings(value))
    return name, (_form({"any of": sql, "none of": f"NOT coalesce({sql}, 0)"}, operator, "stringOptions"), values)


def _array_options(column: str, operator: str, value: Any, _: dict[str, Any]) -> tuple[str, _Condition]:
    name = _known(_TAGS, column, "arrayOptions")
    wanted = list(dict.fromkeys(_strings(value)))
    sql, values = _any_of("value", wanted)
    matching = f"(SELECT count(DISTINCT value) FROM json_each({name}) WHERE {sql})"  # noqa: S608 - values are bound
    forms = {
        "any of": f"{matching} > 0",
        "none of": f"{matching} = 0",
        "all of": f"{matching} = {len(wanted)}",
    }
    return name, (_form(forms, operator, "arrayOptions"), values)


def _datetime(column: str, operator: str, value: Any, _: dict[str, Any]) -> tuple[str, _Condition]:
    name = _known(_TIMES, column, "datetime")
    try:
        moment = times.parse(_expect(value, str, "string"))
    except ValueError as error:
        raise answers.refused("Invalid datetime in filter parameter") from error
    bound = times.bound_ms(moment) if operator in (">=", "<") else times.to_ms(moment)
    forms = {each: f"{name} {each} ?" for each in (">", "<", ">=", "<=")}
    return name, (_form(forms, operator, "datetime"), [bound])


def _boolean(column: str, operator: str, value: Any, _: dict[str, Any]) -> tuple[str, _Condition]:
    name = _known({"isRootObservation": "is_root"}, column, "boolean")
    form = _form({"=": f"{name} = ?", "<>": f"{name} <> ?"}, operator, "boolean")
    return name, (form, [_expect(value, bool, "boolean")])


def _string_object(column: str, operator: str, value: Any, given: dict[str, Any]) -> tuple[str, _Condition]:
    name = _known({"metadata": "metadata"}, column, "stringObject")
    key = _expect(given.get("key"), str, "string")
    leaf = f"(SELECT value FROM json_each({name}) WHERE key = ?)"  # noqa: S608 - the key is bound
    if operator in ("is set", "is not set"):
        return name, (f"{leaf} IS {'NOT ' if operator == 'is set' else ''}NULL", [key])
    return name, (_compare(leaf, operator, "stringObject"), [key, _expect(value, str, "string")])


def _null(column: str, operator: str, _: Any, __: dict[str, Any]) -> tuple[str, _Condition]:
    name = _known({**_STRINGS, **_TIMES}, column, "null")
    # An unset text is "" in a row, and null to whoever filters.
    unset = f"coalesce({name}, '') = ''"
    return name, (_form({"is null": unset, "is not null": f"NOT ({unset})"}, operator, "null"), [])


_KINDS: dict[str, Callable[[str, str, Any, dict[str, Any]], tuple[str, _Condition]]] = {
    "string": _string,
    "stringOptions": _string_options,
    "arrayOptions": _array_options,
    "datetime": _datetime,
    "boolean": _boolean,
    "stringObject": _string_object,
    "null": _null,
}


def _any_of(name: str, values: list[str]) -> _Condition:
    return f"{name} IN ({', '.join('?' * len(values))})", values


def _known(columns: dict[str, str], column: str, kind: str) -> str:
    if column not in columns:
        raise answers.not_simulated(f"{kind} filters on the column {column!r}")
    return columns[column]


def _form(forms: dict[str, str], operator: str, kind: str) -> str:
    if operator not in forms:
        raise answers.not_simulated(f"the operator {operator!r} of {kind} filters")
    return forms[operator]


def _strings(value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise answers.invalid([answers.wrong_type(["filter", "value"], "array", value)])
    return value


def _expect(value: Any, kind: type[_T], name: str) -> _T:
    if not isinstance(value, kind):
        raise answers.invalid([answers.wrong_type(["filter", "value"], name, value)])
    return value
