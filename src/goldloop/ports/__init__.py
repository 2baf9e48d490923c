"""What the pipeline needs from the world. Every adapter, and every hand-written fake, has one of these shapes.

Adapters translate their vendor's errors: `RetryableError` (later it may work), `RejectedError` (this record never
will), `FatalError` (nothing will until a person acts). Nothing else of a vendor's leaves an adapter.
"""

from goldloop.judge.protocol import Judge
from goldloop.ports.judging import JudgeStore, Ledger, Prelabel, Reserved, Risks, Selection
from goldloop.ports.rebuilding import RebuildStore
from goldloop.ports.servers import (
    Clock,
    EvalSink,
    ListedConfig,
    Page,
    Peek,
    Progress,
    ProjectDraft,
    ProjectSnapshot,
    ScoreConfigs,
    ScoreSink,
    Shelf,
    TaskDraft,
    TaskQueue,
    TraceSource,
    Window,
)
from goldloop.ports.store import Store
from goldloop.ports.stored import Column, EvalDue, OpenTrace, QueueCounts, SignalColumns, TraceResolution
from goldloop.records import Limits

__all__ = [
    "Clock",
    "Column",
    "EvalDue",
    "EvalSink",
    "Judge",
    "JudgeStore",
    "Ledger",
    "Limits",
    "ListedConfig",
    "OpenTrace",
    "Page",
    "Peek",
    "Prelabel",
    "Progress",
    "ProjectDraft",
    "ProjectSnapshot",
    "QueueCounts",
    "RebuildStore",
    "Reserved",
    "Risks",
    "ScoreConfigs",
    "ScoreSink",
    "Selection",
    "Shelf",
    "SignalColumns",
    "Store",
    "TaskDraft",
    "TaskQueue",
    "TraceResolution",
    "TraceSource",
    "Window",
]
