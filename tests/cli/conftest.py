"""A terminal in an empty folder: a store of its own, the codebook that ships, and no setting of this machine's."""

import os
import shutil
import socket
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import stamina
from pytest_httpserver import HTTPServer
from stamina.instrumentation import set_on_retry_hooks

from builders import ROOT
from cli import terminal
from cli.terminal import SECRET, Goldloop
from goldloop.devstack.local_ports import LOOPBACK


@pytest.fixture
def goldloop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Goldloop]:
    for name in os.environ:
        if name.startswith(("GOLDLOOP_", "LANGFUSE_", "LABEL_STUDIO_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "label_configs", tmp_path / "label_configs")
    monkeypatch.setenv("GOLDLOOP_QUEUE", "answer-quality")
    stamina.set_testing(testing=True, attempts=2)  # without a pause, yet once more
    yield partial(terminal.goldloop, monkeypatch, capsys)
    stamina.set_testing(testing=False)
    set_on_retry_hooks(None)


@pytest.fixture
def langfuse(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> HTTPServer:
    """Settings that lead to a server which answers as Langfuse 4.16 with an empty project, as far as a test lets it."""
    monkeypatch.setenv("LANGFUSE_HOST", httpserver.url_for("/").rstrip("/"))
    monkeypatch.setenv("LANGFUSE_PUBLIC_KEY", "pk-lf-public")
    monkeypatch.setenv("LANGFUSE_SECRET_KEY", SECRET)
    return httpserver


@pytest.fixture
def label_studio(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> HTTPServer:
    """Settings that lead to a server which answers as Label Studio, as far as a test lets it."""
    monkeypatch.setenv("LABEL_STUDIO_URL", httpserver.url_for("/").rstrip("/"))
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", SECRET)
    return httpserver


@pytest.fixture
def servers(langfuse: HTTPServer, label_studio: HTTPServer) -> HTTPServer:
    """Both, sound and empty."""
    empty: dict[str, Any] = {"data": [], "meta": {}}
    answers: dict[str, Any] = {
        "/api/public/health": {"status": "OK", "version": "4.16.0"},
        "/api/public/projects": {"data": [{"id": "project", "name": "Project"}]},
        "/api/public/v2/observations": empty,
        "/api/public/v3/scores": empty,
        "/api/public/dataset-items": {"data": [], "meta": {"page": 1, "totalPages": 0}},
        "/api/version": {"release": "1.23.2"},
        "/api/current-user/whoami": {"id": 1, "email": "admin@example.org"},
        "/api/projects/": {"count": 0, "next": None, "previous": None, "results": []},
    }
    for path, answer in answers.items():
        langfuse.expect_request(path).respond_with_json(answer)
    return langfuse


@pytest.fixture
def ml_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings that lead to an ML backend, which nobody reaches."""
    monkeypatch.setenv("GOLDLOOP_ML_BACKEND__URL", "http://127.0.0.1:9")
    monkeypatch.setenv("GOLDLOOP_ML_BACKEND__USERNAME", "goldloop")
    monkeypatch.setenv("GOLDLOOP_ML_BACKEND__PASSWORD", SECRET)


@pytest.fixture
def webhook(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings that lead to a receiver of webhooks, which nobody reaches."""
    monkeypatch.setenv("GOLDLOOP_WEBHOOK__URL", "http://127.0.0.1:9")
    monkeypatch.setenv("GOLDLOOP_WEBHOOK__SECRET", SECRET)


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port
