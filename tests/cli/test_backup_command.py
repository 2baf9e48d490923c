"""`goldloop backup` and `goldloop restore` as a person meets them."""

import json
from datetime import timedelta
from pathlib import Path

from builders import NOW, candidate
from cli.labelled import opened
from cli.terminal import Goldloop


def _fill(*traces: str) -> None:
    with opened() as store:
        store.save_candidates([candidate(name) for name in traces], NOW)


def test_there_and_back(goldloop: Goldloop) -> None:
    _fill("t1", "t2")
    made = goldloop("backup", "mine.backup")
    assert (made.code, made.err) == (0, "")
    size = Path("mine.backup").stat().st_size
    assert made.out == f"The store .goldloop/goldloop.db is in mine.backup: {size:,} bytes.\n"
    _fill("t3")
    refused = goldloop("restore", "mine.backup")
    assert refused.code == 2
    assert "is not empty: put the backup in its place by --force" in refused.sentence
    put = goldloop("restore", "mine.backup", "--force")
    assert (put.code, put.err) == (0, "")
    assert "The store .goldloop/goldloop.db is that of mine.backup now." in put.out
    with opened() as store:
        assert store.candidate_count() == 2


def test_the_objects_for_scripts(goldloop: Goldloop) -> None:
    _fill("t1")
    made = json.loads(goldloop("backup", "mine.backup", "--json").out)
    assert made["bytes"] == Path("mine.backup").stat().st_size
    put = json.loads(goldloop("restore", "mine.backup", "--force", "--json").out)
    assert put == {name: made[name] for name in ("store", "file", "revision")}


def test_what_is_refused_says_what_to_do(goldloop: Goldloop) -> None:
    nothing = goldloop("backup", "mine.backup")
    assert nothing.code == 2
    assert "There is no store at .goldloop/goldloop.db: check GOLDLOOP_STORE_URL." in nothing.sentence
    assert not Path(".goldloop").exists()
    Path("mine.backup").write_text("prose")
    assert "exists: name another file, or overwrite it by --force" in goldloop("backup", "mine.backup").sentence
    foreign = goldloop("restore", "mine.backup")
    assert foreign.code == 2
    assert "is not a backup of a goldloop store" in foreign.sentence
    assert not Path(".goldloop").exists()


def test_a_run_at_work_ends_a_restore_with_its_own_code(goldloop: Goldloop) -> None:
    _fill("t1")
    assert goldloop("backup", "mine.backup").code == 0
    with opened() as store, store.lock("queue:answer-quality", "run 1", timedelta(minutes=1)):
        ended = goldloop("restore", "mine.backup", "--force")
    assert ended.code == 5
    assert "(run 1) has held queue:answer-quality" in ended.sentence
