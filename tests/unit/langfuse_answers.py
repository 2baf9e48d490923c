"""A Langfuse that answers what a test wrote down, in order, and remembers what it was asked."""

import json
from collections.abc import Callable
from typing import Any

import httpx
from pydantic import SecretStr

from goldloop.adapters.langfuse import Langfuse, Retries, connect

HOST = "https://langfuse.example"
NO_WAIT = Retries(attempts=3, wait_initial=0, wait_max=0, wait_jitter=0, retry_after_cap=0)

Reply = httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]


def ok(body: Any, status: int = 200, **headers: str) -> httpx.Response:
    return httpx.Response(status, content=json.dumps(body), headers={"content-type": "application/json", **headers})


def html(status: int) -> httpx.Response:
    return httpx.Response(status, content="<!DOCTYPE html>", headers={"content-type": "text/html; charset=utf-8"})


class Answers(httpx.BaseTransport):
    """Each reply serves once; the last one serves for ever."""

    def __init__(self, *replies: Reply) -> None:
        self._replies = list(replies)
        self.requests: list[httpx.Request] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        reply = self._replies[0] if len(self._replies) == 1 else self._replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        answer = reply if isinstance(reply, httpx.Response) else reply(request)
        # One response object cannot be read twice.
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

    def bodies(self) -> list[Any]:
        return [json.loads(request.content) for request in self.requests]

    def connect(self, **given: Any) -> Langfuse:
        keys = SecretStr("pk-unit"), SecretStr("sk-unit-secret")
        return connect(HOST, *keys, transport=self, **{"retries": NO_WAIT, **given})
