"""A Label Studio at another address: the same server that moved, or another one by mistake?"""

from contextlib import closing

import pytest
from pydantic import SecretStr
from pytest_httpserver import HTTPServer

from builders import NOW, QUEUE, codebook
from goldloop.adapters.store import open_store
from goldloop.bootstrap import Goldloop, Run
from goldloop.errors import ConfigError
from goldloop.records import Project
from goldloop.settings import Settings

OLD = "http://127.0.0.1:1"


@pytest.fixture
def settings(tmp_path: object, httpserver: HTTPServer) -> Settings:
    """A store that knows a project at the old address, and a server at the new one that has it, empty."""
    url = f"sqlite:///{tmp_path}/store.db"
    with closing(open_store(url)) as store:
        store.save_codebook(codebook(), NOW)
        path = f"{OLD}/projects/3/data"
        store.save_project(Project(queue=QUEUE, codebook_version="1.0.0", project_id=3, url=path))
    httpserver.expect_request("/api/version").respond_with_json({"release": "1.23.2"})
    httpserver.expect_request("/api/current-user/whoami").respond_with_json({"id": 1})
    httpserver.expect_request("/api/users/").respond_with_json([])
    httpserver.expect_request("/api/tasks/").respond_with_json({"tasks": [], "total": 0})
    return Settings(
        store_url=url,
        LABEL_STUDIO_URL=httpserver.url_for(""),
        LABEL_STUDIO_API_KEY=SecretStr("0" * 40),
    )


def test_another_server_is_not_taken_for_one_where_everything_was_deleted(settings: Settings) -> None:
    with Goldloop(settings) as goldloop, pytest.raises(ConfigError, match="GOLDLOOP_LABEL_STUDIO_MOVED=true"):
        list(goldloop.run(["gather"], QUEUE, Run()))


def test_links_lead_to_where_a_browser_finds_the_servers(settings: Settings, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/api/public/health").respond_with_json({"status": "OK", "version": "4.16.0"})
    httpserver.expect_request("/api/public/projects").respond_with_json({"data": [{"id": "p"}]})
    public = {
        "label_studio_public_url": "https://labels.example.com/",
        "langfuse_public_url": "https://traces.example.com/",
        "langfuse_host": httpserver.url_for(""),
        "langfuse_public_key": SecretStr("pk"),
        "langfuse_secret_key": SecretStr("sk"),
    }
    with Goldloop(settings.model_copy(update=public)) as goldloop:
        assert goldloop.label_studio.project_url(3) == "https://labels.example.com/projects/3/data"
        assert goldloop.langfuse.source.trace_url("t1") == "https://traces.example.com/project/p/traces/t1"


def test_a_server_that_moved_is_followed(settings: Settings) -> None:
    moved = settings.model_copy(update={"label_studio_moved": True})
    with Goldloop(moved) as goldloop:
        list(goldloop.run(["gather"], QUEUE, Run()))
        (project,) = goldloop.store.projects(QUEUE)
        assert project.url == f"{goldloop.label_studio.api.url}/projects/3/data"
    with Goldloop(settings) as goldloop:  # said once, it is known
        list(goldloop.run(["gather"], QUEUE, Run()))
