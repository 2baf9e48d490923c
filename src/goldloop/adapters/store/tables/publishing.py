"""What goes out, what is kept aside, and who may write."""

from sqlalchemy import Boolean, Column, Index, Integer, Table, Text

from goldloop.adapters.store.columns import FreeText, Json, Key, UtcTime
from goldloop.adapters.store.tables.base import METADATA, drawn, key, must

# The outbox to Langfuse. `attempts` counts how often a row was handed out to be sent: one that never was is unknown
# to the server, and needs no deletion there.
scores = Table(
    "scores",
    METADATA,
    key("score_id"),
    must("queue", Key),
    must("trace_id", Key),
    must("name", Text),
    must("data_type", Text),
    must("value", Json),
    Column("comment", FreeText),
    must("metadata", Json),
    must("environment", Text),
    Column("config_id", Text),
    must("event_at", UtcTime),
    must("digest", Text),
    must("state", Text),
    Column("state_before_parked", Text),
    must("attempts", Integer),
    Column("sent_at", UtcTime),
    drawn(),
    Index("ix_scores_queue_state", "queue", "state"),
    Index("ix_scores_queue_trace_id", "queue", "trace_id"),
)

# The outbox to the golden set.
eval_rows = Table(
    "eval_rows",
    METADATA,
    key("row_id"),
    must("queue", Key),
    must("codebook_version", Text),
    must("trace_id", Key),
    must("digest", Text),
    must("state", Text),
    Column("state_before_parked", Text),
    must("attempts", Integer),
    drawn(),
    Index("ix_eval_rows_queue_state", "queue", "state"),
    Index("ix_eval_rows_queue_trace_id", "queue", "trace_id"),
)

# A row outlives its retry as `cleared`, so that `attempts` goes on counting.
parked = Table(
    "parked",
    METADATA,
    key("parked_id"),
    must("verb", Text),
    must("subject", Key),
    must("queue", Key),
    Column("trace_id", Key),
    must("reason", FreeText),
    must("detail", FreeText),
    must("parked_at", UtcTime),
    must("attempts", Integer),
    must("cleared", Boolean),
    Index("ix_parked_subject", "subject"),
)

# `token` tells apart two runs of one owner: the one that was taken over must neither renew nor release.
locks = Table(
    "locks",
    METADATA,
    key("name"),
    must("owner", Text),
    must("token", Text),
    must("since", UtcTime),
    must("expires_at", UtcTime),
)
