"""What judges say, cost and learn: predictions of any candidate, features, fits, examples, calls."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    with op.batch_alter_table("predictions") as table:
        # A judge may have read what was never drawn.
        table.drop_constraint("fk_predictions_queue_trace_id", type_="foreignkey")
        table.add_column(sa.Column("confidences", sa.JSON))
        table.add_column(sa.Column("risk", sa.Double))
        table.add_column(sa.Column("dissent", sa.Double))
        table.add_column(sa.Column("threshold", sa.Double))
        table.add_column(sa.Column("votes", sa.JSON))
        table.add_column(sa.Column("usd", sa.Double))
        table.add_column(sa.Column("input_tokens", sa.Integer, nullable=False, server_default="0"))
        table.add_column(sa.Column("output_tokens", sa.Integer, nullable=False, server_default="0"))
        table.add_column(sa.Column("latency_s", sa.Double))
    op.create_index(
        "ix_predictions_queue_trace_id_judged_at",
        "predictions",
        ["queue", "trace_id", "judged_at", "risk", "dissent"],
    )

    op.create_table(
        "trace_features",
        sa.Column("trace_id", KEY, nullable=False),
        sa.Column("version", KEY, nullable=False),
        sa.Column("asked", sa.Text, nullable=False),
        sa.Column("numbers", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("trace_id", "version", name="pk_trace_features"),
    )
    op.create_table(
        "judge_fits",
        sa.Column("queue", KEY, nullable=False),
        sa.Column("question", KEY, nullable=False),
        sa.Column("judge", KEY, nullable=False),
        sa.Column("judge_version", KEY, nullable=False),
        sa.Column("version", KEY, nullable=False),
        sa.Column("since", sa.Text, nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
        sa.Column("quality", sa.JSON, nullable=False),
        sa.Column("threshold", sa.Double),
        sa.Column("fitted_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("queue", "question", "judge", "judge_version", "version", name="pk_judge_fits"),
    )
    op.create_table(
        "judge_examples",
        sa.Column("queue", KEY, nullable=False),
        sa.Column("trace_id", KEY, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("added_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("queue", "trace_id", name="pk_judge_examples"),
    )
    op.create_table(
        "judge_calls",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("key", KEY, nullable=False),
        sa.Column("judge", sa.Text, nullable=False),
        sa.Column("run", KEY, nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("answer", sa.JSON, nullable=False),
        sa.Column("input_tokens", sa.Integer, nullable=False),
        sa.Column("output_tokens", sa.Integer, nullable=False),
        sa.Column("usd", sa.Double),
        sa.Column("latency_s", sa.Double, nullable=False),
    )
    op.create_index("ix_judge_calls_key", "judge_calls", ["key"])
    op.create_index("ix_judge_calls_at", "judge_calls", ["at"])
    op.create_index("ix_judge_calls_run", "judge_calls", ["run"])
    op.create_table(
        "judge_totals",
        sa.Column("period", KEY, nullable=False),
        sa.Column("name", KEY, nullable=False),
        sa.Column("calls", sa.Integer, nullable=False),
        sa.Column("usd", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("period", "name", name="pk_judge_totals"),
    )
    op.create_table(
        "judge_reservations",
        sa.Column("reservation", KEY, nullable=False),
        sa.Column("run", KEY, nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("calls", sa.Integer, nullable=False),
        sa.Column("usd", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("reservation", name="pk_judge_reservations"),
    )
