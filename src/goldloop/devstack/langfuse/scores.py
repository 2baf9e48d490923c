"""Scores over HTTP: POST and DELETE of /api/public/scores, GET of /api/public/v3/scores."""

import base64
import json
import sqlite3
import uuid
from typing import Any

from goldloop.devstack.langfuse import answers, score_bodies, score_events, times
from goldloop.devstack.langfuse.answers import JsonAnswer, plain
from goldloop.devstack.langfuse.call import Call

_LIMIT_MAX = 100
_GROUPS = ("core", "details", "subject", "annotation")
_LISTS = {
    "id": "id",
    "name": "name",
    "source": "source",
    "dataType": "data_type",
    "environment": "environment",
    "configId": "config_id",
    "queueId": "queue_id",
    "traceId": "trace_id",
    "sessionId": "session_id",
    "observationId": "observation_id",
    "experimentId": "dataset_run_id",
}
_ANY_CASE = ("source", "dataType")
_NOT_SIMULATED = ("value", "valueMin", "valueMax", "authorUserId")


def create(call: Call) -> JsonAnswer:
    """One score to 200 with its id; from version 4.59 on a list, to 202 or 207."""
    if isinstance(call.body, list) and call.settings.takes_score_lists:
        return _create_list(call, call.body)
    issues = score_bodies.check(call.body)
    if issues:
        raise answers.invalid(issues)
    return JsonAnswer({"id": accept(call, [call.body])[0]})


def _create_list(call: Call, bodies: list[Any]) -> JsonAnswer:
    checked = [(body, score_bodies.check(body)) for body in bodies]
    accept(call, [body for body, issues in checked if not issues])
    errors = [{"message": issues[0]["message"]} for _, issues in checked if issues]
    if not errors:
        return JsonAnswer({"message": "Accepted"}, 202)
    counts = {"accepted": len(bodies) - len(errors), "rejected": len(errors)}
    return JsonAnswer({**counts, "errors": errors}, 207)


def accept(call: Call, bodies: list[dict[str, Any]]) -> list[str]:
    """Queue checked bodies under the server's own time; `timestamp` in a body counts for nothing.

    Returns:
        The ids, made up where a body has none.
    """
    # Two posts of one score within a millisecond still have an order.
    first_ms = call.store.next_event_ms(call.now_ms, len(bodies))
    events = [
        score_events.event(body.get("id") or str(uuid.uuid4()), body, first_ms + place)
        for place, body in enumerate(bodies)
    ]
    enqueue(call, events)
    return [event["id"] for event in events]


def enqueue(call: Call, events: list[dict[str, Any]]) -> None:
    call.store.queue("score", events, visible_ms=call.now_ms + round(call.settings.score_lag * 1000))


def delete(call: Call) -> JsonAnswer:
    """202 whether there is such a score or not; it is gone after the lag."""
    lag_ms = round(call.settings.score_lag * 1000)
    call.store.queue("score-deletion", [call.path["score_id"]], visible_ms=call.now_ms + lag_ms)
    return JsonAnswer({"message": "Score deletion queued successfully"}, 202)


def list_many(call: Call) -> dict[str, Any]:
    """One page, newest first: `{"data": [...], "meta": {"limit", "cursor"?}}`."""
    limit = call.limit(maximum=_LIMIT_MAX)
    groups = call.words("fields") or []
    if set(groups) - set(_GROUPS):
        raise answers.invalid([answers.not_one_of(["fields"], _GROUPS)])
    where, parameters = _conditions(call)
    cursor = call.query.get("cursor")
    if cursor is not None:
        where.append("(timestamp_ms, id) < (?, ?)")
        parameters.extend(_decode(cursor))
    rows = call.store.rows(
        "SELECT * FROM scores"  # noqa: S608 - values are bound
        f" {'WHERE ' + ' AND '.join(where) if where else ''} ORDER BY timestamp_ms DESC, id DESC LIMIT ?",
        (*parameters, limit + 1),
    )
    page = rows[:limit]
    meta: dict[str, Any] = {"limit": limit}
    if len(rows) > limit:
        meta["cursor"] = _encode(page[-1])
    return {"data": [render(row, groups, call.settings.project_id) for row in page], "meta": meta}


def _conditions(call: Call) -> tuple[list[str], list[Any]]:
    for name in _NOT_SIMULATED:
        if name in call.query:
            raise answers.not_simulated(f"the parameter {name!r} of v3 scores")
    if "observationId" in call.query and "traceId" not in call.query:
        raise answers.refused("observationId requires traceId")
    where: list[str] = []
    parameters: list[Any] = []
    for name, column in _LISTS.items():
        values = call.words(name)
        if values is not None:
            where.append(f"{column} IN ({', '.join('?' * len(values))})")
            parameters.extend(value.upper() if name in _ANY_CASE else value for value in values)
    start, end = call.moment("fromTimestamp"), call.moment("toTimestamp")
    if start is not None:
        where.append("timestamp_ms >= ?")
        parameters.append(times.bound_ms(start))
    if end is not None:
        where.append("timestamp_ms < ?")
        parameters.append(times.bound_ms(end))
    return where, parameters


def _encode(row: sqlite3.Row) -> str:
    position = {"v": 1, "lastTimestamp": times.iso(row["timestamp_ms"]), "lastId": row["id"]}
    return base64.urlsafe_b64encode(json.dumps(position, separators=(",", ":")).encode()).decode().rstrip("=")


def _decode(cursor: str) -> tuple[int, str]:
    try:
        position = answers.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode())
        return times.to_ms(times.parse(position["lastTimestamp"])), str(position["lastId"])
    except (ValueError, KeyError, TypeError) as error:
        raise answers.refused("Invalid cursor format") from error


def render(row: sqlite3.Row, groups: list[str], project_id: str) -> dict[str, Any]:
    """One score as v3 has it, `value` by its data type."""
    answer: dict[str, Any] = {
        "id": row["id"],
        "projectId": project_id,
        "name": row["name"],
        "source": row["source"],
        "timestamp": times.iso(row["timestamp_ms"]),
        "environment": row["environment"],
        "createdAt": times.iso(row["created_ms"]),
        "updatedAt": times.iso(row["updated_ms"]),
    }
    if "details" in groups:
        answer |= {
            "comment": row["comment"],
            "configId": row["config_id"],
            "metadata": json.loads(row["metadata"]),
        }
    if "annotation" in groups:
        answer |= {"authorUserId": None, "queueId": row["queue_id"]}
    if "subject" in groups:
        answer["subject"] = _subject(row)
    return answer | {"dataType": row["data_type"], "value": _value(row)}


def _subject(row: sqlite3.Row) -> dict[str, Any]:
    if row["observation_id"]:
        return {"kind": "observation", "id": row["observation_id"], "traceId": row["trace_id"]}
    if row["trace_id"]:
        return {"kind": "trace", "id": row["trace_id"]}
    if row["session_id"]:
        return {"kind": "session", "id": row["session_id"]}
    return {"kind": "experiment", "id": row["dataset_run_id"]}


def _value(row: sqlite3.Row) -> Any:
    match row["data_type"]:
        case "NUMERIC":
            return plain(row["number"])
        case "BOOLEAN":
            return bool(row["number"])
        case _:
            return row["string"]
