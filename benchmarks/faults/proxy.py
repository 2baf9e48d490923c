"""A proxy before one server that lets requests go wrong: delayed, dropped, refused, cut off, mangled.

Raw sockets and h11, because a client library's server would tidy up: here a connection breaks off in mid-answer.
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Self

import h11

from benchmarks.faults.kinds import Chosen, Fault, Schedule, route
from goldloop.devstack.local_ports import LOOPBACK

Hook = Callable[[str, str], Awaitable[None]]
"""Called with the method and the target, before a request is passed on or before its answer is."""

RETRY_AFTER = "1"
_CHUNK = 65_536
_STATES = (500, 502, 503, 504)
_FORMS = (b"{}", b"[]", b"null", b'"no"', b"{", b"<html>", b'{"data": 5}', b'[{"id": ')
_HOP = {b"connection", b"content-length", b"transfer-encoding", b"keep-alive"}
_SLOWEST_SECONDS = 2.5
_NO_BODY = {204, 304}
_LONG_SECONDS = 20.0


@dataclass(frozen=True)
class _Request:
    head: h11.Request
    body: bytes

    @property
    def method(self) -> str:
        return self.head.method.decode()

    @property
    def target(self) -> str:
        return self.head.target.decode()


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class _GoneError(Exception):
    """One of the two ends broke off, or the fault says so."""


async def _quiet(_method: str, _target: str) -> None:
    """Nothing is to happen."""


class FaultProxy:
    """Listens on a port of its own, in a thread of its own, until the `with` block is left.

    `slow` are the requests that the server itself took long for.
    """

    def __init__(
        self, server: str, port: int, schedule: Schedule, *, before: Hook = _quiet, after: Hook = _quiet
    ) -> None:
        self._server, self._upstream, self._schedule = server, port, schedule
        self._before, self._after = before, after
        self._thread = threading.Thread(target=lambda: asyncio.run(self._listen()), name=f"proxy of {server}")
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop
        self._end: asyncio.Event
        self._open: set[asyncio.Task[None]] = set()
        self.slow: list[str] = []
        self._port = 0

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self._port}"

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()

    async def _listen(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        listening = await asyncio.start_server(self._serve, LOOPBACK, 0)
        self._port = listening.sockets[0].getsockname()[1]
        self._ready.set()
        await self._end.wait()
        listening.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = h11.Connection(h11.SERVER)
        task = asyncio.current_task()
        assert task
        self._open.add(task)  # the loop alone does not keep it
        try:
            while request := await _request(client, reader):
                await self._one(client, writer, request)
                if client.our_state is h11.MUST_CLOSE:
                    break
                client.start_next_cycle()
        except (_GoneError, OSError, h11.RemoteProtocolError, asyncio.IncompleteReadError):
            writer.transport.abort()
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            self._open.discard(task)

    async def _one(self, client: h11.Connection, writer: asyncio.StreamWriter, request: _Request) -> None:
        chosen = self._schedule.choose(self._server, request.method, request.target)
        await self._before(request.method, request.target)
        fault = chosen.fault if chosen else None
        if chosen and (refusal := _refusal(chosen)):
            if chosen.after and fault is Fault.ERROR:
                await self._ask(request)
            await _send(client, writer, refusal)
            return
        if chosen and fault is Fault.DELAY:
            await asyncio.sleep(0.1 + chosen.place)
        if fault is Fault.DROP_BEFORE:
            raise _GoneError
        began = time.monotonic()
        answer = await self._ask(request)
        if time.monotonic() - began > _LONG_SECONDS:
            self.slow.append(f"{route(request.method, request.target)}: {time.monotonic() - began:.0f} s")
        await self._after(request.method, request.target)
        if fault is Fault.DROP_AFTER:
            raise _GoneError
        if chosen and fault is Fault.WRONG_JSON:
            form = _FORMS[int(chosen.place * len(_FORMS))]
            answer = _Answer(200, [(b"content-type", b"application/json")], form)
        await _send(client, writer, answer, chosen)

    async def _ask(self, request: _Request) -> _Answer:
        """The server's answer, over a connection of its own."""
        reader, writer = await asyncio.open_connection(LOOPBACK, self._upstream, limit=1 << 20)
        try:
            server = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
            headers = [(name, value) for name, value in request.head.headers if name not in _HOP | {b"host"}]
            headers += [(b"host", f"{LOOPBACK}:{self._upstream}".encode()), (b"connection", b"close")]
            if request.body or request.method != "GET":
                headers.append((b"content-length", str(len(request.body)).encode()))
            head = h11.Request(method=request.head.method, target=request.head.target, headers=headers)
            writer.write((server.send(head) or b"") + (server.send(h11.Data(data=request.body)) or b""))
            server.send(h11.EndOfMessage())
            await writer.drain()
            return await _answer(server, reader)
        finally:
            writer.close()


async def _request(client: h11.Connection, reader: asyncio.StreamReader) -> _Request | None:
    """The next request of a connection, whole; None where it ends in order."""
    head: h11.Request | None = None
    body: list[bytes] = []
    while True:
        event = client.next_event()
        if event is h11.NEED_DATA:
            client.receive_data(await reader.read(_CHUNK))
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            body.append(bytes(event.data))
        elif isinstance(event, h11.EndOfMessage) and head:
            return _Request(head, b"".join(body))
        else:
            return None


async def _answer(server: h11.Connection, reader: asyncio.StreamReader) -> _Answer:
    head: h11.Response | None = None
    body: list[bytes] = []
    while True:
        event = server.next_event()
        if event is h11.NEED_DATA:
            server.receive_data(await reader.read(_CHUNK))
        elif isinstance(event, h11.Response):
            head = event
        elif isinstance(event, h11.Data):
            body.append(bytes(event.data))
        elif isinstance(event, h11.EndOfMessage) and head:
            kept = [(name, value) for name, value in head.headers if name not in _HOP]
            return _Answer(head.status_code, kept, b"".join(body))
        elif not isinstance(event, h11.InformationalResponse):
            raise _GoneError


def _refusal(chosen: Chosen) -> _Answer | None:
    plain = [(b"content-type", b"text/plain")]
    if chosen.fault is Fault.LIMIT:
        return _Answer(429, [*plain, (b"retry-after", RETRY_AFTER.encode())], b"slow down")
    if chosen.fault is Fault.ERROR:
        return _Answer(_STATES[int(chosen.place * len(_STATES))], plain, b"out of order")
    return None


async def _send(
    client: h11.Connection, writer: asyncio.StreamWriter, answer: _Answer, chosen: Chosen | None = None
) -> None:
    """The answer, as a whole, cut off in the middle, or drop by drop."""
    headers = list(answer.headers)
    if answer.status not in _NO_BODY:
        headers.append((b"content-length", str(len(answer.body)).encode()))
    writer.write(client.send(h11.Response(status_code=answer.status, headers=headers)) or b"")
    fault = chosen.fault if chosen else None
    if chosen and fault is Fault.TRUNCATED:
        writer.write(client.send(h11.Data(data=answer.body[: int(len(answer.body) * chosen.place)])) or b"")
        await writer.drain()
        raise _GoneError
    pieces = [answer.body]
    if chosen and fault is Fault.SLOW:
        size = max(1, len(answer.body) // 5)
        pieces = [answer.body[start : start + size] for start in range(0, len(answer.body), size)]
    for piece in pieces:
        writer.write(client.send(h11.Data(data=piece)) or b"")
        await writer.drain()
        if chosen and fault is Fault.SLOW:
            await asyncio.sleep(_SLOWEST_SECONDS * chosen.place / len(pieces))
    writer.write(client.send(h11.EndOfMessage()) or b"")
    await writer.drain()
