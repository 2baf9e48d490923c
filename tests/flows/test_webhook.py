"""The receiver over real HTTP: who is let in, how much is read, and that nothing that hangs holds an answer up."""

import random
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings
from pydantic import SecretStr

from builders import ROOT
from flows.webhook import BODY_LIMIT, receiver, wired
from goldloop.devstack.local_ports import LOOPBACK, LocalPorts
from goldloop.errors import ConfigError
from goldloop.settings import WebhookSettings
from webhook_receiver import HEADERS, SECRET, Counting, running, serving

FAST_S = 0.25  # the median of many answers, on a machine that does much else; Label Studio waits for 1 s


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> LocalPorts:
    return LocalPorts(tmp_path_factory.mktemp("ports") / "ports.json", random.Random())  # noqa: S311 - a port is no secret


@pytest.fixture(scope="module")
def wakers() -> list[tuple[str | None, Counting]]:
    return [(None, Counting()), ("safety", Counting())]


@pytest.fixture(scope="module")
def port(ports: LocalPorts, wakers: list[tuple[str | None, Counting]]) -> Iterator[int]:
    """Of the receiver, in this process."""
    number = ports.take("here")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("flows.webhook.CONNECTION_S", 0.5)
        with serving(receiver(SecretStr(SECRET), wakers), number):
            yield number


@pytest.fixture
def client(port: int) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://{LOOPBACK}:{port}", timeout=10, trust_env=False) as made:
        yield made


def raw(port: int, sent: bytes) -> str:
    """What comes back for these bytes, until the other side ends it; the sender stays connected."""
    with socket.create_connection((LOOPBACK, port), timeout=10) as connection:
        connection.sendall(sent)
        received = b""
        try:
            while chunk := connection.recv(65536):
                received += chunk
        except ConnectionResetError:
            pass
        return received.decode()


def heard(wakers: list[tuple[str | None, Counting]]) -> list[int]:
    return [waker.hints for _, waker in wakers]


def head(length: str, secret: str = SECRET) -> bytes:
    return f"POST /label-studio HTTP/1.1\r\nHost: x\r\nX-Goldloop-Secret: {secret}\r\n{length}\r\n\r\n".encode()


@pytest.mark.parametrize(
    ("queue", "more"),
    [({}, [1, 1]), ({"X-Goldloop-Queue": "safety"}, [1, 1]), ({"X-Goldloop-Queue": "answer-quality"}, [1, 0])],
)
def test_a_webhook_is_a_hint_to_who_wakes_its_queue(
    client: httpx.Client, wakers: list[tuple[str | None, Counting]], queue: dict[str, str], more: list[int]
) -> None:
    before = heard(wakers)
    answer = client.post("/label-studio", json={"action": "ANNOTATION_CREATED"}, headers=HEADERS | queue)
    assert (answer.status_code, answer.content) == (204, b"")
    assert [after - earlier for after, earlier in zip(heard(wakers), before, strict=True)] == more


@pytest.mark.parametrize("content", [b"", b"\xff not JSON", b"x" * BODY_LIMIT])
def test_what_a_body_says_does_not_matter(
    client: httpx.Client, wakers: list[tuple[str | None, Counting]], content: bytes
) -> None:
    before = heard(wakers)
    assert client.post("/label-studio", content=content, headers=HEADERS).status_code == 204
    assert heard(wakers) != before


@pytest.mark.parametrize("given", [None, b"", b"wrong", SECRET[:-1].encode(), f"{SECRET}x".encode(), b"\xfc"])
def test_without_the_secret_nothing_is_heard(
    client: httpx.Client, wakers: list[tuple[str | None, Counting]], given: bytes | None
) -> None:
    before = heard(wakers)
    headers = {} if given is None else {b"X-Goldloop-Secret": given}
    answer = client.post("/label-studio", content=b"{}", headers=headers)
    assert answer.status_code == 401
    assert SECRET not in answer.text
    assert heard(wakers) == before


def test_what_is_too_large_is_refused_before_it_is_read(port: int, wakers: list[tuple[str | None, Counting]]) -> None:
    before = heard(wakers)
    assert raw(port, head(f"Content-Length: {BODY_LIMIT + 1}")).startswith("HTTP/1.1 413 ")
    in_chunks = head("Transfer-Encoding: chunked") + f"{BODY_LIMIT + 1:x}\r\n".encode() + b"x" * (BODY_LIMIT + 1)
    assert raw(port, in_chunks).startswith("HTTP/1.1 413 ")
    assert raw(port, head(f"Content-Length: {BODY_LIMIT + 1}", "wrong")).startswith("HTTP/1.1 401 ")
    assert heard(wakers) == before


@pytest.mark.parametrize(
    "sent", [b"", b"POST /label-studio HTTP/1.1\r\nHost:", head("Content-Length: 10") + b"half"], ids=len
)
def test_a_slow_sender_is_cut_off(port: int, wakers: list[tuple[str | None, Counting]], sent: bytes) -> None:
    before = heard(wakers)
    begun = time.monotonic()
    assert raw(port, sent) == ""
    assert time.monotonic() - begun < 5
    assert heard(wakers) == before


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/health", 200), ("GET", "/label-studio", 405), ("POST", "/", 404), ("POST", "/health", 405)],
)
def test_there_is_nothing_else(client: httpx.Client, method: str, path: str, status: int) -> None:
    assert client.request(method, path, headers=HEADERS).status_code == status


def test_no_connection_is_kept(client: httpx.Client) -> None:
    assert client.get("/health").headers["Connection"] == "close"


def test_what_is_not_http_is_answered_so(port: int) -> None:
    assert raw(port, b"\x16\x03\x01\x00\r\n\r\n").startswith("HTTP/1.1 400 ")


@pytest.mark.parametrize(
    ("settings", "api_url", "named"),
    [
        (WebhookSettings(), "http://127.0.0.1:9/api", "GOLDLOOP_WEBHOOK__SECRET"),
        (WebhookSettings(secret=SecretStr(SECRET), deployments=()), "http://127.0.0.1:9/api", "__DEPLOYMENTS is empty"),
        (WebhookSettings(secret=SecretStr(SECRET)), None, "PREFECT_API_URL"),
    ],
)
def test_it_does_not_start_without_what_it_needs(settings: WebhookSettings, api_url: str | None, named: str) -> None:
    with temporary_settings({PREFECT_API_URL: api_url}), pytest.raises(ConfigError, match=named):
        wired(settings)


def test_a_short_secret_is_refused_and_not_shown() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "flows.webhook"],
        cwd=ROOT,
        env={"PATH": "/usr/bin", "GOLDLOOP_WEBHOOK__SECRET": "too-short-123"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 2
    assert ended.stderr.startswith("goldloop: these settings are wrong: GOLDLOOP_WEBHOOK__SECRET: ")
    assert "too-short-123" not in ended.stderr


@pytest.fixture
def hanging() -> Iterator[tuple[str, list[float]]]:
    """A Prefect that takes connections and never answers, and when each came."""
    came: list[float] = []
    with socket.create_server((LOOPBACK, 0)) as listening:
        kept = []

        def take() -> None:
            while True:
                try:
                    kept.append(listening.accept()[0])
                except OSError:  # closed
                    return
                came.append(time.monotonic())

        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        yield f"http://{LOOPBACK}:{listening.getsockname()[1]}/api", came
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(5)
        for connection in kept:
            connection.close()


def test_it_answers_at_once_while_prefect_hangs_and_ends_when_told(
    tmp_path: Path, ports: LocalPorts, hanging: tuple[str, list[float]]
) -> None:
    api_url, came = hanging
    variables = {"PREFECT_API_URL": api_url, "GOLDLOOP_WEBHOOK__QUIET_SECONDS": "0"}
    with running(tmp_path, ports, variables) as one, httpx.Client(trust_env=False) as client:

        def timed(_number: int) -> float:
            begun = time.monotonic()
            assert one.hint(client) == 204
            return time.monotonic() - begun

        timed(0)
        give_up = time.monotonic() + 20
        while not came:
            assert time.monotonic() < give_up, one.told()
            time.sleep(0.05)
        with ThreadPoolExecutor(8) as pool:
            took = list(pool.map(timed, range(1000)))
        print(f"ms: median {statistics.median(took) * 1e3:.1f}, longest {max(took) * 1e3:.0f}")  # noqa: T201 - figures
        assert statistics.median(took) < FAST_S
        assert max(took) < 1.0  # what Label Studio waits
        assert len(came) == 1  # the thousand wait for the one that is under way
        begun = time.monotonic()
        one.process.send_signal(signal.SIGTERM)
        one.process.wait(15)
        assert time.monotonic() - begun < 10
        assert "Traceback" not in one.told()
        assert SECRET not in one.told()
