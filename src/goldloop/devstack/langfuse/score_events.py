"""What becomes of an accepted score: its config, then the merge with what is stored.

The event's timestamp decides, in whole milliseconds: a newer event replaces what it names and the score keeps its first
timestamp, an equal one is ignored, an older one fills only what is empty. A score that its config does not allow is
dropped without a word, as on a real server.
"""

import json
import sqlite3
from typing import Any

from goldloop.devstack.langfuse.score_bodies import TEXT_MAX, is_number

_STRING_TYPES = ("CATEGORICAL", "TEXT", "CORRECTION")


def event(score_id: str, body: dict[str, Any], event_ms: int) -> dict[str, Any]:
    """What is queued for an accepted score."""
    return {"id": score_id, "body": body, "event_ms": event_ms}


def apply(connection: sqlite3.Connection, queued: dict[str, Any], visible_ms: int) -> None:
    body = _resolved(connection, queued["body"])
    if body is None:
        return
    event_ms = queued["event_ms"]
    new = _row(queued["id"], body, event_ms, visible_ms)
    found = connection.execute("SELECT * FROM scores WHERE id = ?", (queued["id"],)).fetchone()
    if found is not None:
        old = dict(found)
        if event_ms == old["event_ms"]:
            return
        merged = _over(new, old) if event_ms > old["event_ms"] else _over(old, new)
        new = merged | {
            "timestamp_ms": min(old["timestamp_ms"], event_ms),
            "created_ms": old["created_ms"],
            "updated_ms": visible_ms,
        }
    complete = {"source": "API", "environment": "default", "metadata": "{}"}
    new |= {name: value for name, value in complete.items() if new[name] is None}
    names = ", ".join(new)
    values = ", ".join(f":{name}" for name in new)
    connection.execute(
        f"INSERT OR REPLACE INTO scores ({names}) VALUES ({values})",  # noqa: S608 - names are this module's own
        new,
    )


def apply_deletion(connection: sqlite3.Connection, score_id: str, _: int) -> None:
    connection.execute("DELETE FROM scores WHERE id = ?", (score_id,))


def resolve(body: dict[str, Any], config: dict[str, Any] | None) -> dict[str, Any] | None:
    """The body with its data type, and its config's name; None where the config does not allow it.

    Args:
        body: an accepted body.
        config: the score config that its configId names, where it names one.
    """
    given = body.get("dataType")
    if config is None:
        data_type = given or ("NUMERIC" if is_number(body["value"]) else "CATEGORICAL")
        name = "output" if data_type == "CORRECTION" else body["name"]
        return body | {"dataType": data_type, "name": name}
    if config["isArchived"] or given not in (None, config["dataType"]) or not _allowed(body["value"], config):
        return None
    return body | {"dataType": config["dataType"], "name": config["name"]}


def _resolved(connection: sqlite3.Connection, body: dict[str, Any]) -> dict[str, Any] | None:
    config_id = body.get("configId")
    if not config_id:
        return resolve(body, None)
    found = connection.execute("SELECT body FROM score_configs WHERE id = ?", (config_id,)).fetchone()
    return None if found is None else resolve(body, json.loads(found["body"]))


def _allowed(value: Any, config: dict[str, Any]) -> bool:
    match config["dataType"]:
        case "NUMERIC":
            low, high = config["minValue"], config["maxValue"]
            return is_number(value) and (low is None or value >= low) and (high is None or value <= high)
        case "BOOLEAN":
            return is_number(value) and value in (0, 1)
        case "CATEGORICAL":
            return value in [category["label"] for category in config["categories"]]
        case _:
            return isinstance(value, str) and 1 <= len(value) <= TEXT_MAX


def _row(score_id: str, body: dict[str, Any], event_ms: int, visible_ms: int) -> dict[str, Any]:
    is_string = body["dataType"] in _STRING_TYPES
    metadata = body.get("metadata")
    return {
        "id": score_id,
        "timestamp_ms": event_ms,
        "event_ms": event_ms,
        "created_ms": event_ms // 1000 * 1000,
        "updated_ms": visible_ms,
        "name": body["name"],
        "source": body.get("source"),
        "data_type": body["dataType"],
        "number": None if is_string else float(body["value"]),
        "string": str(body["value"]) if is_string else None,
        "environment": body.get("environment"),
        "trace_id": body.get("traceId"),
        "observation_id": body.get("observationId"),
        "session_id": body.get("sessionId"),
        "dataset_run_id": body.get("datasetRunId"),
        "config_id": body.get("configId"),
        "queue_id": body.get("queueId"),
        "comment": body.get("comment"),
        "metadata": None if metadata is None else json.dumps(metadata),
    }


def _over(newer: dict[str, Any], older: dict[str, Any]) -> dict[str, Any]:
    """What the newer event names, and from the older one what the newer leaves out; a value is one thing."""
    kept = {name: value for name, value in newer.items() if value is not None}
    return {**older, **kept, "number": newer["number"], "string": newer["string"]}
