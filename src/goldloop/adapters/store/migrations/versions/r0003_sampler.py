"""What the sampler reads and keeps: prompts, clusters and sketches, arms and plans of draws, slices, second labels."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("candidates", sa.Column("prompt", sa.Text))
    op.add_column("candidates", sa.Column("cluster", sa.Text))
    op.add_column("candidates", sa.Column("sketch", sa.BigInteger))

    # Runs from before are null here: by what they were drawn stands in their hash alone.
    for name in ("shares", "plan", "frame", "explanation"):
        op.add_column("draw_runs", sa.Column(name, sa.JSON))

    for name in ("certain", "capped", "blind", "double"):
        op.add_column("draws", sa.Column(name, sa.Boolean, nullable=False, server_default=sa.false()))
    for name in ("blind_probability", "double_probability"):
        op.add_column("draws", sa.Column(name, sa.Double, nullable=False, server_default="0"))
    op.add_column("draws", sa.Column("kept", sa.Double, nullable=False, server_default="1"))
    op.add_column("draws", sa.Column("annotators", sa.Integer))

    op.create_table(
        "slices",
        sa.Column("queue", KEY, nullable=False),
        sa.Column("name", KEY, nullable=False),
        sa.Column("must_review", sa.Boolean, nullable=False),
        sa.Column("where", sa.JSON, nullable=False),
        sa.Column("traces", sa.JSON, nullable=False),
        sa.Column("weight", sa.Double, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("made_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("queue", "name", name="pk_slices"),
    )
    op.create_table(
        "relabels",
        sa.Column("queue", KEY, nullable=False),
        sa.Column("trace_id", KEY, nullable=False),
        sa.Column("run_id", KEY, nullable=False),
        sa.Column("codebook_version", sa.Text, nullable=False),
        sa.Column("pi", sa.Double, nullable=False),
        sa.Column("stratum", sa.Text, nullable=False),
        sa.Column("priority", sa.Integer, nullable=False),
        sa.Column("drawn_at", TIME, nullable=False),
        sa.Column("queued_at", TIME),
        sa.PrimaryKeyConstraint("queue", "trace_id", name="pk_relabels"),
        sa.ForeignKeyConstraint(["run_id"], ["draw_runs.run_id"], name="fk_relabels_run_id"),
        sa.ForeignKeyConstraint(
            ["queue", "trace_id"], ["draws.queue", "draws.trace_id"], name="fk_relabels_queue_trace_id"
        ),
    )
