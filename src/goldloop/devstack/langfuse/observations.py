"""Observations: rows in, and `GET /api/public/v2/observations` out."""

import base64
import json
import sqlite3
from typing import Any

from goldloop.devstack.langfuse import answers, filters, times
from goldloop.devstack.langfuse.answers import plain
from goldloop.devstack.langfuse.call import Call

_LIMIT_MAX = 1000
_METADATA_CUT = 200
_GROUPS = frozenset({"core", "basic", "time", "io", "metadata", "model", "usage", "prompt", "metrics", "trace_context"})
# What a call without `fields` gets: its two groups, and the metrics beside them.
_DEFAULT_GROUPS = frozenset({"core", "basic"})
_LIGHT_COLUMNS = (
    "trace_id",
    "id",
    "start_ms",
    "end_ms",
    "parent_id",
    "is_root",
    "type",
    "name",
    "level",
    "status_message",
    "version",
    "environment",
    "user_id",
    "session_id",
    "trace_name",
    "release",
    "public",
    "model",
    "prompt_name",
    "prompt_version",
    "completion_start_ms",
    "created_ms",
    "updated_ms",
    "tags",
    "model_parameters",
    "usage",
    "cost",
)
_JSON_COLUMNS = ("tags", "model_parameters", "usage", "cost", "metadata")


def apply(connection: sqlite3.Connection, row: dict[str, Any], visible_ms: int) -> None:
    """Write one observation; the same trace and span id again replaces it, keeping its time of creation."""
    full = {
        **row,
        **{column: json.dumps(row[column]) for column in _JSON_COLUMNS},
        "created_ms": visible_ms,
        "updated_ms": visible_ms,
    }
    names = ", ".join(full)
    values = ", ".join(f":{name}" for name in full)
    changes = ", ".join(f"{name} = excluded.{name}" for name in full if name not in ("trace_id", "id", "created_ms"))
    connection.execute(
        f"INSERT INTO observations ({names}) VALUES ({values})"  # noqa: S608 - names are this module's own
        f" ON CONFLICT (trace_id, id) DO UPDATE SET {changes}",
        full,
    )


def list_many(call: Call) -> dict[str, Any]:
    """One page, newest start first: `{"data": [...], "meta": {"cursor"?}}`."""
    if call.query.get("parseIoAsJson") == "true":
        raise answers.refused("parseIoAsJson=true is no longer supported: input and output are raw strings.")
    limit = call.limit(maximum=_LIMIT_MAX)
    given = call.query.get("fields")
    groups = _groups(given)
    where, parameters = filters.conditions(call)
    cursor = call.query.get("cursor")
    if cursor is not None:
        where.append("(start_ms, trace_id, id) < (?, ?, ?)")
        parameters.extend(_decode(cursor))
    rows = call.store.rows(
        f"SELECT {_columns(groups)} FROM observations"  # noqa: S608 - values are bound
        f" {'WHERE ' + ' AND '.join(where) if where else ''}"
        " ORDER BY start_ms DESC, trace_id DESC, id DESC LIMIT ?",
        (*parameters, limit + 1),
    )
    page = rows[:limit]
    expanded = frozenset((call.query.get("expandMetadata") or "").split(","))
    data = [render(row, groups, call.settings.project_id, expanded=expanded, all_default=given is None) for row in page]
    return {"data": data, "meta": {"cursor": _encode(page[-1])} if len(rows) > limit else {}}


def _groups(given: str | None) -> frozenset[str]:
    if given is None:
        return _DEFAULT_GROUPS
    named = frozenset(name.strip() for name in given.split(",") if name.strip())
    unknown = sorted(named - _GROUPS)
    if unknown:
        raise answers.invalid([answers.not_one_of(["fields"], sorted(_GROUPS))])
    return named | {"core"}


def _columns(groups: frozenset[str]) -> str:
    # Reading long texts only to leave them out would make the lists of a million rows slow.
    heavy = [*(["metadata"] if "metadata" in groups else []), *(["input", "output"] if "io" in groups else [])]
    return ", ".join([*_LIGHT_COLUMNS, *heavy])


def _encode(row: sqlite3.Row) -> str:
    position = {"lastStartTimeTo": times.iso(row["start_ms"]), "lastTraceId": row["trace_id"], "lastId": row["id"]}
    return base64.b64encode(json.dumps(position, separators=(",", ":")).encode()).decode()


def _decode(cursor: str) -> tuple[int, str, str]:
    try:
        position = answers.loads(base64.b64decode(cursor).decode())
        start = times.to_ms(times.parse(position["lastStartTimeTo"]))
        return start, str(position["lastTraceId"]), str(position["lastId"])
    except (ValueError, KeyError, TypeError) as error:
        raise answers.refused("Invalid cursor format") from error


def render(
    row: sqlite3.Row,
    groups: frozenset[str],
    project_id: str,
    *,
    expanded: frozenset[str] = frozenset(),
    all_default: bool = False,
) -> dict[str, Any]:
    """One row with the fields of `groups`; metadata values are cut but for the keys in `expanded`."""
    answer: dict[str, Any] = {
        "id": row["id"],
        "traceId": row["trace_id"],
        "startTime": times.iso(row["start_ms"]),
        "endTime": _iso(row["end_ms"]),
        "projectId": project_id,
        "parentObservationId": row["parent_id"],
        "type": row["type"],
    }
    if "basic" in groups:
        answer |= _basic(row)
    if "time" in groups:
        answer |= {
            "completionStartTime": _iso(row["completion_start_ms"]),
            "createdAt": times.iso(row["created_ms"]),
            "updatedAt": times.iso(row["updated_ms"]),
        }
    if "io" in groups:
        answer |= {"input": row["input"], "output": row["output"]}
    if "metadata" in groups:
        answer["metadata"] = {
            key: value if key in expanded else value[:_METADATA_CUT]
            for key, value in json.loads(row["metadata"]).items()
        }
    if "model" in groups:
        answer |= {
            "model": row["model"],
            "internalModelId": "",
            "modelParameters": json.loads(row["model_parameters"]),
        }
    if "usage" in groups:
        answer |= _usage(row)
    if "prompt" in groups:
        answer |= {
            "promptId": "",
            "promptName": row["prompt_name"],
            "promptVersion": row["prompt_version"],
        }
    if "metrics" in groups or all_default:
        latency = _seconds(row["start_ms"], row["end_ms"])
        # The server has a zero latency as null where the group is asked for by name, and as 0 otherwise.
        answer["latency"] = latency if all_default else latency or None
        answer["timeToFirstToken"] = _seconds(row["start_ms"], row["completion_start_ms"])
    if "trace_context" in groups:
        answer |= {
            "traceName": row["trace_name"],
            "release": row["release"],
            "tags": json.loads(row["tags"]),
        }
    return answer | {"modelId": None, "inputPrice": None, "outputPrice": None, "totalPrice": None}


def _basic(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "name": row["name"],
        "level": row["level"],
        "statusMessage": row["status_message"],
        "version": row["version"],
        "environment": row["environment"],
        "userId": row["user_id"],
        "sessionId": row["session_id"],
        "isRootObservation": bool(row["is_root"]),
        "bookmarked": False,
        "public": bool(row["public"]),
    }


def _usage(row: sqlite3.Row) -> dict[str, Any]:
    usage: dict[str, float] = json.loads(row["usage"])
    cost: dict[str, float] = json.loads(row["cost"])
    return {
        "usageDetails": usage,
        "inputUsage": _sum(usage, "input"),
        "outputUsage": _sum(usage, "output"),
        "totalUsage": usage.get("total", 0),
        "costDetails": cost,
        "inputCost": cost.get("input"),
        "outputCost": cost.get("output"),
        "totalCost": cost.get("total", 0),
        "usagePricingTierId": None,
        "usagePricingTierName": None,
    }


def _sum(usage: dict[str, float], kind: str) -> float:
    return sum(value for key, value in usage.items() if key.startswith(kind))


def _seconds(start_ms: int, end_ms: int | None) -> float | None:
    return None if end_ms is None else plain((end_ms - start_ms) / 1000)


def _iso(ms: int | None) -> str | None:
    return None if ms is None else times.iso(ms)
