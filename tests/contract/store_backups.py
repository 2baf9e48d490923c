"""What a store holds, as a whole."""

from typing import Any

from sqlalchemy import MetaData

from contract.store_samples import NOON, candidate
from goldloop.adapters.store import open_store
from goldloop.adapters.store.engine import Database


def fill(url: str, *traces: str) -> None:
    with open_store(url) as store:
        store.save_candidates([candidate(name) for name in traces], NOON)
        store.set_watermark("traces", NOON)


def rows(url: str) -> dict[str, list[Any]]:
    """Every row of every table."""
    database = Database(url, wait_s=5)
    tables = MetaData()
    try:
        with database.read() as connection:
            tables.reflect(connection)
            return {
                name: sorted(map(repr, connection.execute(table.select()).all()))
                for name, table in tables.tables.items()
            }
    finally:
        database.close()
