"""The tables of the first release."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

# Spelled out here, and not taken from the code: a revision stays what it was when the code's types move on.
KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
TIME = sa.DateTime(timezone=True)


def _drawn(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["queue", "trace_id"], ["draws.queue", "draws.trace_id"], name=f"fk_{table}_queue_trace_id"
    )


def upgrade() -> None:
    op.create_table(
        "codebooks",
        sa.Column("queue", KEY, nullable=False),
        sa.Column("version", KEY, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
        sa.Column("saved_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("queue", "version", name="pk_codebooks"),
    )
    op.create_table(
        "projects",
        sa.Column("queue", KEY, nullable=False),
        sa.Column("codebook_version", KEY, nullable=False),
        sa.Column("purpose", KEY, nullable=False),
        sa.Column("project_id", sa.Integer, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("queue", "codebook_version", "purpose", name="pk_projects"),
    )
    op.create_table(
        "watermarks",
        sa.Column("stream", KEY, nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("stream", name="pk_watermarks"),
    )
    op.create_table(
        "candidates",
        sa.Column("trace_id", KEY, nullable=False),
        sa.Column("environment", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("category", KEY, nullable=False),
        sa.Column("timestamp", TIME, nullable=False),
        sa.Column("user_id", KEY),
        sa.Column("session_id", sa.Text),
        sa.Column("model", sa.Text),
        sa.Column("release", sa.Text),
        sa.Column("tags", sa.JSON, nullable=False),
        sa.Column("roots", sa.Integer, nullable=False),
        sa.Column("seen_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("trace_id", name="pk_candidates"),
    )
    op.create_index("ix_candidates_category_timestamp", "candidates", ["category", "timestamp"])
    op.create_index("ix_candidates_timestamp", "candidates", ["timestamp"])
    op.create_table(
        "signals",
        sa.Column("signal_id", KEY, nullable=False),
        sa.Column("trace_id", KEY, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("value", sa.Double),
        sa.Column("label", sa.Text),
        sa.Column("at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("signal_id", name="pk_signals"),
    )
    op.create_index("ix_signals_trace_id", "signals", ["trace_id"])
    op.create_table(
        "draw_runs",
        sa.Column("run_id", KEY, nullable=False),
        sa.Column("queue", KEY, nullable=False),
        sa.Column("codebook_version", sa.Text, nullable=False),
        sa.Column("drawn_at", TIME, nullable=False),
        sa.Column("window_start", TIME, nullable=False),
        sa.Column("window_end", TIME, nullable=False),
        sa.Column("frame_size", sa.Integer, nullable=False),
        sa.Column("budget", sa.Integer, nullable=False),
        sa.Column("seed", sa.Text, nullable=False),
        sa.Column("mix", sa.JSON, nullable=False),
        sa.Column("settings_hash", sa.Text, nullable=False),
        sa.Column("code_version", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("run_id", name="pk_draw_runs"),
    )
    op.create_table(
        "draws",
        sa.Column("queue", KEY, nullable=False),
        sa.Column("trace_id", KEY, nullable=False),
        sa.Column("run_id", KEY, nullable=False),
        sa.Column("codebook_version", sa.Text, nullable=False),
        sa.Column("policy", sa.Text, nullable=False),
        sa.Column("mixture", sa.JSON, nullable=False),
        sa.Column("pi", sa.Double, nullable=False),
        sa.Column("stratum", sa.Text, nullable=False),
        sa.Column("priority", sa.Integer, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("state_before_parked", sa.Text),
        sa.Column("resolve_due", sa.Boolean, nullable=False),
        sa.Column("drawn_at", TIME, nullable=False),
        sa.Column("import_begun_at", TIME),
        sa.Column("queued_at", TIME),
        sa.Column("resolved_at", TIME),
        sa.PrimaryKeyConstraint("queue", "trace_id", name="pk_draws"),
        sa.ForeignKeyConstraint(["run_id"], ["draw_runs.run_id"], name="fk_draws_run_id"),
    )
    op.create_index("ix_draws_queue_resolve_due", "draws", ["queue", "resolve_due"])
    op.create_index("ix_draws_queue_state", "draws", ["queue", "state"])
    op.create_table(
        "predictions",
        sa.Column("queue", KEY, nullable=False),
        sa.Column("trace_id", KEY, nullable=False),
        sa.Column("codebook_version", KEY, nullable=False),
        sa.Column("judge", KEY, nullable=False),
        sa.Column("judge_version", KEY, nullable=False),
        sa.Column("judged_at", TIME, nullable=False),
        sa.Column("answers", sa.JSON, nullable=False),
        sa.Column("probability", sa.Double),
        sa.Column("method", sa.Text, nullable=False),
        sa.Column("calibrated", sa.Boolean, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("abstained", sa.Text),
        sa.PrimaryKeyConstraint(
            "queue", "trace_id", "codebook_version", "judge", "judge_version", name="pk_predictions"
        ),
        _drawn("predictions"),
    )
    op.create_table(
        "tasks",
        sa.Column("project_id", sa.Integer, nullable=False),
        sa.Column("task_id", sa.Integer, nullable=False),
        sa.Column("queue", KEY, nullable=False),
        sa.Column("codebook_version", sa.Text, nullable=False),
        sa.Column("trace_id", KEY, nullable=False),
        sa.Column("saved_at", TIME, nullable=False),
        sa.Column("deleted_at", TIME),
        sa.PrimaryKeyConstraint("project_id", "task_id", name="pk_tasks"),
        _drawn("tasks"),
    )
    op.create_index("ix_tasks_queue_trace_id", "tasks", ["queue", "trace_id"])
    op.create_table(
        "annotations",
        sa.Column("key", KEY, nullable=False),
        sa.Column("queue", KEY, nullable=False),
        sa.Column("codebook_version", sa.Text, nullable=False),
        sa.Column("trace_id", KEY, nullable=False),
        sa.Column("project_id", sa.Integer, nullable=False),
        sa.Column("task_id", sa.Integer, nullable=False),
        sa.Column("annotation_id", sa.Integer, nullable=False),
        sa.Column("annotator", sa.Text, nullable=False),
        sa.Column("answers", sa.JSON, nullable=False),
        sa.Column("skipped", sa.Boolean, nullable=False),
        sa.Column("deleted", sa.Boolean, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.Column("lead_time_s", sa.Double),
        sa.Column("from_prediction", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_annotations"),
        _drawn("annotations"),
    )
    op.create_index("ix_annotations_project_id_task_id", "annotations", ["project_id", "task_id"])
    op.create_index("ix_annotations_queue_trace_id", "annotations", ["queue", "trace_id"])
    op.create_table(
        "annotation_history",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("key", KEY, nullable=False),
        sa.Column("annotator", sa.Text, nullable=False),
        sa.Column("answers", sa.JSON, nullable=False),
        sa.Column("skipped", sa.Boolean, nullable=False),
        sa.Column("deleted", sa.Boolean, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.Column("lead_time_s", sa.Double),
        sa.Column("from_prediction", sa.Boolean, nullable=False),
        sa.Column("seen_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_annotation_history"),
        sa.ForeignKeyConstraint(["key"], ["annotations.key"], name="fk_annotation_history_key"),
    )
    op.create_index("ix_annotation_history_key", "annotation_history", ["key"])
    op.create_table(
        "answers",
        sa.Column("queue", KEY, nullable=False),
        sa.Column("trace_id", KEY, nullable=False),
        sa.Column("question", KEY, nullable=False),
        sa.Column("codebook_version", sa.Text, nullable=False),
        sa.Column("value", sa.JSON, nullable=False),
        sa.Column("votes", sa.Integer, nullable=False),
        sa.Column("voters", sa.Integer, nullable=False),
        sa.Column("annotators", sa.JSON, nullable=False),
        sa.Column("method", sa.Text, nullable=False),
        sa.Column("failure", sa.Boolean, nullable=False),
        sa.Column("revised_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("queue", "trace_id", "question", name="pk_answers"),
        _drawn("answers"),
    )
    op.create_table(
        "scores",
        sa.Column("score_id", KEY, nullable=False),
        sa.Column("queue", KEY, nullable=False),
        sa.Column("trace_id", KEY, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("data_type", sa.Text, nullable=False),
        sa.Column("value", sa.JSON, nullable=False),
        sa.Column("comment", sa.Text),
        sa.Column("metadata", sa.JSON, nullable=False),
        sa.Column("environment", sa.Text, nullable=False),
        sa.Column("event_at", TIME, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("state_before_parked", sa.Text),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("sent_at", TIME),
        sa.PrimaryKeyConstraint("score_id", name="pk_scores"),
        _drawn("scores"),
    )
    op.create_index("ix_scores_queue_state", "scores", ["queue", "state"])
    op.create_index("ix_scores_queue_trace_id", "scores", ["queue", "trace_id"])
    op.create_table(
        "eval_rows",
        sa.Column("row_id", KEY, nullable=False),
        sa.Column("queue", KEY, nullable=False),
        sa.Column("codebook_version", sa.Text, nullable=False),
        sa.Column("trace_id", KEY, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("state_before_parked", sa.Text),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("row_id", name="pk_eval_rows"),
        _drawn("eval_rows"),
    )
    op.create_index("ix_eval_rows_queue_state", "eval_rows", ["queue", "state"])
    op.create_index("ix_eval_rows_queue_trace_id", "eval_rows", ["queue", "trace_id"])
    op.create_table(
        "parked",
        sa.Column("parked_id", KEY, nullable=False),
        sa.Column("verb", sa.Text, nullable=False),
        sa.Column("subject", KEY, nullable=False),
        sa.Column("queue", KEY, nullable=False),
        sa.Column("trace_id", KEY),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("parked_at", TIME, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("cleared", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("parked_id", name="pk_parked"),
    )
    op.create_index("ix_parked_subject", "parked", ["subject"])
    op.create_table(
        "locks",
        sa.Column("name", KEY, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("token", sa.Text, nullable=False),
        sa.Column("since", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_locks"),
    )
