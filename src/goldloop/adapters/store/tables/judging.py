"""What judges said, what it cost, and what was learned from people's labels."""

from sqlalchemy import Boolean, Column, Double, Index, Integer, LargeBinary, Table, Text

from goldloop.adapters.store.columns import FreeText, Json, Key, UtcTime
from goldloop.adapters.store.tables.base import METADATA, key, must

# Also of candidates that were never drawn: a judge may have read them before.
predictions = Table(
    "predictions",
    METADATA,
    key("queue"),
    key("trace_id"),
    key("codebook_version"),
    key("judge"),
    key("judge_version"),
    must("judged_at", UtcTime),
    must("answers", Json),
    Column("probability", Double),
    Column("confidences", Json),
    Column("risk", Double),
    Column("dissent", Double),
    must("method", Text),
    must("calibrated", Boolean),
    Column("threshold", Double),
    must("reason", FreeText),
    Column("abstained", FreeText),
    Column("votes", Json),
    Column("usd", Double),
    Column("input_tokens", Integer, nullable=False, server_default="0"),
    Column("output_tokens", Integer, nullable=False, server_default="0"),
    Column("latency_s", Double),
    # All that the sampler reads of a million rows, in its order.
    Index("ix_predictions_queue_trace_id_judged_at", "queue", "trace_id", "judged_at", "risk", "dissent"),
)

# `numbers` are little-endian float32: a million candidates have one row each.
trace_features = Table(
    "trace_features",
    METADATA,
    key("trace_id"),
    key("version"),
    must("asked", Text),
    must("numbers", LargeBinary),
)

judge_fits = Table(
    "judge_fits",
    METADATA,
    key("queue"),
    key("question"),
    key("judge"),
    key("judge_version"),
    key("version"),
    must("since", Text),
    must("body", Json),
    must("quality", Json),
    Column("threshold", Double),
    must("fitted_at", UtcTime),
)

judge_examples = Table(
    "judge_examples",
    METADATA,
    key("queue"),
    key("trace_id"),
    must("note", FreeText),
    must("added_at", UtcTime),
)

# The ledger and the cache in one: what was answered under a key is not asked again. Rows are only added.
judge_calls = Table(
    "judge_calls",
    METADATA,
    Column("id", Integer, primary_key=True),
    must("key", Key),
    must("judge", Text),
    must("run", Key),
    must("at", UtcTime),
    must("outcome", Text),
    must("answer", Json),
    must("input_tokens", Integer),
    must("output_tokens", Integer),
    Column("usd", Double),
    must("latency_s", Double),
    Index("ix_judge_calls_key", "key"),
    Index("ix_judge_calls_at", "at"),
    Index("ix_judge_calls_run", "run"),
)

# The calls added up, by run and by day of UTC: a limit is looked up before each page, whatever came before it.
judge_totals = Table(
    "judge_totals",
    METADATA,
    key("period"),
    key("name"),
    must("calls", Integer),
    must("usd", Double),
)

# Calls set aside and not made yet: what is spent and what is set aside together stay within the budget.
judge_reservations = Table(
    "judge_reservations",
    METADATA,
    key("reservation"),
    must("run", Key),
    must("at", UtcTime),
    must("calls", Integer),
    must("usd", Double),
)
