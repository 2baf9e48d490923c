"""`python -m flows.webhook`: Label Studio's webhooks are received here, and wake the next poll early.

Label Studio sends one while an annotator waits for their submit, gives it a second, and never sends it again. So it is
answered at once, whatever Prefect does, nothing that it says is believed or even read, and none of them is needed: what
is not heard of here is found by the next poll of the schedule.
"""

import asyncio
import hmac
import logging
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from typing import Final

import uvicorn
from prefect.settings import get_current_settings
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from flows.wakes import PrefectRuns, Waker
from goldloop import settings
from goldloop.bootstrap.webhooks import PATH, QUEUE_HEADER, SECRET_HEADER
from goldloop.errors import ConfigError, GoldloopError

BODY_LIMIT: Final = 1_000_000
"""Bytes. What `goldloop webhook connect` has sent is some 30; one set up by hand may carry a task."""
CONNECTION_S: Final = 5.0
"""How long a connection may last from its first byte to its last: Label Studio itself waits for one second."""
STOP_S: Final = 3

_log = logging.getLogger("goldloop.webhook")


class OneRequest(H11Protocol):
    """A connection for one request (each answer closes it), which ends after a while, however slow its sender is."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._deadline = self.loop.call_later(CONNECTION_S, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        self._deadline.cancel()
        super().connection_lost(exc)


def receiver(secret: SecretStr, wakers: Sequence[tuple[str | None, Waker]]) -> Starlette:
    """The ASGI app: each webhook with this secret is a hint for the wakers of its queue, and for those of none.

    One that names no queue is a hint for all. They work while the app does.
    """
    shown = secret.get_secret_value().encode()

    async def label_studio(request: Request) -> Response:
        given = request.headers.get(SECRET_HEADER, "").encode("latin-1")
        if not hmac.compare_digest(given, shown):
            return _refusal(HTTPStatus.UNAUTHORIZED, "Show the secret: goldloop webhook connect tells it Label Studio.")
        try:
            fits = await _runs_out(request)
        except ClientDisconnect:
            fits = False  # nobody hears the answer
        if not fits:
            return _refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "Send it without its payload.")
        told = request.headers.get(QUEUE_HEADER)
        for queue, waker in wakers:
            if told is None or queue in (None, told):
                waker.hint()
        return Response(status_code=HTTPStatus.NO_CONTENT)

    async def health(_request: Request) -> Response:
        return JSONResponse({"status": "UP"})

    @asynccontextmanager
    async def at_work(_app: Starlette) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(waker.keep_on()) for _, waker in wakers]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    return Starlette(
        routes=[Route(PATH, label_studio, methods=["POST"]), Route("/health", health, methods=["GET"])],
        lifespan=at_work,
    )


async def _runs_out(request: Request) -> bool:
    """Whether the body, which is thrown away as it comes, ends within the limit."""
    if int(request.headers.get("Content-Length", 0)) > BODY_LIMIT:  # uvicorn has refused what is no number
        return False
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > BODY_LIMIT:
            return False
    return True


def _refusal(status: HTTPStatus, what_to_do: str) -> Response:
    return JSONResponse({"status": status, "detail": what_to_do}, status_code=status)


def server(app: Starlette, host: str, port: int) -> uvicorn.Server:
    """Not yet listening. Nothing of a request is logged."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            http=OneRequest,
            ws="none",
            lifespan="on",
            headers=[("Connection", "close")],
            server_header=False,
            access_log=False,
            log_config=None,
            log_level="warning",
            timeout_graceful_shutdown=STOP_S,
        )
    )


def wired(webhook: settings.WebhookSettings) -> uvicorn.Server:
    """The server by the settings. `ConfigError` where one is missing."""
    if webhook.secret is None:
        raise ConfigError("GOLDLOOP_WEBHOOK__SECRET is not set: make one, such as by `openssl rand -hex 32`")
    if not webhook.deployments:
        raise ConfigError("GOLDLOOP_WEBHOOK__DEPLOYMENTS is empty: name what to wake, such as run/run, or unset it")
    api_url = get_current_settings().api.url
    if not api_url:  # Prefect would start a server of its own, which knows no deployment
        raise ConfigError("PREFECT_API_URL is not set: set it to the address of Prefect's API, which ends in /api")
    wakers = []
    for named in webhook.deployments:
        queue, _, name = named.rpartition("=")
        runs = PrefectRuns(name, api_url)
        wakers.append((queue or None, Waker(runs, webhook.quiet_seconds, webhook.interval_seconds)))
    return server(receiver(webhook.secret, wakers), webhook.host, webhook.port)


def main() -> None:
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    _log.setLevel(logging.INFO)
    try:
        webhook = settings.load().webhook
        receiving = wired(webhook)
    except GoldloopError as error:
        sys.stderr.write(f"goldloop: {error}\n")
        sys.exit(error.exit_code)
    _log.info("Webhooks are received on %s:%d for %s.", webhook.host, webhook.port, ", ".join(webhook.deployments))
    receiving.run()


if __name__ == "__main__":
    main()
