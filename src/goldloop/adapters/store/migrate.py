"""Bringing a database forward to the tables that this code knows."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from goldloop.adapters.store.engine import Database
from goldloop.errors import ConfigError

VERSION_TABLE = "goldloop_revision"
"""Not alembic's default name: other programs in a shared database use that."""


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    return config


def refuse_unknown(found: set[str], what: str, remedy: str = "upgrade goldloop") -> None:
    """`ConfigError` for revisions that this code can neither read nor bring forward."""
    unknown = found - {revision.revision for revision in ScriptDirectory.from_config(_config()).walk_revisions()}
    if unknown:
        raise ConfigError(f"{what} was made by a newer goldloop (revision {', '.join(sorted(unknown))}): {remedy}.")


def revisions(connection: Connection) -> set[str]:
    """What the database was brought forward to; nothing where it holds no store."""
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    return set(context.get_current_heads())


def migrate(database: Database) -> None:
    """Make or complete the tables, one process at a time.

    `ConfigError` where another version of goldloop made tables that this one does not know.
    """
    config = _config()
    script = ScriptDirectory.from_config(config)
    with database.read() as connection:
        if revisions(connection) == set(script.get_heads()):
            return
    with database.write() as connection:
        refuse_unknown(
            revisions(connection),
            f"The store {database.place}",
            "upgrade goldloop, or set the store's URL to another database",
        )
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
