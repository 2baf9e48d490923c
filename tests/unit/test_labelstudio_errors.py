"""What leaves the adapter when something goes wrong: goldloop's errors, with no secret and no payload in them."""

import json
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from goldloop.adapters.labelstudio import LabelStudio, Retries, connect
from goldloop.adapters.labelstudio.accounts import sign_up
from goldloop.adapters.labelstudio.backends import connect_backend
from goldloop.adapters.labelstudio.faults import RefusedTasksError
from goldloop.errors import ConfigError, FatalError, RejectedError, RemoteError, RetryableError
from goldloop.ports import ProjectDraft, TaskDraft

URL = "http://labels.test"
KEY = "the-secret-key"
PAYLOAD = "what a user wrote"
AT_ONCE = Retries(attempts=3, wait_initial=0.0, wait_max=0.0, wait_jitter=0.0)

Answer = Callable[[httpx.Request], httpx.Response]


class Wire:
    """Answers with `answer`, or one after the other of a list, and counts; a list's last answer stays."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.requests: list[httpx.Request] = []
        self._answers = answers

    def __call__(self, request: httpx.Request) -> httpx.Response:
        answer = self._answers[min(len(self.requests), len(self._answers) - 1)]
        self.requests.append(request)
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)


def queue(answer: Answer, *, url: str = URL, retries: Retries = AT_ONCE) -> LabelStudio:
    return connect(url, SecretStr(KEY), transport=httpx.MockTransport(answer), retries=retries)


def refusal(status: int, **body: Any) -> httpx.Response:
    return httpx.Response(status, json={"id": "x", "status_code": status, "version": "1.23.2", **body})


DRAFT = TaskDraft(trace_id="aa", data={"output": PAYLOAD})
PROJECT = ProjectDraft(title="t" * 60, description="", instruction="", label_config="<View/>", annotations_per_task=1)

READS: dict[str, Callable[[LabelStudio], Any]] = {
    "listing": lambda it: it.task_count(1),
    "project": lambda it: it.ensure_project(PROJECT, 7),
    "found project": lambda it: it.find_project("t", 7),
    "changed project": lambda it: it.update_project(7, PROJECT),
}
WRITES: dict[str, Callable[[LabelStudio], Any]] = {
    "import": lambda it: it.import_tasks(1, [DRAFT]),
}
CALLS = {**READS, **WRITES}
BROKEN: list[tuple[httpx.Response | Exception, type[RemoteError], str]] = [
    (refusal(401, detail="Invalid token."), FatalError, "LABEL_STUDIO_API_KEY"),
    (refusal(403, detail=PAYLOAD), FatalError, "LABEL_STUDIO_API_KEY"),
    (refusal(400, detail=PAYLOAD, validation_errors={"title": [PAYLOAD]}), RejectedError, "title"),
    (refusal(409, detail=PAYLOAD), RejectedError, "409"),
    (httpx.Response(413, text=PAYLOAD), RejectedError, "413"),
    (refusal(429), RetryableError, "429"),
    (refusal(500, detail=PAYLOAD), RetryableError, "500"),
    (httpx.Response(502, text=f"<html>{PAYLOAD}"), RetryableError, "502"),
    (httpx.Response(301, headers={"location": "https://labels.test"}), FatalError, "LABEL_STUDIO_URL"),
    (httpx.Response(200, text=f"<html>{PAYLOAD}"), RetryableError, "LABEL_STUDIO_URL"),
    (httpx.ConnectError(PAYLOAD), RetryableError, "LABEL_STUDIO_URL"),
    (httpx.ConnectTimeout(PAYLOAD), RetryableError, "LABEL_STUDIO_URL"),
    (httpx.ReadTimeout(PAYLOAD), RetryableError, "in time"),
    (httpx.RemoteProtocolError(PAYLOAD), RetryableError, "broke off"),
    (httpx.DecodingError(PAYLOAD), RetryableError, "LABEL_STUDIO_URL"),
]


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
@pytest.mark.parametrize(("answer", "expected", "says"), BROKEN)
def test_a_failure_is_one_of_ours(
    call: Callable[[LabelStudio], Any],
    answer: httpx.Response | Exception,
    expected: type[RemoteError],
    says: str,
) -> None:
    with pytest.raises(RemoteError, match=says) as caught:
        call(queue(Wire(answer)))
    assert isinstance(caught.value, expected)
    assert caught.value.server == "Label Studio"
    for hidden in (KEY, PAYLOAD):
        assert hidden not in str(caught.value)


@pytest.mark.parametrize("call", READS.values(), ids=READS.keys())
def test_a_read_is_tried_again(call: Callable[[LabelStudio], Any]) -> None:
    wire = Wire(refusal(500))
    with pytest.raises(RetryableError):
        call(queue(wire))
    assert len(wire.requests) == AT_ONCE.attempts


@pytest.mark.parametrize(
    "answer",
    [refusal(500), refusal(429), httpx.Response(200, text="{"), httpx.ReadTimeout(""), httpx.ConnectError("")],
)
def test_a_write_is_never_tried_again(answer: httpx.Response | Exception) -> None:
    wire = Wire(answer)
    with pytest.raises(RetryableError):
        queue(wire).import_tasks(1, [DRAFT])
    assert len(wire.requests) == 1


def test_only_label_studio_itself_can_say_that_a_project_is_gone() -> None:
    """What a proxy says while the server is away must not count as the deletion of all tasks."""
    with pytest.raises(RejectedError) as gone:
        queue(Wire(refusal(404, detail="No Project matches the given query."))).peek(1)
    assert gone.value.reason == "not found"
    for answer in (httpx.Response(404, text="<html>no such route</html>"), httpx.Response(404, json=[])):
        with pytest.raises(RetryableError, match="LABEL_STUDIO_URL"):
            queue(Wire(answer)).peek(1)


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("Sat, 21 Nov 2026 20:28:34 GMT", datetime(2026, 11, 21, 20, 28, 34, tzinfo=UTC)),
        ("Sat, 21 Nov 2026 20:28:34 -0000", datetime(2026, 11, 21, 20, 28, 34, tzinfo=UTC)),
        ("half past eight", None),
        (None, None),
    ],
)
def test_a_peek_tells_the_servers_own_time_where_it_can(date: str | None, expected: datetime | None) -> None:
    body = {"tasks": [{"id": 7, "updated_at": "2026-11-21T20:27:23.587549Z"}], "total": 5}
    wire = Wire(httpx.Response(200, json=body, headers={} if date is None else {"Date": date}))
    peek = queue(wire).peek(1)
    assert (peek.count, peek.at) == (5, expected)
    assert peek.newest == datetime(2026, 11, 21, 20, 27, 23, 587549, tzinfo=UTC)
    assert len(wire.requests) == 1


def test_a_read_that_works_the_second_time_is_a_success() -> None:
    wire = Wire(refusal(503), httpx.ConnectError(""), httpx.Response(200, json={"tasks": [], "total": 5}))
    assert queue(wire).task_count(1) == 5


def test_the_wait_is_the_servers_wish_up_to_a_bound() -> None:
    wire = Wire(
        httpx.Response(429, headers={"retry-after": "3600"}), httpx.Response(200, json={"tasks": [], "total": 0})
    )
    waits = Retries(attempts=2, wait_initial=30.0, wait_jitter=0.0, retry_after_cap=0.0)
    assert queue(wire, retries=waits).task_count(1) == 0
    with pytest.raises(RetryableError) as caught:
        queue(Wire(httpx.Response(429, headers={"retry-after": "7"}))).import_tasks(1, [DRAFT])
    assert caught.value.retry_after == 7.0


def test_an_import_that_is_refused_names_places_and_quotes_nothing() -> None:
    lines: list[Any] = [{}, f"Error at item 1: \"output\" key is expected :: {{'data': {PAYLOAD!r}}}", {}]
    with pytest.raises(RefusedTasksError, match="number 2") as caught:
        queue(Wire(refusal(400, validation_errors={"non_field_errors": lines}))).import_tasks(1, [DRAFT] * 3)
    assert caught.value.places == [1]
    assert PAYLOAD not in str(caught.value)


def test_an_import_without_all_its_ids_has_to_be_looked_up() -> None:
    with pytest.raises(RetryableError, match="look them up"):
        queue(Wire(httpx.Response(201, json={"task_count": 2, "task_ids": [5]}))).import_tasks(1, [DRAFT, DRAFT])


@pytest.mark.parametrize("value", ["\ud800", float("nan")])
def test_what_json_can_not_hold_is_rejected_before_it_is_sent(value: str | float) -> None:
    wire = Wire(refusal(500))
    with pytest.raises(RejectedError, match="aa"):
        queue(wire).import_tasks(1, [TaskDraft.model_construct(trace_id="aa", data={"output": value}, prediction=None)])
    assert wire.requests == []


def test_only_our_key_is_sent_through_the_sdk_too() -> None:
    wire = Wire(httpx.Response(201, json={"task_ids": [5]}))
    assert queue(wire).import_tasks(3, [DRAFT]) == [5]
    (request,) = wire.requests
    assert request.headers["authorization"] == f"Token {KEY}"
    assert (request.url.path, request.url.params["return_task_ids"]) == ("/api/projects/3/import", "true")
    assert json.loads(request.content) == [{"data": {"output": PAYLOAD, "trace_id": "aa"}}]


@pytest.mark.parametrize("url", ["", "labels.test", "ftp://labels.test", "http://", "http://u:p@labels.test"])
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(ConfigError, match="LABEL_STUDIO_URL") as caught:
        connect(url, SecretStr(KEY))
    assert "u:p" not in str(caught.value)


@pytest.mark.parametrize("key", ["", "secret\n", "sécret"])
def test_a_key_that_is_none(key: str) -> None:
    with pytest.raises(ConfigError, match="LABEL_STUDIO_API_KEY") as caught:
        connect(URL, SecretStr(key))
    assert "cret" not in str(caught.value)


def test_an_address_with_a_path_is_kept() -> None:
    wire = Wire(httpx.Response(200, json={"tasks": [], "total": 0}))
    queue(wire, url="https://labels.test/team/").task_count(1)
    assert wire.requests[0].url.path == "/team/api/tasks/"
    assert wire.requests[0].headers["connection"] == "keep-alive"


class TestCheck:
    @pytest.mark.parametrize("release", ["1.19.0", "2.0.0", "2.24.0-1", "0.9"])
    def test_an_unsupported_version(self, release: str) -> None:
        with pytest.raises(FatalError, match=r"1\.20"):
            queue(Wire(httpx.Response(200, json={"release": release}))).check()

    @pytest.mark.parametrize("release", ["1.20.0", "1.23.2", "1.99.0.post1"])
    def test_a_supported_one(self, release: str) -> None:
        wire = Wire(httpx.Response(200, json={"release": release}), httpx.Response(200, json={"id": 1}))
        assert queue(wire).check() == release
        assert [request.headers.get("authorization") for request in wire.requests] == [None, f"Token {KEY}"]

    @pytest.mark.parametrize(
        "answer",
        [
            httpx.Response(404, text="no"),
            httpx.Response(200, text="<html>"),
            httpx.Response(200, json=[]),
            httpx.Response(200, json={}),
        ],
    )
    def test_something_else_than_label_studio(self, answer: httpx.Response) -> None:
        with pytest.raises(FatalError, match="LABEL_STUDIO_URL"):
            queue(Wire(answer)).check()

    def test_legacy_tokens_switched_off(self) -> None:
        off = "Authentication token no longer valid: legacy token authentication has been disabled"
        wire = Wire(httpx.Response(200, json={"release": "1.23.2"}), refusal(401, detail=off))
        with pytest.raises(FatalError, match=r"legacy tokens off.*personal access token"):
            queue(wire).check()

    def test_a_server_that_is_down_is_asked_once(self) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))  # bound, not listening: connections are refused
            down = connect(f"http://127.0.0.1:{taken.getsockname()[1]}", SecretStr(KEY))
            with pytest.raises(RetryableError, match="LABEL_STUDIO_URL"):
                down.check()
            down.close()


def test_a_sign_up_on_a_server_that_is_down() -> None:
    wire = Wire(httpx.ConnectError(""))
    with pytest.raises(RetryableError, match="LABEL_STUDIO_URL"):
        sign_up(URL, SecretStr(KEY), "a@b.c", SecretStr("pass"), transport=httpx.MockTransport(wire))


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (403, {"detail": "URL resolves to a reserved network address (block: 10.0.0.0/8)"}, "protection"),
        (400, {"validation_errors": {"non_field_errors": ["Successfully connected to u but ..."]}}, "/setup"),
    ],
)
def test_a_backend_that_label_studio_does_not_take(status: int, body: dict[str, Any], says: str) -> None:
    wire = Wire(httpx.Response(200, json=[]), refusal(status, **body))
    made = connect_backend(queue(wire), 1, "http://10.0.0.1:9090", "judge", "ml", SecretStr("secret"))
    assert not made
    assert says in made.reason
