"""What is asked, where, and what people answered."""

from sqlalchemy import Boolean, Column, Double, ForeignKey, Index, Integer, Table, Text, false

from goldloop.adapters.store.columns import Json, Key, UtcTime
from goldloop.adapters.store.tables.base import METADATA, drawn, key, must

codebooks = Table(
    "codebooks",
    METADATA,
    key("queue"),
    key("version"),
    must("digest", Text),
    must("body", Json),
    must("saved_at", UtcTime),
    Column("lineage", Json),
    Column("published_at", UtcTime),
)

projects = Table(
    "projects",
    METADATA,
    key("queue"),
    key("codebook_version"),
    key("purpose"),
    must("project_id", Integer),
    must("url", Text),
    Column("label_config", Text),
    Column("adopted", Boolean, nullable=False, server_default=false()),
)

# Langfuse's score configs have neither an id of ours nor a unique name: they are known again by what they hold.
score_configs = Table(
    "score_configs",
    METADATA,
    key("queue"),
    key("name"),
    key("digest"),
    must("config_id", Text),
    must("saved_at", UtcTime),
)

tasks = Table(
    "tasks",
    METADATA,
    key("project_id", Integer),
    key("task_id", Integer),
    must("queue", Key),
    must("codebook_version", Text),
    must("trace_id", Key),
    must("saved_at", UtcTime),
    Column("deleted_at", UtcTime),
    drawn(),
    Index("ix_tasks_queue_trace_id", "queue", "trace_id"),
)

annotations = Table(
    "annotations",
    METADATA,
    key("key"),
    must("queue", Key),
    must("codebook_version", Text),
    must("trace_id", Key),
    must("project_id", Integer),
    must("task_id", Integer),
    must("annotation_id", Integer),
    must("annotator", Text),
    must("answers", Json),
    must("skipped", Boolean),
    Column("skip_reason", Text),
    must("deleted", Boolean),
    must("created_at", UtcTime),
    must("updated_at", UtcTime),
    Column("lead_time_s", Double),
    must("from_prediction", Boolean),
    Column("edited_by", Text),
    Column("ground_truth", Boolean, nullable=False, server_default=false()),
    drawn(),
    Index("ix_annotations_queue_trace_id", "queue", "trace_id"),
    Index("ix_annotations_project_id_task_id", "project_id", "task_id"),
)

# What an annotation ever said, one row a change; rows are only added.
annotation_history = Table(
    "annotation_history",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("key", Key, ForeignKey("annotations.key"), nullable=False),
    must("annotator", Text),
    must("answers", Json),
    must("skipped", Boolean),
    Column("skip_reason", Text),
    must("deleted", Boolean),
    must("updated_at", UtcTime),
    Column("lead_time_s", Double),
    must("from_prediction", Boolean),
    Column("edited_by", Text),
    Column("ground_truth", Boolean, nullable=False, server_default=false()),
    must("seen_at", UtcTime),
    Index("ix_annotation_history_key", "key"),
)

answers = Table(
    "answers",
    METADATA,
    key("queue"),
    key("trace_id"),
    key("question"),
    must("codebook_version", Text),
    must("value", Json),
    must("votes", Integer),
    must("voters", Integer),
    must("annotators", Json),
    must("method", Text),
    must("failure", Boolean),
    Column("quarantined", Boolean, nullable=False, server_default=false()),
    must("revised_at", UtcTime),
    drawn(),
)
