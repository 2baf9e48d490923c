"""label-studio-ml's own Flask app, made fit for a network.

What is changed about it: every route but `/health` asks for credentials, bodies are checked, errors are JSON without a
traceback, nothing logs a header or a body, `/versions` also answers GET, and no app shares state with another.
"""

import importlib.util
import json
import logging
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final, TypeVar

from flask import Flask, Response, g, jsonify, request
from pydantic_core import to_json
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import BadRequest, Gone, HTTPException, RequestEntityTooLarge, Unauthorized

from goldloop.bootstrap import Goldloop
from goldloop.bootstrap.backends import PROJECT_HEADER, SECRET_HEADER
from goldloop.codebook.result import MODEL_VERSION
from goldloop.settings import Settings
from ml_backend.basic_auth import Credentials
from ml_backend.extra_params import ExtraParamsError, read_extra_params
from ml_backend.model import PrelabelModel, PrelabelModels
from ml_backend.sent import NotTheProtocolError, read_notice, read_predict, read_setup
from ml_backend.service import Service

ReadT = TypeVar("ReadT")

_log = logging.getLogger(__name__)

BODY_LIMIT: Final = 256 * 1024 * 1024
"""Bytes. Label Studio sends all tasks of a retrieve in one request: some 25,000 of 10 KB."""
NOTICE_LIMIT: Final = 4 * 1024 * 1024
"""Bytes of a `/setup` or a webhook: a label config, or a project and a task."""
DRAINED: Final = 16 * 1024 * 1024
"""Bytes of a body that is too large that are read, and thrown away."""
HEALTH: Final = "health"
WEBHOOK: Final = "webhook"


class _SetupRefusedError(BadRequest):
    """It goes into the status line too: of an answer that is no success Label Studio shows people nothing else."""


def create_app(settings: Settings) -> Flask:
    """The WSGI app. `ConfigError` where a setting is missing or wrong, `RetryableError` where the store is away."""
    credentials = Credentials.of(settings.ml_backend)
    return serve(Service(Goldloop(settings)), credentials)


def serve(service: Service, credentials: Credentials) -> Flask:
    """The WSGI app that gives this service to whoever has these credentials."""
    api: Any = _own_copy("label_studio_ml.api")
    models = PrelabelModels()
    api._manager = models  # noqa: SLF001 - the library's one place for it
    app: Flask = api.init_app(PrelabelModel, service=service)
    app.config["MAX_CONTENT_LENGTH"] = BODY_LIMIT
    app.view_functions.update(_views(service, models, credentials))
    app.add_url_rule("/versions", "get_version", methods=["GET"])

    # The library's hooks log headers and bodies, its handlers answer with the text of the error.
    app.before_request_funcs.clear()
    app.after_request_funcs.clear()
    app.error_handler_spec.clear()
    app.before_request(_guard(credentials))
    app.after_request(_note)
    app.register_error_handler(HTTPException, _refuse)
    app.register_error_handler(Exception, _fail)
    app.extensions["goldloop"] = service
    return app


def _own_copy(name: str) -> ModuleType:
    """A module of its own from the same source: its globals (an app, a manager) belong to nobody else."""
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _views(service: Service, models: PrelabelModels, credentials: Credentials) -> dict[str, Callable[[], Any]]:
    """By the library's names of its routes, and for all of them: its own views answer errors with tracebacks."""

    def predict() -> Response:
        tasks, project, label_config = _sent(read_predict)
        predictions, model = models.predict(tasks, project, label_config)
        answer = to_json({"results": predictions, "model_version": model.model_version}) + b"\n"
        return Response(answer, content_type="application/json")

    def setup() -> Response:
        request.max_content_length = NOTICE_LIMIT
        project, label_config, extra_params = _sent(read_setup)
        try:
            params = read_extra_params(extra_params)
        except ExtraParamsError as error:
            _log.warning("setup of project %.20r refused: %s", project.partition(".")[0], error)
            raise _SetupRefusedError(f"{error}.") from None
        return jsonify({"model_version": models.set_up(project, label_config, params).model_version})

    def versions() -> Response:
        return jsonify({"versions": [MODEL_VERSION]})

    def health() -> Response:
        known = service.health() if credentials.admit(request.headers.get("Authorization")) else {}
        return jsonify({"status": "UP", "model_version": MODEL_VERSION, **known})

    def webhook() -> Response:
        request.max_content_length = NOTICE_LIMIT
        action, project = _sent(read_notice)
        return jsonify(models.webhook(action, {"project": project or request.headers.get(PROJECT_HEADER)}))

    def train() -> Response:
        raise Gone("Label Studio has not asked by this address since 1.4.1: it sends webhooks.")

    return {
        "_predict": predict,
        "_setup": setup,
        "_train": train,
        "_is_training": lambda: jsonify({"is_training": False}),
        "get_version": versions,
        "metrics": lambda: jsonify({}),
        WEBHOOK: webhook,
        HEALTH: health,
    }


def _sent(read: Callable[[bytes], ReadT]) -> ReadT:
    """The request's body; nothing of it stays with the request."""
    try:
        return read(request.get_data(cache=False))
    except NotTheProtocolError as error:
        raise BadRequest(f"This is not Label Studio's protocol: {error}.") from None


def _guard(credentials: Credentials) -> Callable[[], None]:
    def ask() -> None:
        g.begun = time.monotonic()
        if request.endpoint == HEALTH or credentials.admit(request.headers.get("Authorization")):
            return
        if request.endpoint == WEBHOOK and credentials.admit_notice(request.headers.get(SECRET_HEADER)):
            return
        raise Unauthorized(
            "Send the ML backend's user name and password by Basic auth.",
            www_authenticate=WWWAuthenticate("basic", {"realm": "goldloop"}),
        )

    return ask


def _note(response: Response) -> Response:
    if request.endpoint != HEALTH:
        took = time.monotonic() - g.get("begun", time.monotonic())
        _log.info("%s %s -> %d in %.3f s", request.method, request.url_rule or "?", response.status_code, took)
    return response


def _refuse(error: HTTPException) -> Response:
    response = error.get_response()  # it knows its own headers, as WWW-Authenticate
    response.data = json.dumps({"status": error.code, "detail": error.description})
    response.content_type = "application/json"
    if isinstance(error, RequestEntityTooLarge):
        _drain()
    if isinstance(error, _SetupRefusedError):
        response.status = f"{error.code} {error.description}"
    return response


def _drain() -> None:
    """Read on for a while: a connection that is closed on a sender in the middle loses the answer."""
    left = DRAINED
    while left > 0 and (chunk := request.environ["wsgi.input"].read(min(left, 65536))):
        left -= len(chunk)


def _fail(error: Exception) -> Response:
    where = error.__traceback__
    while where is not None and where.tb_next is not None:
        where = where.tb_next
    place = f"{where.tb_frame.f_code.co_filename}:{where.tb_lineno}" if where else "?"
    # Where and of what class, and not its message: that could quote a payload.
    _log.error("%s at %s while answering %s", type(error).__name__, place, request.url_rule or "?")
    response = jsonify({"status": 500, "detail": "The ML backend failed: its log says where."})
    response.status_code = 500
    return response
