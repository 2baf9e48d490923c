"""Backups of a store in PostgreSQL, by its own programs: pg_dump, pg_restore and psql.

They learn the password by their environment, which only their own user can read, and never by an argument. Only
goldloop's tables are dumped and replaced: others may share the database.
"""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, text

from goldloop.adapters.store.engine import Database, parsed_url, place
from goldloop.adapters.store.migrate import VERSION_TABLE, refuse_unknown, revisions
from goldloop.adapters.store.tables import METADATA, locks
from goldloop.errors import ConfigError, FatalError, InputError

HEADER = b"PGDMP"
_SECRETS = {"password", "sslpassword"}
_TABLES = [*METADATA.tables, VERSION_TABLE]


def dump(url: str, unfinished: Path, wait_s: float) -> str:
    """Write the store into this file; the revision of its tables."""
    parsed = parsed_url(url)
    database = Database(url, wait_s=wait_s)
    try:
        with database.read() as connection:
            found = revisions(connection)
            server = int(connection.execute(text("SHOW server_version_num")).scalar_one()) // 10_000
    finally:
        database.close()
    if not found:
        raise ConfigError(f"There is no store in {place(parsed)}: check GOLDLOOP_STORE_URL.")
    refuse_unknown(found, f"The store {place(parsed)}")
    program = _program("pg_dump", server)
    ended = _run(
        [
            program,
            "--format=custom",
            "--no-owner",
            "--no-privileges",
            "--no-password",
            f"--exclude-table-data={locks.name}",
            *(f"--table={name}" for name in _TABLES),
            f"--file={unfinished}",
            f"--dbname={_address(parsed)}",
        ],
        parsed,
    )
    if ended.returncode:
        said = re.search(r"error: (.*)", ended.stderr)
        raise FatalError(
            "the store",
            f"pg_dump could not read the store {place(parsed)} ({said[1] if said else ended.returncode}): "
            "mend that, then run again.",
        )
    return ", ".join(sorted(found))


@contextmanager
def ready(url: str, file: Path, wait_s: float) -> Iterator[tuple[str, Callable[[], None]]]:  # noqa: ARG001 - as SQLite's
    """The revision of the backup, and what puts it into the store.

    pg_restore alone would drop what the backup holds, and leave a newer store's other tables, on which bringing the
    backup forward then fails. So it only turns the file into a script; psql runs that in one transaction, after it
    dropped all tables of the store.
    """
    parsed = parsed_url(url)
    reader, runner = _program("pg_restore"), _program("psql")
    revision = _revision(reader, file)
    refuse_unknown({revision}, f"The backup {file}")
    with tempfile.TemporaryDirectory(prefix="goldloop-restore-") as folder:
        drop, script = Path(folder) / "drop.sql", Path(folder) / "script.sql"
        drop.write_text(f"DROP TABLE IF EXISTS {', '.join(_TABLES)};\n", encoding="utf-8")
        _read(reader, file, "--no-owner", "--no-privileges", f"--file={script}")

        def put_back() -> None:
            ended = _run(
                [
                    runner,
                    "--no-psqlrc",
                    "--quiet",
                    "--no-password",
                    "--single-transaction",
                    "--set=ON_ERROR_STOP=1",
                    "--set=VERBOSITY=sqlstate",  # the words of an error may quote what is in a row
                    f"--file={drop}",
                    f"--file={script}",
                    f"--dbname={_address(parsed)}",
                ],
                parsed,
            )
            if ended.returncode:
                code = re.search(r"(?:ERROR|FATAL):\s+(\w{5})\b", ended.stderr)
                raise FatalError(
                    "the store",
                    f"The backup could not be put into the store {place(parsed)} (PostgreSQL's code "
                    f"{code[1] if code else 'unknown'}), which is as it was: look into the server's log.",
                )

        yield revision, put_back


def _revision(reader: str, file: Path) -> str:
    rows = _read(reader, file, "--data-only", f"--table={VERSION_TABLE}", "--file=-")
    found = re.search(rf"^COPY \S*{VERSION_TABLE} \(version_num\) FROM stdin;\n(\S+)\n", rows, re.MULTILINE)
    if not found or found[1] == r"\.":
        raise InputError(f"{file} is not a backup of a goldloop store: name one that `goldloop backup` made.")
    return found[1]


def _read(reader: str, file: Path, *options: str) -> str:
    ended = _run([reader, *options, str(file.resolve())])
    if ended.returncode:
        if "unsupported version" in ended.stderr:
            raise ConfigError(
                f"{file} was made by a newer pg_dump than the pg_restore here can read: install PostgreSQL's client "
                "programs of its version."
            )
        raise InputError(f"{file} cannot be read as a backup of PostgreSQL: name another one.")
    return ended.stdout


def _program(name: str, server: int = 0) -> str:
    """Where the program is; `ConfigError` where it is missing, or older than the server's version."""
    found = shutil.which(name)
    needed = f" of version {server} or later" if server else ""
    if found is None:
        raise ConfigError(f"{name} is not on this machine: install PostgreSQL's client programs{needed}.")
    told = _run([found, "--version"]).stdout
    version = re.search(r"\) (\d+)", told)
    if server and (version is None or int(version[1]) < server):
        raise ConfigError(
            f"{name} has version {version[1] if version else 'unknown'} and the server {server}: install PostgreSQL's "
            f"client programs{needed}."
        )
    return found


def _address(url: URL) -> str:
    """The database for an argument that everybody on the machine can read."""
    query = {name: value for name, value in url.query.items() if name not in _SECRETS}
    return URL.create(
        "postgresql", username=url.username, host=url.host, port=url.port, database=url.database, query=query
    ).render_as_string()


def _run(command: list[str], url: URL | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "LC_ALL": "C", "PGCONNECT_TIMEOUT": "10"}
    password = url and (url.password or url.query.get("password"))
    if password:
        environment["PGPASSWORD"] = str(password)
    return subprocess.run(  # noqa: S603 - a program of PostgreSQL's, without a shell
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
