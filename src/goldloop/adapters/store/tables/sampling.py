"""Candidates, and what was drawn of them."""

from sqlalchemy import BigInteger, Boolean, Column, Double, ForeignKey, Index, Integer, Table, Text, false

from goldloop.adapters.store.columns import FreeText, Json, Key, UtcTime
from goldloop.adapters.store.tables.base import METADATA, drawn, key, must

watermarks = Table("watermarks", METADATA, key("stream"), must("at", UtcTime))

candidates = Table(
    "candidates",
    METADATA,
    key("trace_id"),
    must("environment", Text),
    must("name", Text),
    must("category", Key),
    must("timestamp", UtcTime),
    Column("user_id", Key),
    Column("session_id", Text),
    Column("model", Text),
    Column("release", Text),
    Column("prompt", Text),
    must("tags", Json),
    Column("cluster", Text),
    Column("sketch", BigInteger),
    must("roots", Integer),
    must("seen_at", UtcTime),
    Index("ix_candidates_timestamp", "timestamp"),
    Index("ix_candidates_category_timestamp", "category", "timestamp"),
)

signals = Table(
    "signals",
    METADATA,
    key("signal_id"),
    must("trace_id", Key),
    must("name", Text),
    Column("value", Double),
    Column("label", Text),
    must("at", UtcTime),
    Index("ix_signals_trace_id", "trace_id"),
)

# Parts of the traffic to look at: for the targeted policy, or, with `must_review`, for certain.
slices = Table(
    "slices",
    METADATA,
    key("queue"),
    key("name"),
    must("must_review", Boolean),
    must("where", Json),
    must("traces", Json),
    must("weight", Double),
    must("note", FreeText),
    must("made_at", UtcTime),
    must("expires_at", UtcTime),
)

draw_runs = Table(
    "draw_runs",
    METADATA,
    key("run_id"),
    must("queue", Key),
    must("codebook_version", Text),
    must("drawn_at", UtcTime),
    must("window_start", UtcTime),
    must("window_end", UtcTime),
    must("frame_size", Integer),
    must("budget", Integer),
    must("seed", Text),  # a seed may have more than the 64 bits of a database's integer
    must("mix", Json),
    Column("shares", Json),
    Column("plan", Json),
    Column("frame", Json),
    Column("explanation", Json),
    must("settings_hash", Text),
    must("code_version", Text),
)

draws = Table(
    "draws",
    METADATA,
    key("queue"),
    key("trace_id"),
    Column("run_id", Key, ForeignKey("draw_runs.run_id"), nullable=False),
    must("codebook_version", Text),
    must("policy", Text),
    must("mixture", Json),
    must("pi", Double),
    must("stratum", Text),
    must("priority", Integer),
    Column("certain", Boolean, nullable=False, server_default=false()),
    Column("capped", Boolean, nullable=False, server_default=false()),
    Column("blind", Boolean, nullable=False, server_default=false()),
    Column("blind_probability", Double, nullable=False, server_default="0"),
    Column("double", Boolean, nullable=False, server_default=false()),
    Column("double_probability", Double, nullable=False, server_default="0"),
    Column("annotators", Integer),
    Column("kept", Double, nullable=False, server_default="1"),
    must("state", Text),
    Column("state_before_parked", Text),
    must("resolve_due", Boolean),
    must("drawn_at", UtcTime),
    Column("import_begun_at", UtcTime),
    Column("queued_at", UtcTime),
    Column("resolved_at", UtcTime),
    Index("ix_draws_queue_state", "queue", "state"),
    Index("ix_draws_queue_resolve_due", "queue", "resolve_due"),
)

# Resolved traces that were drawn to be judged again, to see how annotators drift: apart from their first draw.
relabels = Table(
    "relabels",
    METADATA,
    key("queue"),
    key("trace_id"),
    Column("run_id", Key, ForeignKey("draw_runs.run_id"), nullable=False),
    must("codebook_version", Text),
    must("pi", Double),
    must("stratum", Text),
    must("priority", Integer),
    must("drawn_at", UtcTime),
    Column("queued_at", UtcTime),
    drawn(),
)
