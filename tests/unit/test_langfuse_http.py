import json
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from goldloop.adapters.langfuse import Retries
from goldloop.adapters.langfuse.http import Api, ConflictError, MissingError, PageError, TooLargeError
from goldloop.errors import ConfigError, FatalError, GoldloopError, RejectedError, RetryableError
from unit.langfuse_answers import HOST, NO_WAIT, Answers, html, ok

SECRETS = ("sk-unit-secret", "the payload")


def api(*replies: Any, retries: Retries = NO_WAIT) -> tuple[Api, Answers]:
    answers = Answers(*replies)
    return Api(HOST, SecretStr("pk-unit"), SecretStr("sk-unit-secret"), transport=answers, retries=retries), answers


def failure(*replies: Any, method: str = "GET") -> GoldloopError:
    client, _ = api(*replies)
    with pytest.raises(GoldloopError) as raised:
        client.get("v3/scores") if method == "GET" else client.post("ingestion", {"a": "the payload"})
    assert not any(secret in str(raised.value) for secret in SECRETS)
    return raised.value


def test_it_says_who_it_is() -> None:
    client, answers = api(ok({"data": []}))
    client.get("projects", [("environment", "a"), ("environment", "b")])
    (request,) = answers.requests
    assert str(request.url) == f"{HOST}/api/public/projects?environment=a&environment=b"
    assert request.headers["user-agent"].startswith("goldloop/")
    assert request.headers["authorization"] == httpx.BasicAuth("pk-unit", "sk-unit-secret")._auth_header


@pytest.mark.parametrize(
    ("reply", "kind", "says"),
    [
        (ok({"message": "no"}, 401), FatalError, "LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY, and LANGFUSE_HOST"),
        (ok({"message": "no"}, 403), FatalError, "LANGFUSE_SECRET_KEY"),
        (html(404), PageError, f"in place of the Langfuse API at {HOST}"),
        (html(200), PageError, "check LANGFUSE_HOST"),
        (httpx.Response(308, headers={"location": "https://elsewhere"}), FatalError, "set LANGFUSE_HOST"),
        (ok({"message": "gone", "error": "LangfuseNotFoundError"}, 404), MissingError, "404 LangfuseNotFoundError"),
        (ok({"message": "the payload", "error": "the payload too"}, 400), RejectedError, "(400)"),
        (ok({"error": [{"path": ["limit"], "code": "too_big"}]}, 400), RejectedError, "400 limit: too_big"),
        (httpx.Response(400, text="Invalid JSON"), RejectedError, "400"),
        (ok([], 409), ConflictError, "409"),
        (ok({}, 413), TooLargeError, "413"),
        (ok({}, 500), RetryableError, "500"),
        (html(502), RetryableError, "502"),
        (ok({}, 422), RetryableError, "422"),
        (httpx.Response(200, text='{"data": [1, 2'), RetryableError, "damaged"),
        (httpx.Response(200, text='{"data": NaN}'), RetryableError, "damaged"),
        (httpx.Response(200, text="[" * 100_000), RetryableError, "damaged"),
        (httpx.Response(200, content=b'"\xff"'), RetryableError, "damaged"),
        (httpx.ConnectError("refused"), RetryableError, "LANGFUSE_HOST"),
        (httpx.ReadTimeout("slow"), RetryableError, "in time"),
        (httpx.RemoteProtocolError("incomplete body"), RetryableError, "broke off"),
    ],
)
def test_each_failure_says_what_to_do(reply: Any, kind: type[GoldloopError], says: str) -> None:
    error = failure(reply)
    assert type(error) is kind
    assert says in str(error)


def test_a_write_that_is_refused_as_unprocessable_is_not_repeated() -> None:
    assert type(failure(ok({}, 422), method="POST")) is RejectedError


def test_what_may_pass_is_tried_again() -> None:
    client, answers = api(httpx.ConnectError("refused"), ok({}, 503), ok({"data": 1}))
    assert client.get("projects") == {"data": 1}
    assert len(answers.requests) == 3


def test_it_gives_up_after_its_attempts() -> None:
    client, answers = api(ok({}, 503))
    with pytest.raises(RetryableError):
        client.get("projects")
    assert len(answers.requests) == NO_WAIT.attempts


@pytest.mark.parametrize("status", [400, 401, 404, 409, 413])
def test_what_will_not_pass_is_tried_once(status: int) -> None:
    client, answers = api(ok({}, status))
    with pytest.raises(GoldloopError):
        client.post("ingestion", {})
    assert len(answers.requests) == 1


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7.0), ("0", 0.0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0), ("soon", None), ("", None), ("²", None)],
)
def test_the_servers_wish_is_read(header: str, seconds: float | None) -> None:
    reply = httpx.Response(429, headers=[(b"retry-after", header.encode())])
    error = failure(reply)
    assert isinstance(error, RetryableError)
    assert error.retry_after == seconds


def test_the_servers_wish_is_granted_up_to_a_cap() -> None:
    wait = Retries()._wait
    assert wait(RetryableError("Langfuse", "", retry_after=59)) == 59
    assert wait(RetryableError("Langfuse", "", retry_after=3600)) == 60
    assert wait(RetryableError("Langfuse", "")) is True
    assert wait(RejectedError("Langfuse", "")) is False


@pytest.mark.parametrize(
    "host", ["", "langfuse.example", "ftp://x", "https://", "https://a:b@x", "http://x?key=1", "http://x:port"]
)
def test_an_address_that_is_none_is_refused_without_repeating_it(host: str) -> None:
    with pytest.raises(ConfigError, match="LANGFUSE_HOST") as raised:
        Api(host, SecretStr("pk"), SecretStr("sk"))
    assert "a:b" not in str(raised.value)


def test_an_address_may_have_a_path() -> None:
    answers = Answers(ok({}))
    client = Api("http://x:3000/langfuse/ ", SecretStr("pk"), SecretStr("sk"), transport=answers)
    client.get("health")
    assert str(answers.requests[0].url) == "http://x:3000/langfuse/api/public/health"


def test_a_body_is_cleaned_of_what_no_database_takes() -> None:
    client, answers = api(ok({}))
    client.post("ingestion", {"half\ud800": ["nul\x00", float("nan"), float("inf"), 1.5, True, None]})
    assert answers.bodies() == [{"half\ufffd": ["nul\u2400", None, None, 1.5, True, None]}]


@pytest.mark.parametrize("depth", [1, 400])
def test_a_body_may_be_nested_deeply(depth: int) -> None:
    client, answers = api(ok({}))
    client.post("ingestion", json.loads("[" * depth + '"\x7f\x85"' + "]" * depth))
    assert answers.requests[0].content.decode() == "[" * depth + '"\u2421\ufffd"' + "]" * depth


def test_a_list_of_ids_goes_as_it_is() -> None:
    client, answers = api(ok({}))
    client.get("v3/scores", [("id", "a,b"), ("name", "human verdict&x=%2C,ü")])
    assert answers.requests[0].url.query == b"id=a,b&name=human+verdict%26x%3D%252C,%C3%BC"
    assert answers.requests[0].url.params.multi_items() == [("id", "a,b"), ("name", "human verdict&x=%2C,ü")]
