"""Backups of PostgreSQL's kind: its programs, their arguments, and what else is in the database."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url, text

from contract.store_backups import fill, rows
from goldloop.adapters.store import open_store, postgres_backup
from goldloop.adapters.store.backup import back_up, restore
from goldloop.errors import ConfigError, FatalError, InputError

pytest_plugins = ["contract.store_fixtures"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "store.backup"


@pytest.mark.servers
def test_a_backup_of_the_other_database_is_refused(sqlite_url: str, postgresql_url: str, file: Path) -> None:
    back_up(sqlite_url, file)
    with pytest.raises(InputError, match="in SQLite, and this one is in PostgreSQL"):
        restore(postgresql_url, file)
    back_up(postgresql_url, file, force=True)
    with pytest.raises(InputError, match="in PostgreSQL, and this one is in SQLite"):
        restore(sqlite_url, file)


@pytest.mark.servers
def test_other_tables_of_the_database_stay_as_they_are(postgresql_url: str, file: Path) -> None:
    with open_store(postgresql_url) as store, store._db.write() as connection:
        connection.execute(text("CREATE TABLE theirs (id int)"))
    back_up(postgresql_url, file)
    with open_store(postgresql_url) as store, store._db.write() as connection:
        connection.execute(text("INSERT INTO theirs VALUES (1)"))
    restore(postgresql_url, file)
    assert rows(postgresql_url)["theirs"] == ["(1,)"]


@pytest.mark.servers
def test_what_cannot_be_put_back_leaves_the_store_as_it_was(postgresql_url: str, file: Path) -> None:
    """A view of someone else's rests on a table: it cannot be dropped."""
    back_up(postgresql_url, file)
    fill(postgresql_url, "t1")
    with open_store(postgresql_url) as store, store._db.write() as connection:
        connection.execute(text("CREATE VIEW theirs AS SELECT trace_id FROM candidates"))
    before = rows(postgresql_url)
    with pytest.raises(FatalError, match=r"code 2BP01\), which is as it was"):
        restore(postgresql_url, file, force=True)
    assert {**rows(postgresql_url), "locks": []} == {**before, "locks": []}


@pytest.mark.servers
def test_the_password_is_never_an_argument(postgresql_url: str, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    password = make_url(postgresql_url).password or ""
    seen: list[str] = []
    run: Callable[..., subprocess.CompletedProcess[str]] = subprocess.run

    def watched(arguments: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        seen.extend(arguments)
        return run(arguments, **options)

    monkeypatch.setattr(subprocess, "run", watched)
    in_query = make_url(postgresql_url)._replace(password=None).update_query_dict({"password": password})
    back_up(in_query.render_as_string(hide_password=False), file)
    restore(postgresql_url, file)
    assert {Path(word).name for word in seen if "/" in word} >= {"pg_dump", "pg_restore", "psql"}
    assert password
    assert not [word for word in seen if password in word]


@pytest.mark.servers
def test_a_missing_program_is_told(
    postgresql_url: str, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    back_up(postgresql_url, file)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match=r"pg_dump is not on this machine: install .* of version \d+ or later"):
        back_up(postgresql_url, tmp_path / "another")
    with pytest.raises(ConfigError, match="pg_restore is not on this machine: install"):
        restore(postgresql_url, file)
    assert not (tmp_path / "another").exists()


def test_a_program_older_than_the_server_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "pg_dump"
    program.write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 13.4 (Debian 13.4-1)'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(ConfigError, match=r"version 13 and the server 17: install .* of version 17 or later"):
        postgres_backup._program("pg_dump", 17)


@pytest.mark.servers
def test_a_dump_of_a_newer_program_is_told(postgresql_url: str, file: Path) -> None:
    """Format 1.99, as its header has it: no pg_restore of today knows that."""
    file.write_bytes(b"PGDMP\x01\x63\x00\x04\x08\x03")
    with pytest.raises(ConfigError, match="newer pg_dump than the pg_restore here"):
        restore(postgresql_url, file)
