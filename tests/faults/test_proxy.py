"""The fault proxy before a small server: each fault is what it says, and without one nothing shows that it is there."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from benchmarks.faults.kinds import Chosen, Fault, Schedule, route
from benchmarks.faults.proxy import FaultProxy

LONG = "x" * 300_000


class Server(ThreadingHTTPServer):
    """Answers everything with what it was asked; `asked` remembers."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str, str]] = []


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def _any(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
        self.server.asked.append((self.command, self.path, body))
        empty = self.path == "/empty"
        told = b"" if empty else json.dumps({"body": body, "long": LONG}).encode()
        self.send_response(204 if empty else 200)
        self.send_header("X-Seen", self.headers.get("x-sent", ""))
        if not empty:
            self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    do_GET = do_POST = do_DELETE = _any  # noqa: N815 - the library's names

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Always(Schedule):
    """One fault for every request."""

    def __init__(self, chosen: Chosen | None) -> None:
        super().__init__(1, 0.0)
        self.chosen = chosen

    def choose(self, server: str, method: str, target: str) -> Chosen | None:
        return self.chosen


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def asked_through(server: Server, chosen: Chosen | None, method: str = "POST", path: str = "/some") -> httpx.Response:
    with FaultProxy("it", server.server_port, Always(chosen)) as proxy, httpx.Client(base_url=proxy.url) as client:
        return client.request(method, path, content="said", headers={"x-sent": "yes"})


def test_without_a_fault_it_does_not_show(server: Server) -> None:
    with FaultProxy("it", server.server_port, Always(None)) as proxy, httpx.Client(base_url=proxy.url) as client:
        for _ in range(3):  # over one connection
            answer = client.post("/some?a=1", content="said", headers={"x-sent": "yes"})
            assert (answer.status_code, answer.headers["x-seen"]) == (200, "yes")
            assert answer.json() == {"body": "said", "long": LONG}
        assert client.get("/empty").status_code == 204
    assert server.asked == [("POST", "/some?a=1", "said")] * 3 + [("GET", "/empty", "")]


@pytest.mark.parametrize(
    ("fault", "after", "reaches"),
    [
        (Fault.DROP_BEFORE, False, 0),
        (Fault.DROP_AFTER, True, 1),
        (Fault.TRUNCATED, True, 1),
    ],
)
def test_a_connection_that_breaks_off(server: Server, fault: Fault, after: bool, reaches: int) -> None:
    with pytest.raises(httpx.TransportError):
        asked_through(server, Chosen(fault, after, 0.5))
    assert len(server.asked) == reaches


@pytest.mark.parametrize(("after", "reaches"), [(False, 0), (True, 1)])
def test_an_error_before_or_after_the_work(server: Server, after: bool, reaches: int) -> None:
    assert asked_through(server, Chosen(Fault.ERROR, after, 0.0)).status_code == 500
    assert len(server.asked) == reaches


def test_too_many_requests(server: Server) -> None:
    answer = asked_through(server, Chosen(Fault.LIMIT, after=True, place=0.0))
    assert (answer.status_code, answer.headers["retry-after"], server.asked) == (429, "1", [])


def test_wrong_json_comes_with_a_200_after_the_work(server: Server) -> None:
    answer = asked_through(server, Chosen(Fault.WRONG_JSON, after=False, place=0.6), "DELETE")
    assert (answer.status_code, answer.text) == (200, "{")
    assert len(server.asked) == 1


@pytest.mark.parametrize(("fault", "seconds"), [(Fault.DELAY, 0.3), (Fault.SLOW, 0.4)])
def test_slowness(server: Server, fault: Fault, seconds: float) -> None:
    began = time.monotonic()
    assert asked_through(server, Chosen(fault, after=False, place=0.2)).json()["long"] == LONG
    assert time.monotonic() - began >= seconds


def test_a_server_that_is_down(server: Server) -> None:
    server.server_close()
    with pytest.raises(httpx.TransportError):
        asked_through(server, None)


def test_the_schedule_is_the_seeds_and_has_every_kind() -> None:
    targets = [f"/api/tasks/{number}/" for number in range(300)]
    one, same, other = Schedule(5, 0.05), Schedule(5, 0.05), Schedule(6, 0.05)
    drawn = [one.choose("it", "GET", target) for target in targets]
    assert drawn == [same.choose("it", "GET", target) for target in targets]
    assert drawn != [other.choose("it", "GET", target) for target in targets]
    assert set(one.count) == set(Fault)
    # 0.05 * 300 + 0.07 * 10 * (1/10 + ... + 1/309), which is near ln(310/10) = 3.4: about 15 + 2.
    assert 8 <= one.count.total() <= 30
    one.on = False
    assert one.choose("it", "GET", "/") is None


def test_a_route_has_no_ids() -> None:
    assert route("GET", "/api/public/v2/datasets/abc?x=1") == "GET /api/public/v2/datasets/abc"
    assert route("DELETE", "/api/tasks/17/") == "DELETE /api/tasks/*/"
