"""`goldloop webhook connect` and `disconnect`, and what `enqueue` does for new projects, on a server of the test's."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from cli.labelled import opened
from cli.terminal import SECRET, Goldloop
from goldloop.codebook.load import load
from goldloop.records import Project


def _known(server: HTTPServer, project_id: int) -> None:
    asked = load(Path("label_configs/answer-quality.yaml"))
    url = server.url_for(f"/projects/{project_id}/data")
    with opened() as store:
        store.save_codebook(asked, datetime.now(UTC))
        store.save_project(Project(queue=asked.name, codebook_version=asked.version, project_id=project_id, url=url))


def _asked(server: HTTPServer) -> list[tuple[str, str]]:
    return [(request.method, request.path) for request, _ in server.log if request.path.startswith("/api/webhooks")]


@pytest.mark.parametrize(
    ("variable", "sentence"),
    [
        ("GOLDLOOP_WEBHOOK__URL", "GOLDLOOP_WEBHOOK__URL is not set: set the address"),
        ("GOLDLOOP_WEBHOOK__SECRET", "GOLDLOOP_WEBHOOK__SECRET is not set: set the one that the receiver"),
    ],
)
def test_what_is_not_set_is_named(
    goldloop: Goldloop, webhook: None, monkeypatch: pytest.MonkeyPatch, variable: str, sentence: str
) -> None:
    monkeypatch.delenv(variable)
    ended = goldloop("webhook", "connect")
    assert ended.code == 2
    assert sentence in ended.sentence


def test_a_short_secret_stops_every_command(goldloop: Goldloop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOLDLOOP_WEBHOOK__SECRET", "short-one")
    ended = goldloop("status")
    assert ended.code == 2
    assert "GOLDLOOP_WEBHOOK__SECRET" in ended.sentence
    assert "short-one" not in ended.sentence


def test_a_queue_without_a_project_has_nothing_to_connect(
    goldloop: Goldloop, servers: HTTPServer, webhook: None
) -> None:
    for verb in ("connect", "disconnect"):
        ended = goldloop("webhook", verb)
        assert (ended.code, ended.out) == (0, "answer-quality has no project yet. Next: goldloop run\n")
    assert _asked(servers) == []


def test_projects_of_another_server_are_left_alone(goldloop: Goldloop, servers: HTTPServer, webhook: None) -> None:
    _known(servers, 7)
    with opened() as store:
        (project,) = store.projects("answer-quality")
        store.save_project(project.model_copy(update={"url": "http://elsewhere/projects/7/data"}))
    ended = goldloop("webhook", "connect")
    assert ended.code == 2
    assert "the tasks of answer-quality are at http://elsewhere" in ended.sentence


@pytest.mark.parametrize(("told", "made"), [(6, []), (7, [("POST", "/api/webhooks/")])])
def test_enqueue_connects_a_new_project_of_a_queue_that_is_connected(
    goldloop: Goldloop, servers: HTTPServer, webhook: None, told: int, made: list[tuple[str, str]]
) -> None:
    _known(servers, 7)
    _known(servers, 8)  # the version's project now
    with opened() as store:
        old = store.projects("answer-quality")[0].model_copy(update={"codebook_version": "0.9.0", "project_id": 7})
        store.save_project(old.model_copy(update={"url": servers.url_for("/projects/7/data")}))
    webhooks = [{"id": 1, "project": told, "url": "http://x/", "headers": {"X-Goldloop-Queue": "answer-quality"}}]
    servers.expect_request("/api/webhooks/", query_string="", method="GET").respond_with_json(webhooks)
    servers.expect_request("/api/webhooks/", query_string="project=8", method="GET").respond_with_json([])
    servers.expect_request("/api/webhooks/", method="POST").respond_with_json({"id": 2, "url": "http://x/"})
    ended = goldloop("enqueue", "--json")
    assert (ended.code, ended.err) == (0, "")
    assert [asked for asked in _asked(servers) if asked[0] == "POST"] == made
    sent = [json.loads(request.data) for request, _ in servers.log if request.method == "POST"]
    assert [(one["project"], one["headers"]["X-Goldloop-Secret"]) for one in sent] == [(8, SECRET)] * len(made)


def test_enqueue_goes_on_where_webhooks_cannot_be_had(
    goldloop: Goldloop, servers: HTTPServer, webhook: None, caplog: pytest.LogCaptureFixture
) -> None:
    _known(servers, 7)
    servers.expect_request("/api/webhooks/").respond_with_data("", status=403)
    assert goldloop("enqueue").code == 0
    assert "Whether new projects have their webhook is not known" in caplog.text
