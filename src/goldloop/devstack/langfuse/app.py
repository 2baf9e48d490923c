"""The routes, and the one endpoint that stands before all of them."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from goldloop.devstack.langfuse import (
    answers,
    datasets,
    gate,
    ingestion,
    observations,
    otlp,
    pages,
    score_configs,
    scores,
    times,
    worker,
)
from goldloop.devstack.langfuse.answers import AnswerError, JsonAnswer
from goldloop.devstack.langfuse.call import Call, read_json
from goldloop.devstack.langfuse.settings import StandInSettings
from goldloop.devstack.langfuse.storage import Storage

_Handler = Callable[[Call], Response | dict[str, Any]]
_API = "/api/public"
# The endpoint itself answers the methods that a route does not take, as the server words it.
_ANY_METHOD = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]
_JSON_MOST = 9 * 1024 * 1024 // 2
# The web framework under the server's JSON routes limits their bodies; its OTLP route reads larger ones.
_OTLP_MOST = 64 * 1024 * 1024


@dataclass(frozen=True)
class _Route:
    path: str
    methods: Mapping[str, _Handler]
    is_open: bool = False
    is_otlp: bool = False


def health(call: Call) -> dict[str, Any]:
    return {"status": "OK", "version": call.settings.version}


def projects(call: Call) -> dict[str, Any]:
    project = {
        "id": call.settings.project_id,
        "name": call.settings.project_name,
        "organization": {"id": "stand-in-organization", "name": "Stand-in organization"},
        "metadata": {},
    }
    return {"data": [project]}


def traces_in(call: Call) -> dict[str, Any]:
    """OTLP spans; readable after the lag."""
    rows = otlp.read_export(call.body, call.headers.get("content-encoding", ""))
    lag_ms = round(call.settings.observation_lag * 1000)
    call.store.queue("observation", rows, visible_ms=call.now_ms + lag_ms)
    return {}


def gone(_: Call) -> Response:
    raise AnswerError(404, {"message": answers.EVENTS_ONLY})


_GONE = ("traces", "observations", "sessions", "metrics", "v2/scores")
_ROUTES = (
    _Route("/", {"GET": pages.home}, is_open=True),
    _Route("/project/{project_id}/traces/{trace_id:path}", {"GET": pages.trace}, is_open=True),
    _Route(f"{_API}/health", {"GET": health}, is_open=True),
    _Route(f"{_API}/projects", {"GET": projects}),
    _Route(f"{_API}/otel/v1/traces", {"POST": traces_in}, is_otlp=True),
    _Route(f"{_API}/ingestion", {"POST": ingestion.ingest}),
    _Route(f"{_API}/v2/observations", {"GET": observations.list_many}),
    _Route(f"{_API}/v3/scores", {"GET": scores.list_many}),
    _Route(f"{_API}/scores", {"GET": gone, "POST": scores.create}),
    _Route(f"{_API}/scores/{{score_id:path}}", {"GET": gone, "DELETE": scores.delete}),
    _Route(f"{_API}/score-configs", {"GET": score_configs.list_many, "POST": score_configs.create}),
    _Route(f"{_API}/score-configs/{{config_id:path}}", {"GET": score_configs.get, "PATCH": score_configs.patch}),
    _Route(f"{_API}/v2/datasets", {"GET": datasets.list_many, "POST": datasets.create}),
    _Route(f"{_API}/v2/datasets/{{name:path}}", {"GET": datasets.get}),
    _Route(f"{_API}/dataset-items", {"GET": datasets.list_items, "POST": datasets.put_item}),
    _Route(
        f"{_API}/dataset-items/{{item_id:path}}",
        {"GET": datasets.get_item, "DELETE": datasets.delete_item},
    ),
    _Route(f"{_API}/dataset-run-items", {"POST": datasets.create_run_item}),
    *(_Route(f"{_API}/{name}", {"GET": gone}) for name in _GONE),
    *(_Route(f"{_API}/{name}/{{rest:path}}", {"GET": gone}) for name in _GONE),
)


def create_app(settings: StandInSettings) -> FastAPI:
    """The stand-in as an ASGI app. It opens its database at once and closes it at shutdown.

    Where nobody runs the app's lifespan (a test that calls it in its own process), close `app.state.storage` yourself.
    """
    storage = Storage(settings.database)
    limit = gate.RateLimit(settings.rate_limit)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        storage.close()

    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, lifespan=lifespan, redirect_slashes=False)
    app.state.storage = storage
    for route in _ROUTES:
        app.router.add_route(route.path, _endpoint(route, settings, storage, limit), methods=_ANY_METHOD)
    app.add_exception_handler(404, _unknown)
    return app


async def _unknown(_: Request, __: Exception) -> Response:
    return answers.unknown_route()


def _endpoint(
    route: _Route, settings: StandInSettings, storage: Storage, limit: gate.RateLimit
) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        try:
            body = await gate.read_body(request, _OTLP_MOST if route.is_otlp else _JSON_MOST)
            return await run_in_threadpool(_handle, route, request, body, settings, storage, limit)
        except AnswerError as error:
            return error.response()

    return answer


def _handle(
    route: _Route,
    request: Request,
    body: bytes,
    settings: StandInSettings,
    storage: Storage,
    limit: gate.RateLimit,
) -> Response:
    parsed = body if route.is_otlp else read_json(body)
    handler = route.methods.get("GET" if request.method == "HEAD" else request.method)
    if handler is None:
        raise gate.no_method()
    now_ms = times.to_ms(settings.clock())
    # What the mode has switched off is refused before anyone asks who is calling.
    if not route.is_open and handler is not gone:
        gate.check_credentials(request.headers, settings, named=handler is ingestion.ingest)
        if not route.is_otlp:
            limit.take(now_ms)
    worker.settle(storage, now_ms)
    call = Call(
        store=storage,
        settings=settings,
        path=request.path_params,
        query=request.query_params,
        headers=request.headers,
        body=parsed,
        now_ms=now_ms,
    )
    answer = handler(call)
    return answer if isinstance(answer, Response) else JsonAnswer(answer)
