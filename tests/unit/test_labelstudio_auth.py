"""Keys of both kinds on the wire."""

import base64
import json

import httpx
import pytest
from pydantic import SecretStr

from goldloop.adapters.labelstudio.auth import KeyAuth, is_refresh_token
from goldloop.errors import FatalError, RetryableError

URL = "http://labels.test"


def jwt(token_type: str) -> str:
    claims = base64.urlsafe_b64encode(json.dumps({"token_type": token_type, "exp": 1}).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJIUzI1NiJ9.{claims}.signature"


REFRESH = jwt("refresh")


class Tokens:
    """A server whose access tokens serve `lives` requests each; the requests as it saw them, credential and path."""

    def __init__(self, *, lives: int = 100, refusal: httpx.Response | None = None) -> None:
        self.seen: list[tuple[str, str]] = []
        self._lives, self._refusal = lives, refusal
        self._issued = self._left = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.seen.append((request.url.path, request.headers.get("authorization", "")))
        if request.url.path == "/api/token/refresh/":
            if self._refusal is not None:
                return self._refusal
            assert json.loads(request.content) == {"refresh": REFRESH}
            self._issued, self._left = self._issued + 1, self._lives
            return httpx.Response(200, json={"access": f"access-{self._issued}"})
        if request.headers["authorization"] != f"Bearer access-{self._issued}" or self._left == 0:
            return httpx.Response(401)
        self._left -= 1
        return httpx.Response(200, content=request.content)

    def client(self) -> httpx.Client:
        return httpx.Client(transport=httpx.MockTransport(self), auth=KeyAuth(URL, SecretStr(REFRESH)), base_url=URL)


def test_a_legacy_token_goes_as_it_is() -> None:
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["authorization"])
        return httpx.Response(401)

    with httpx.Client(transport=httpx.MockTransport(answer), auth=KeyAuth(URL, SecretStr("abc"))) as client:
        assert client.get(URL).status_code == 401
    assert seen == ["Token abc"]


def test_an_access_token_is_got_once_and_used_until_it_runs_out() -> None:
    tokens = Tokens(lives=2)
    with tokens.client() as client:
        answers = [client.post("/api/x", content=f"body {number}") for number in range(3)]
    assert [answer.text for answer in answers] == ["body 0", "body 1", "body 2"]
    assert tokens.seen == [
        ("/api/token/refresh/", ""),
        ("/api/x", "Bearer access-1"),
        ("/api/x", "Bearer access-1"),
        ("/api/x", "Bearer access-1"),
        ("/api/token/refresh/", ""),
        ("/api/x", "Bearer access-2"),
    ]


def test_a_new_access_token_that_is_refused_too_is_not_tried_for_ever() -> None:
    tokens = Tokens(lives=0)
    with tokens.client() as client:
        assert client.get("/api/x").status_code == 401
    assert len(tokens.seen) == 2


def test_a_refused_refresh_token_names_the_setting_and_not_the_token() -> None:
    tokens = Tokens(refusal=httpx.Response(401, json={"detail": "Token is invalid"}))
    with tokens.client() as client, pytest.raises(FatalError, match="LABEL_STUDIO_API_KEY") as caught:
        client.get("/api/x")
    assert REFRESH not in str(caught.value)


@pytest.mark.parametrize(
    "refusal",
    [
        httpx.Response(503),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json={"access": None}),
        httpx.Response(200, json=[]),
    ],
)
def test_a_refresh_that_fails_otherwise(refusal: httpx.Response) -> None:
    with Tokens(refusal=refusal).client() as client, pytest.raises(RetryableError):
        client.get("/api/x")


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (REFRESH, True),
        (jwt("access"), False),
        ("0123456789abcdef0123456789abcdef01234567", False),
        ("a.b.c", False),
        ("a.!!!.c", False),
        ("a.W10.c", False),  # the JSON list []
        ("é.é.é", False),
        ("", False),
    ],
)
def test_a_refresh_token_is_known_by_its_claims(key: str, *, expected: bool) -> None:
    assert is_refresh_token(key) is expected
