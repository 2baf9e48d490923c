"""Scores of a Langfuse on a test's HTTP server: the batch endpoint and the listing, which a test can spoil."""

import json
import time
from collections.abc import Callable
from typing import Any

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

Answer = Callable[["SmallLangfuse", Request], Response]


class SmallLangfuse:
    """The batch endpoint and the listing, by the server's rule; each of `script` spoils one call of the former."""

    def __init__(self, server: HTTPServer) -> None:
        self.script: list[Answer] = []
        self.always: Answer | None = None
        self.batches: list[list[dict[str, Any]]] = []
        self.at: list[float] = []
        self.stored: dict[str, dict[str, Any]] = {}
        server.expect_request("/api/public/ingestion", method="POST").respond_with_handler(self.ingest)
        server.expect_request("/api/public/v3/scores").respond_with_handler(self.list_scores)

    def ingest(self, request: Request) -> Response:
        self.batches.append(request.get_json()["batch"])
        self.at.append(time.monotonic())
        spoil = self.script.pop(0) if self.script else self.always
        return spoil(self, request) if spoil else self.take(request)

    def take(self, request: Request, statuses: dict[str, int] | None = None) -> Response:
        """Each event by its score's status, 201 where none is named."""
        successes, errors = [], []
        for event in request.get_json()["batch"]:
            status = (statuses or {}).get(event["body"]["metadata"].get("annotator", "answer"), 201)
            if status == 201:
                successes.append({"id": event["id"], "status": 201})
                known = self.stored.get(event["body"]["id"])
                if known is None or known["timestamp"] < event["timestamp"]:
                    self.stored[event["body"]["id"]] = event
            else:
                errors.append({"id": event["id"], "status": status, "message": "no", "error": "no"})
        return as_json({"successes": successes, "errors": errors}, 207)

    def list_scores(self, request: Request) -> Response:
        """By ids or by names."""
        ids, names = (request.args.get(each, "").split(",") for each in ("id", "name"))
        found = [
            event for event in self.stored.values() if event["body"]["id"] in ids or event["body"]["name"] in names
        ]
        return as_json({"data": [self._row(event) for event in found], "meta": {}})

    def _row(self, event: dict[str, Any]) -> dict[str, Any]:
        body: dict[str, Any] = event["body"]
        subject = {"kind": "trace", "id": body["traceId"]}
        return body | {"timestamp": event["timestamp"], "subject": subject}


def as_json(body: Any, status: int = 200, **headers: str) -> Response:
    return Response(json.dumps(body), status, headers, content_type="application/json")
