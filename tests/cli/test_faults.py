"""What goes wrong ends in one sentence that says what to do, and in an exit code that tells the cases apart."""

import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from builders import NOW, QUEUE, codebook
from cli.terminal import SECRET, Goldloop
from goldloop import bootstrap
from goldloop.adapters.store import open_store
from goldloop.adapters.store.migrate import VERSION_TABLE
from goldloop.devstack.local_ports import LOOPBACK
from goldloop.records import Project
from goldloop.settings import Settings

_STORE = "sqlite:///.goldloop/goldloop.db"
_WRONG_KEY = {"message": "Invalid credentials. Confirm that you've configured the correct host."}


def _one_project() -> None:
    """A queue that `gather` has something to ask Label Studio about."""
    with open_store(_STORE) as store:
        store.save_codebook(codebook(), NOW)
        store.save_project(Project(queue=QUEUE, codebook_version="1.0.0", project_id=7, url="http://ls/7"))


@pytest.mark.parametrize(
    ("command", "missing"),
    [
        ("pull", "LANGFUSE_HOST"),
        ("pull", "LANGFUSE_PUBLIC_KEY"),
        ("pull", "LANGFUSE_SECRET_KEY"),
        ("gather", "LABEL_STUDIO_URL"),
        ("gather", "LABEL_STUDIO_API_KEY"),
    ],
)
def test_a_missing_setting(
    goldloop: Goldloop, servers: HTTPServer, monkeypatch: pytest.MonkeyPatch, command: str, missing: str
) -> None:
    monkeypatch.delenv(missing)
    ended = goldloop(command)
    assert ended.code == 2
    assert f"{missing} is not set: set it" in ended.sentence


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("GOLDLOOP_LOCK_SECONDS", SECRET, "GOLDLOOP_LOCK_SECONDS"),
        ("GOLDLOOP_PULL__SINCE", "2026-01-31T00:00:00", "GOLDLOOP_PULL__SINCE: Value error, needs a zone"),
        ("GOLDLOOP_PULL__CATEGORY", SECRET, "GOLDLOOP_PULL__CATEGORY"),
        ("GOLDLOOP_PULL", SECRET, "unset them, and set their members, as in GOLDLOOP_PULL__"),
        ("GOLDLOOP_STORE_URL", f"mysql://u:{SECRET}@host/db", "must start with sqlite or postgresql"),
        ("GOLDLOOP_STORE_URL", SECRET, "The store's URL cannot be read"),
        ("GOLDLOOP_CODEBOOKS", "nowhere", "set GOLDLOOP_CODEBOOKS to their folder"),
    ],
)
def test_a_wrong_setting(goldloop: Goldloop, monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str) -> None:
    monkeypatch.setenv(name, value)
    ended = goldloop("status")
    assert ended.code == 2
    assert says in ended.sentence


def test_a_settings_file_that_is_no_text(goldloop: Goldloop) -> None:
    Path(".env").write_bytes(b"GOLDLOOP_EVALS=\xff\xfe")
    ended = goldloop("status")
    assert (ended.code, ".env" in ended.sentence) == (2, True)


def test_the_settings_file_is_read(goldloop: Goldloop) -> None:
    Path(".env").write_text("GOLDLOOP_CODEBOOKS=elsewhere\n", encoding="utf-8")
    assert "elsewhere" in goldloop("status").sentence


def test_a_wrong_key_for_langfuse(goldloop: Goldloop, langfuse: HTTPServer) -> None:
    langfuse.expect_request("/api/public/v2/observations").respond_with_json(_WRONG_KEY, status=401)
    langfuse.expect_request("/api/public/health").respond_with_json({"status": "OK", "version": "4.16.0"})
    langfuse.expect_request("/api/public/projects").respond_with_json(_WRONG_KEY, status=401)
    ended = goldloop("pull")
    assert ended.code == 4
    assert "check LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY" in ended.sentence


def test_a_wrong_key_for_label_studio(goldloop: Goldloop, label_studio: HTTPServer) -> None:
    _one_project()
    label_studio.expect_request("/api/version").respond_with_json({"release": "1.23.2"})
    label_studio.expect_request("/api/current-user/whoami").respond_with_json({"detail": "Invalid token."}, status=401)
    label_studio.expect_request("/api/tasks/").respond_with_json({"detail": "Invalid token."}, status=401)
    ended = goldloop("gather")
    assert ended.code == 4
    assert "LABEL_STUDIO_API_KEY" in ended.sentence


@pytest.mark.parametrize(("command", "names"), [("pull", "LANGFUSE_HOST"), ("gather", "LABEL_STUDIO_URL")])
def test_an_unreachable_server(
    goldloop: Goldloop,
    servers: HTTPServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    unused_port: int,
    command: str,
    names: str,
) -> None:
    _one_project()
    monkeypatch.setenv(names, f"http://{LOOPBACK}:{unused_port}")
    ended = goldloop(command)
    assert ended.code == 3
    assert f"check {names} and that the server runs" in ended.sentence
    assert caplog.records == []  # what is logged goes to stderr too


@pytest.mark.parametrize(("release", "says"), [("4.15.9", "upgrade it"), ("6.0.0", "upgrade goldloop")])
def test_an_unsupported_langfuse(goldloop: Goldloop, langfuse: HTTPServer, release: str, says: str) -> None:
    langfuse.expect_request("/api/public/health").respond_with_json({"status": "OK", "version": release})
    ended = goldloop("doctor")
    assert ended.code == 1
    told = " ".join(ended.out.split())
    assert release in told
    assert says in told
    assert "4.16" in told


def test_an_unsupported_label_studio(goldloop: Goldloop, label_studio: HTTPServer) -> None:
    label_studio.expect_request("/api/version").respond_with_json({"release": "1.19.0"})
    ended = goldloop("doctor")
    assert ended.code == 1
    assert "1.19.0" in ended.out


@pytest.mark.parametrize("verb", ["pull", "prelabel", "publish"])
def test_a_verb_ends_at_once_at_an_unsupported_langfuse(goldloop: Goldloop, langfuse: HTTPServer, verb: str) -> None:
    langfuse.expect_request("/api/public/health").respond_with_json({"status": "OK", "version": "3.90.0"})
    ended = goldloop(verb)
    assert ended.code == 4
    assert "3.90.0" in ended.sentence


def test_a_verb_ends_at_once_at_an_unsupported_label_studio(goldloop: Goldloop, label_studio: HTTPServer) -> None:
    label_studio.expect_request("/api/version").respond_with_json({"release": "1.19.0"})
    ended = goldloop("gather")
    assert ended.code == 4
    assert "1.19.0" in ended.sentence


def test_a_bad_codebook_is_told_with_its_line(goldloop: Goldloop) -> None:
    path = Path("label_configs/answer-quality.yaml")
    path.write_text(path.read_text(encoding="utf-8").replace("budget: 80", "budget: none"), encoding="utf-8")
    (line,) = [number for number, text in enumerate(path.read_text().splitlines(), 1) if "budget:" in text]
    ended = goldloop("status")
    assert ended.code == 2
    assert f"answer-quality.yaml:{line}: queue.budget" in ended.sentence


def test_an_unknown_queue(goldloop: Goldloop) -> None:
    ended = goldloop("draw", "--queue", "[nosuch]")
    assert ended.code == 2
    assert "there is no queue '[nosuch]': label_configs holds " in ended.sentence
    assert "answer-quality" in ended.sentence


def test_a_store_of_a_newer_goldloop(goldloop: Goldloop) -> None:
    open_store(_STORE).close()
    connection = sqlite3.connect(".goldloop/goldloop.db")
    connection.execute(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")  # noqa: S608 - a constant's name
    connection.commit()
    connection.close()
    ended = goldloop("status")
    assert ended.code == 2
    assert "newer goldloop (revision 9999): upgrade goldloop" in ended.sentence


def test_a_queue_that_another_run_holds(goldloop: Goldloop) -> None:
    with open_store(_STORE) as store, store.lock(f"queue:{QUEUE}", "another", timedelta(minutes=1)):
        ended = goldloop("draw")
    assert ended.code == 5
    assert "wait for its end" in ended.sentence


def _broken(_: object, __: str | None) -> None:
    raise KeyError("a trace's payload")


def test_a_fault_of_its_own_names_its_place_and_quotes_nothing(
    goldloop: Goldloop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap.Goldloop, "peek", _broken)
    ended = goldloop("status")
    assert ended.code == 1
    assert "KeyError in test_faults.py, line" in ended.sentence
    assert "GOLDLOOP_DEBUG=1" in ended.sentence
    assert "payload" not in ended.err


def test_a_fault_of_its_own_can_be_looked_into(goldloop: Goldloop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap.Goldloop, "peek", _broken)
    monkeypatch.setenv("GOLDLOOP_DEBUG", "1")
    with pytest.raises(KeyError):
        goldloop("status")


def test_the_settings_hide_their_secrets(goldloop: Goldloop, servers: HTTPServer) -> None:
    assert SECRET not in repr(Settings())
