"""Run by alembic; `migrate` gives it a connection whose transaction holds the right to write."""

from alembic import context

from goldloop.adapters.store.migrate import VERSION_TABLE
from goldloop.adapters.store.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    version_table=VERSION_TABLE,
)
context.run_migrations()
