"""The tables, as the code sees them; `migrations` makes them, and a test holds the two together.

They hold ids, labels and numbers: a trace's payload stays in Langfuse. Columns that carry a record's field have its
name, so that a row and a record turn into each other without a mapping.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    false,
)

from goldloop.adapters.store.columns import FreeText, Json, Key, UtcTime

METADATA = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    }
)


def _must(name: str, kind: Any) -> Column[Any]:
    return Column(name, kind, nullable=False)


def _key(name: str, kind: Any = Key) -> Column[Any]:
    return Column(name, kind, primary_key=True, autoincrement=False)


def _drawn() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["queue", "trace_id"], ["draws.queue", "draws.trace_id"])


codebooks = Table(
    "codebooks",
    METADATA,
    _key("queue"),
    _key("version"),
    _must("digest", Text),
    _must("body", Json),
    _must("saved_at", UtcTime),
    Column("lineage", Json),
    Column("published_at", UtcTime),
)

projects = Table(
    "projects",
    METADATA,
    _key("queue"),
    _key("codebook_version"),
    _key("purpose"),
    _must("project_id", Integer),
    _must("url", Text),
    Column("label_config", Text),
    Column("adopted", Boolean, nullable=False, server_default=false()),
)

# Langfuse's score configs have neither an id of ours nor a unique name: they are known again by what they hold.
score_configs = Table(
    "score_configs",
    METADATA,
    _key("queue"),
    _key("name"),
    _key("digest"),
    _must("config_id", Text),
    _must("saved_at", UtcTime),
)

watermarks = Table("watermarks", METADATA, _key("stream"), _must("at", UtcTime))

candidates = Table(
    "candidates",
    METADATA,
    _key("trace_id"),
    _must("environment", Text),
    _must("name", Text),
    _must("category", Key),
    _must("timestamp", UtcTime),
    Column("user_id", Key),
    Column("session_id", Text),
    Column("model", Text),
    Column("release", Text),
    Column("prompt", Text),
    _must("tags", Json),
    Column("cluster", Text),
    Column("sketch", BigInteger),
    _must("roots", Integer),
    _must("seen_at", UtcTime),
    Index("ix_candidates_timestamp", "timestamp"),
    Index("ix_candidates_category_timestamp", "category", "timestamp"),
)

signals = Table(
    "signals",
    METADATA,
    _key("signal_id"),
    _must("trace_id", Key),
    _must("name", Text),
    Column("value", Double),
    Column("label", Text),
    _must("at", UtcTime),
    Index("ix_signals_trace_id", "trace_id"),
)

draw_runs = Table(
    "draw_runs",
    METADATA,
    _key("run_id"),
    _must("queue", Key),
    _must("codebook_version", Text),
    _must("drawn_at", UtcTime),
    _must("window_start", UtcTime),
    _must("window_end", UtcTime),
    _must("frame_size", Integer),
    _must("budget", Integer),
    _must("seed", Text),  # a seed may have more than the 64 bits of a database's integer
    _must("mix", Json),
    Column("shares", Json),
    Column("plan", Json),
    Column("frame", Json),
    Column("explanation", Json),
    _must("settings_hash", Text),
    _must("code_version", Text),
)

draws = Table(
    "draws",
    METADATA,
    _key("queue"),
    _key("trace_id"),
    Column("run_id", Key, ForeignKey("draw_runs.run_id"), nullable=False),
    _must("codebook_version", Text),
    _must("policy", Text),
    _must("mixture", Json),
    _must("pi", Double),
    _must("stratum", Text),
    _must("priority", Integer),
    Column("certain", Boolean, nullable=False, server_default=false()),
    Column("capped", Boolean, nullable=False, server_default=false()),
    Column("blind", Boolean, nullable=False, server_default=false()),
    Column("blind_probability", Double, nullable=False, server_default="0"),
    Column("double", Boolean, nullable=False, server_default=false()),
    Column("double_probability", Double, nullable=False, server_default="0"),
    Column("annotators", Integer),
    Column("kept", Double, nullable=False, server_default="1"),
    _must("state", Text),
    Column("state_before_parked", Text),
    _must("resolve_due", Boolean),
    _must("drawn_at", UtcTime),
    Column("import_begun_at", UtcTime),
    Column("queued_at", UtcTime),
    Column("resolved_at", UtcTime),
    Index("ix_draws_queue_state", "queue", "state"),
    Index("ix_draws_queue_resolve_due", "queue", "resolve_due"),
)

# Parts of the traffic to look at: for the targeted policy, or, with `must_review`, for certain.
slices = Table(
    "slices",
    METADATA,
    _key("queue"),
    _key("name"),
    _must("must_review", Boolean),
    _must("where", Json),
    _must("traces", Json),
    _must("weight", Double),
    _must("note", FreeText),
    _must("made_at", UtcTime),
    _must("expires_at", UtcTime),
)

# Resolved traces that were drawn to be judged again, to see how annotators drift: apart from their first draw.
relabels = Table(
    "relabels",
    METADATA,
    _key("queue"),
    _key("trace_id"),
    Column("run_id", Key, ForeignKey("draw_runs.run_id"), nullable=False),
    _must("codebook_version", Text),
    _must("pi", Double),
    _must("stratum", Text),
    _must("priority", Integer),
    _must("drawn_at", UtcTime),
    Column("queued_at", UtcTime),
    _drawn(),
)

predictions = Table(
    "predictions",
    METADATA,
    _key("queue"),
    _key("trace_id"),
    _key("codebook_version"),
    _key("judge"),
    _key("judge_version"),
    _must("judged_at", UtcTime),
    _must("answers", Json),
    Column("probability", Double),
    _must("method", Text),
    _must("calibrated", Boolean),
    _must("reason", FreeText),
    Column("abstained", FreeText),
    _drawn(),
)

tasks = Table(
    "tasks",
    METADATA,
    _key("project_id", Integer),
    _key("task_id", Integer),
    _must("queue", Key),
    _must("codebook_version", Text),
    _must("trace_id", Key),
    _must("saved_at", UtcTime),
    Column("deleted_at", UtcTime),
    _drawn(),
    Index("ix_tasks_queue_trace_id", "queue", "trace_id"),
)

annotations = Table(
    "annotations",
    METADATA,
    _key("key"),
    _must("queue", Key),
    _must("codebook_version", Text),
    _must("trace_id", Key),
    _must("project_id", Integer),
    _must("task_id", Integer),
    _must("annotation_id", Integer),
    _must("annotator", Text),
    _must("answers", Json),
    _must("skipped", Boolean),
    Column("skip_reason", Text),
    _must("deleted", Boolean),
    _must("created_at", UtcTime),
    _must("updated_at", UtcTime),
    Column("lead_time_s", Double),
    _must("from_prediction", Boolean),
    _drawn(),
    Index("ix_annotations_queue_trace_id", "queue", "trace_id"),
    Index("ix_annotations_project_id_task_id", "project_id", "task_id"),
)

# What an annotation ever said, one row a change; rows are only added.
annotation_history = Table(
    "annotation_history",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("key", Key, ForeignKey("annotations.key"), nullable=False),
    _must("annotator", Text),
    _must("answers", Json),
    _must("skipped", Boolean),
    Column("skip_reason", Text),
    _must("deleted", Boolean),
    _must("updated_at", UtcTime),
    Column("lead_time_s", Double),
    _must("from_prediction", Boolean),
    _must("seen_at", UtcTime),
    Index("ix_annotation_history_key", "key"),
)

answers = Table(
    "answers",
    METADATA,
    _key("queue"),
    _key("trace_id"),
    _key("question"),
    _must("codebook_version", Text),
    _must("value", Json),
    _must("votes", Integer),
    _must("voters", Integer),
    _must("annotators", Json),
    _must("method", Text),
    _must("failure", Boolean),
    Column("quarantined", Boolean, nullable=False, server_default=false()),
    _must("revised_at", UtcTime),
    _drawn(),
)

# The outbox to Langfuse. `attempts` counts how often a row was handed out to be sent: one that never was is unknown
# to the server, and needs no deletion there.
scores = Table(
    "scores",
    METADATA,
    _key("score_id"),
    _must("queue", Key),
    _must("trace_id", Key),
    _must("name", Text),
    _must("data_type", Text),
    _must("value", Json),
    Column("comment", FreeText),
    _must("metadata", Json),
    _must("environment", Text),
    Column("config_id", Text),
    _must("event_at", UtcTime),
    _must("digest", Text),
    _must("state", Text),
    Column("state_before_parked", Text),
    _must("attempts", Integer),
    Column("sent_at", UtcTime),
    _drawn(),
    Index("ix_scores_queue_state", "queue", "state"),
    Index("ix_scores_queue_trace_id", "queue", "trace_id"),
)

# The outbox to the golden set.
eval_rows = Table(
    "eval_rows",
    METADATA,
    _key("row_id"),
    _must("queue", Key),
    _must("codebook_version", Text),
    _must("trace_id", Key),
    _must("digest", Text),
    _must("state", Text),
    Column("state_before_parked", Text),
    _must("attempts", Integer),
    _drawn(),
    Index("ix_eval_rows_queue_state", "queue", "state"),
    Index("ix_eval_rows_queue_trace_id", "queue", "trace_id"),
)

# A row outlives its retry as `cleared`, so that `attempts` goes on counting.
parked = Table(
    "parked",
    METADATA,
    _key("parked_id"),
    _must("verb", Text),
    _must("subject", Key),
    _must("queue", Key),
    Column("trace_id", Key),
    _must("reason", FreeText),
    _must("detail", FreeText),
    _must("parked_at", UtcTime),
    _must("attempts", Integer),
    _must("cleared", Boolean),
    Index("ix_parked_subject", "subject"),
)

# `token` tells apart two runs of one owner: the one that was taken over must neither renew nor release.
locks = Table(
    "locks",
    METADATA,
    _key("name"),
    _must("owner", Text),
    _must("token", Text),
    _must("since", UtcTime),
    _must("expires_at", UtcTime),
)
