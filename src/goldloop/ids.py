"""Deterministic keys: the same thing has the same id in every run, on every machine.

All ids are version 5 UUIDs (RFC 9562, section 5.5) over one namespace and the parts joined by `|`, so that a write
that is repeated lands on the row, score or dataset item that it made before.
"""

from uuid import UUID, uuid5

NAMESPACE = UUID("6f1c3a52-5f0e-5c35-9d0f-0d7f6b1f4c11")


def key(kind: str, *parts: str) -> str:
    """The id of a `kind` of thing told apart by `parts`; separators inside a part are escaped."""
    escaped = (part.replace("\\", "\\\\").replace("|", "\\|") for part in (kind, *parts))
    return str(uuid5(NAMESPACE, "|".join(escaped)))


def annotation_key(project_id: int, annotation_id: int) -> str:
    """One human's answer to one task, as long as it exists: edits keep the id."""
    return key("annotation", str(project_id), str(annotation_id))


def annotation_score_id(trace_id: str, question: str, since: str, annotation: str) -> str:
    """The Langfuse score that carries one annotation. `since`: the version that gave the question its meaning."""
    return key("annotation-score", trace_id, question, since, annotation)


def answer_score_id(queue: str, trace_id: str, question: str, since: str) -> str:
    """The Langfuse score `human_<question>` that carries the resolved answer."""
    return key("answer-score", queue, trace_id, question, since)


def quarantined_score_id(score_id: str) -> str:
    """The score that stands in place of one whose question means something else by now."""
    return key("quarantined-score", score_id)


def eval_row_id(queue: str, trace_id: str, since: str) -> str:
    """A line of the golden set, and the dataset item that mirrors it; `since` is the verdict's."""
    return key("eval-row", queue, trace_id, since)


def draw_run_id(queue: str, seed: int, drawn_at: str) -> str:
    return key("draw-run", queue, str(seed), drawn_at)


def parked_id(verb: str, subject: str) -> str:
    """One row for one thing parked by one verb, however often it is tried."""
    return key("parked", verb, subject)
