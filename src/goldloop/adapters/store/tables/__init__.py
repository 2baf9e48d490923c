"""The tables, as the code sees them; `migrations` makes them, and a test holds the two together.

They hold ids, labels and numbers: a trace's payload stays in Langfuse. Columns that carry a record's field have its
name, so that a row and a record turn into each other without a mapping.
"""

from goldloop.adapters.store.tables.annotating import (
    annotation_history,
    annotations,
    answers,
    codebooks,
    projects,
    score_configs,
    tasks,
)
from goldloop.adapters.store.tables.base import METADATA
from goldloop.adapters.store.tables.judging import (
    judge_calls,
    judge_examples,
    judge_fits,
    judge_reservations,
    judge_totals,
    predictions,
    trace_features,
)
from goldloop.adapters.store.tables.publishing import eval_rows, locks, parked, scores
from goldloop.adapters.store.tables.sampling import (
    candidates,
    draw_runs,
    draws,
    relabels,
    signals,
    slices,
    watermarks,
)

__all__ = [
    "METADATA",
    "annotation_history",
    "annotations",
    "answers",
    "candidates",
    "codebooks",
    "draw_runs",
    "draws",
    "eval_rows",
    "judge_calls",
    "judge_examples",
    "judge_fits",
    "judge_reservations",
    "judge_totals",
    "locks",
    "parked",
    "predictions",
    "projects",
    "relabels",
    "score_configs",
    "scores",
    "signals",
    "slices",
    "tasks",
    "trace_features",
    "watermarks",
]
