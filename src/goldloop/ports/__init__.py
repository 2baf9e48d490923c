"""What the pipeline needs from the world. Every adapter, and every hand-written fake, has one of these shapes.

Adapters translate their vendor's errors: `RetryableError` (later it may work), `RejectedError` (this record never
will), `FatalError` (nothing will until a person acts). Nothing else of a vendor's leaves an adapter.
"""

from goldloop.ports.servers import (
    Clock,
    EvalSink,
    Judge,
    Page,
    Progress,
    ProjectDraft,
    ScoreSink,
    TaskDraft,
    TaskQueue,
    TraceSource,
    Window,
)
from goldloop.ports.store import EvalDue, FrameRow, QueueCounts, Store

__all__ = [
    "Clock",
    "EvalDue",
    "EvalSink",
    "FrameRow",
    "Judge",
    "Page",
    "Progress",
    "ProjectDraft",
    "QueueCounts",
    "ScoreSink",
    "Store",
    "TaskDraft",
    "TaskQueue",
    "TraceSource",
    "Window",
]
