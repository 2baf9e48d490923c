"""What travels between the verbs: frozen records, validated on the way in, without any I/O.

Times are aware and in UTC. Ids of traces, observations and scores are Langfuse's own strings; ids of projects, tasks
and annotations are Label Studio's integers.
"""

from goldloop.records.base import (
    Probability,
    Record,
    Utc,
    Value,
)
from goldloop.records.judging import (
    BlindLabel,
    Estimate,
    Example,
    JudgeCall,
    JudgeFit,
    Judgement,
    JudgeQuality,
    Limits,
    Prediction,
    Spent,
    TraceFeatures,
    Unjudged,
    Vote,
)
from goldloop.records.results import (
    EvalRow,
    Parked,
    Receipt,
    Score,
    ScoreConfig,
    ScoreType,
    ShownScore,
)
from goldloop.records.traces import (
    Candidate,
    Document,
    Message,
    Signal,
    Step,
    Trace,
)
from goldloop.records.way import (
    Annotation,
    AnnotationSnapshot,
    Answer,
    Draw,
    DrawRun,
    NamedSlice,
    Project,
    State,
    Task,
    TaskSnapshot,
)

__all__ = [
    "Annotation",
    "AnnotationSnapshot",
    "Answer",
    "BlindLabel",
    "Candidate",
    "Document",
    "Draw",
    "DrawRun",
    "Estimate",
    "EvalRow",
    "Example",
    "JudgeCall",
    "JudgeFit",
    "JudgeQuality",
    "Judgement",
    "Limits",
    "Message",
    "NamedSlice",
    "Parked",
    "Prediction",
    "Probability",
    "Project",
    "Receipt",
    "Record",
    "Score",
    "ScoreConfig",
    "ScoreType",
    "ShownScore",
    "Signal",
    "Spent",
    "State",
    "Step",
    "Task",
    "TaskSnapshot",
    "Trace",
    "TraceFeatures",
    "Unjudged",
    "Utc",
    "Value",
    "Vote",
]
