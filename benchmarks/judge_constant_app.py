"""The raw ceiling of the ML backend: a Flask app with the same auth that reads the same JSON and answers a constant.

gunicorn serves it in the backend's environment; GOLDLOOP_BENCH_CONSTANT names a file with the predictions to answer.
"""

import json
import os
from pathlib import Path
from typing import Any

from flask import Flask, Response, abort, jsonify, request

from goldloop.settings import load
from ml_backend.basic_auth import Credentials

app = Flask(__name__)
_credentials = Credentials.of(load().ml_backend)
_predictions: list[dict[str, Any]] = json.loads(Path(os.environ["GOLDLOOP_BENCH_CONSTANT"]).read_text(encoding="utf-8"))


def _ask() -> None:
    if request.endpoint != "_health" and not _credentials.admit(request.headers.get("Authorization")):
        abort(401)


def _health() -> Response:
    return jsonify({"status": "UP"})


def _predict() -> Response:
    asked = request.get_json(force=True)
    return jsonify({"results": _predictions[: len(asked["tasks"])], "model_version": "goldloop"})


app.before_request(_ask)
app.add_url_rule("/health", view_func=_health, methods=["GET"])
app.add_url_rule("/predict", view_func=_predict, methods=["POST"])
