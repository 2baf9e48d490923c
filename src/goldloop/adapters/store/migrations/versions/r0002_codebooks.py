"""Versions of a codebook: what carries over, what is quarantined, and the score configs that they keep to."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    # Versions from before are null here: each of their questions dates from its own version, and they were published.
    op.add_column("codebooks", sa.Column("lineage", sa.JSON))
    op.add_column("codebooks", sa.Column("published_at", TIME))
    op.add_column("projects", sa.Column("label_config", sa.Text))
    op.add_column("projects", sa.Column("adopted", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("annotations", sa.Column("skip_reason", sa.Text))
    op.add_column("annotation_history", sa.Column("skip_reason", sa.Text))
    op.add_column("answers", sa.Column("quarantined", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("scores", sa.Column("config_id", sa.Text))
    op.create_table(
        "score_configs",
        sa.Column("queue", KEY, nullable=False),
        sa.Column("name", KEY, nullable=False),
        sa.Column("digest", KEY, nullable=False),
        sa.Column("config_id", sa.Text, nullable=False),
        sa.Column("saved_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("queue", "name", "digest", name="pk_score_configs"),
    )
