"""The batch endpoint, `POST /api/public/ingestion`: score events, each answered by its id."""

import json
import uuid
from typing import Any

from goldloop.devstack.langfuse import answers, score_bodies, score_events, scores, times
from goldloop.devstack.langfuse.answers import MISSING, Issue, JsonAnswer
from goldloop.devstack.langfuse.call import Call, bad_time

_SCORE = "score-create"
# Taken, and of no effect on what can be read.
_LOG = "sdk-log"
_NOT_ACCEPTED = (
    'Event type "{kind}" is not accepted by /api/public/ingestion when '
    "LANGFUSE_MIGRATION_V4_WRITE_MODE is events_only. This endpoint only accepts score and log events. "
    "Upgrade the client or integration to a v4-compatible SDK or OTLP ingestion path. As a temporary "
    "migration bridge, set LANGFUSE_MIGRATION_V4_WRITE_MODE=dual on both the web and worker services and "
    "redeploy. Docs: https://langfuse.com/self-hosting/upgrade/upgrade-guides/upgrade-v3-to-v4"
)


def ingest(call: Call) -> JsonAnswer:
    """207 with a success or an error for each event id."""
    body = call.body
    batch = body.get("batch", MISSING) if isinstance(body, dict) else MISSING
    if not isinstance(batch, list):
        issue = answers.wrong_type(["batch"], "array", batch)
        # This endpoint alone has its issues as texts, under "errors".
        raise answers.AnswerError(400, {"message": "Invalid request data", "errors": [issue["message"]]})
    successes: list[dict[str, Any]] = []
    errors: list[dict[str, Any]] = []
    accepted: list[dict[str, Any]] = []
    for event in batch:
        error = _refusal(event)
        if error is not None:
            errors.append(error)
            continue
        successes.append({"id": event["id"], "status": 201})
        if event["type"] == _SCORE:
            scored = event["body"]
            moment = times.to_ms(times.parse(event["timestamp"]))
            accepted.append(score_events.event(scored.get("id") or str(uuid.uuid4()), scored, moment))
    scores.enqueue(call, accepted)
    return JsonAnswer({"successes": successes, "errors": errors}, 207)


def _refusal(event: Any) -> dict[str, Any] | None:
    if not isinstance(event, dict):
        return _error("", "Invalid request data", json.dumps([answers.wrong_type([], "object", event)]))
    given_id = event.get("id")
    event_id = given_id if isinstance(given_id, str) else ""
    kind = event.get("type")
    if kind not in (_SCORE, _LOG):
        return _error(event_id, "Event type not accepted", _NOT_ACCEPTED.format(kind=kind))
    issues = _issues(event)
    return _error(event_id, "Invalid request data", json.dumps(issues)) if issues else None


def _issues(event: dict[str, Any]) -> list[Issue]:
    issues: list[Issue] = []
    if not isinstance(event.get("id"), str):
        issues.append(answers.wrong_type(["id"], "string", event.get("id", MISSING)))
    try:
        times.parse(event["timestamp"])
    except (KeyError, TypeError, ValueError):
        issues.append(bad_time(["timestamp"]))
    if event["type"] == _SCORE:
        found = score_bodies.check(event.get("body", MISSING))
        issues.extend({**issue, "path": ["body", *issue["path"]]} for issue in found)
    return issues


def _error(event_id: str, message: str, error: str) -> dict[str, Any]:
    return {"id": event_id, "status": 400, "message": message, "error": error}
