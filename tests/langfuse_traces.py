"""A Langfuse for tests that are about something else: whatever trace is asked for, it has it."""

import json
from typing import Any

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

GONE = "gone"


def serve_traces(server: HTTPServer) -> None:
    """Have the server answer as Langfuse 4.16; each trace's answer stands in its document, and `gone` is none."""
    answers: dict[str, Any] = {
        "/api/public/health": {"status": "OK", "version": "4.16.0"},
        "/api/public/projects": {"data": [{"id": "project", "name": "Project"}]},
    }
    for path, answer in answers.items():
        server.expect_request(path).respond_with_json(answer)
    server.expect_request("/api/public/v2/observations").respond_with_handler(_observation)


def _observation(request: Request) -> Response:
    trace_id = request.args.get("traceId", GONE)
    row = {
        "id": f"{trace_id}-root",
        "traceId": trace_id,
        "type": "SPAN",
        "name": "chat",
        "startTime": "2026-03-02T11:00:00.000Z",
        "endTime": "2026-03-02T11:00:01.000Z",
        "environment": "default",
        "parentObservationId": None,
        "isRootObservation": True,
        "input": json.dumps([{"role": "user", "content": f"How long can I return {trace_id}?"}]),
        "output": json.dumps("Returns are accepted within thirty days."),
        "metadata": {"documents": json.dumps(["Returns are accepted within thirty days."])},
    }
    found = [] if trace_id == GONE else [row]
    return Response(json.dumps({"data": found, "meta": {}}), content_type="application/json")
