"""label-studio-ml's own Flask app, made fit for a network.

What is changed about it: every route but `/health` asks for Basic auth, bodies are checked, errors are JSON without a
traceback, nothing logs a header or a body, `/versions` also answers GET, and no app shares state with another.
"""

import importlib.util
import json
import logging
import time
from collections.abc import Callable
from types import ModuleType
from typing import Annotated, Any, Final, TypeVar

from flask import Flask, Response, g, jsonify, request
from pydantic import BaseModel, BeforeValidator, ValidationError
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import BadRequest, Gone, HTTPException, Unauthorized

from goldloop.bootstrap import Goldloop
from goldloop.codebook.result import MODEL_VERSION
from goldloop.settings import Settings
from ml_backend.basic_auth import Credentials
from ml_backend.model import PrelabelModel, PrelabelModels
from ml_backend.prelabels import Prelabels

BodyT = TypeVar("BodyT", bound=BaseModel)

_log = logging.getLogger(__name__)

BODY_LIMIT: Final = 256 * 1024 * 1024
"""Bytes. Label Studio sends all tasks of a retrieve in one request: some 25,000 of 10 KB."""
HEALTH: Final = "health"

Text = Annotated[str, BeforeValidator(lambda value: "" if value is None else value)]


class _Predict(BaseModel):
    """`/predict`. The other fields (`params` with a login, `force_reload`, ...) mean nothing here."""

    tasks: list[Any]
    project: Text = ""
    label_config: Text = ""


class _Webhook(BaseModel):
    action: Text = ""


def create_app(settings: Settings) -> Flask:
    """The WSGI app. `ConfigError` where a setting is missing or wrong, `RetryableError` where the store is away."""
    credentials = Credentials.of(settings.ml_backend)
    goldloop = Goldloop(settings)
    return serve(Prelabels(goldloop.judge, goldloop.store, goldloop.codebooks, goldloop.clock), credentials)


def serve(prelabels: Prelabels, credentials: Credentials) -> Flask:
    """The WSGI app that serves these prelabels to whoever has these credentials."""
    api: Any = _own_copy("label_studio_ml.api")
    models = PrelabelModels()
    api._manager = models  # noqa: SLF001 - the library's one place for it
    app: Flask = api.init_app(PrelabelModel, prelabels=prelabels)
    app.config["MAX_CONTENT_LENGTH"] = BODY_LIMIT
    app.view_functions.update(_views(prelabels, models))
    app.add_url_rule("/versions", "get_version", methods=["GET"])

    # The library's hooks log headers and bodies, its handlers answer with the text of the error.
    app.before_request_funcs.clear()
    app.after_request_funcs.clear()
    app.error_handler_spec.clear()
    app.before_request(_guard(credentials))
    app.after_request(_note)
    app.register_error_handler(HTTPException, _refuse)
    app.register_error_handler(Exception, _fail)
    return app


def _own_copy(name: str) -> ModuleType:
    """A module of its own from the same source: its globals (an app, a manager) belong to nobody else."""
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _views(prelabels: Prelabels, models: PrelabelModels) -> dict[str, Callable[[], Any]]:
    """By the library's names of its routes, and for all of them: its own views answer errors with tracebacks."""

    def predict() -> Response:
        body = _body(_Predict)
        predictions, model = models.predict(body.tasks, body.project, body.label_config)
        return jsonify({"results": predictions, "model_version": model.model_version})

    def setup() -> Response:
        # The body is not even read: it carries the access token of whoever made the project.
        return jsonify({"model_version": models.fetch().model_version})

    def versions() -> Response:
        return jsonify({"versions": [MODEL_VERSION]})

    def health() -> Response:
        return jsonify({"status": "UP", "judge": prelabels.judge.name, "version": prelabels.judge.version})

    def webhook() -> Response:
        return jsonify(models.webhook(_body(_Webhook).action))

    def train() -> Response:
        raise Gone("Label Studio has not asked by this address since 1.4.1: it sends webhooks.")

    return {
        "_predict": predict,
        "_setup": setup,
        "_train": train,
        "_is_training": lambda: jsonify({"is_training": False}),
        "get_version": versions,
        "metrics": lambda: jsonify({}),
        "webhook": webhook,
        HEALTH: health,
    }


def _body(shape: type[BodyT]) -> BodyT:
    try:
        return shape.model_validate(request.get_json(force=True))
    except ValidationError as error:
        wrong = sorted({".".join(map(str, problem["loc"])) or "the body" for problem in error.errors()})
        raise BadRequest(f"This is not Label Studio's protocol: wrong or missing: {', '.join(wrong)}.") from None


def _guard(credentials: Credentials) -> Callable[[], None]:
    def ask() -> None:
        g.begun = time.monotonic()
        if request.endpoint != HEALTH and not credentials.admit(request.headers.get("Authorization")):
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
    return response


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
