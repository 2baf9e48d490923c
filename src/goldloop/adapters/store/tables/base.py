"""What all tables are made of."""

from typing import Any

from sqlalchemy import Column, ForeignKeyConstraint, MetaData

from goldloop.adapters.store.columns import Key

METADATA = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    }
)


def must(name: str, kind: Any) -> Column[Any]:
    return Column(name, kind, nullable=False)


def key(name: str, kind: Any = Key) -> Column[Any]:
    return Column(name, kind, primary_key=True, autoincrement=False)


def drawn() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["queue", "trace_id"], ["draws.queue", "draws.trace_id"])
