"""The payload of a drawn trace, or the reason why nobody can judge it."""

from collections.abc import Iterator, Sequence

from goldloop.errors import RejectedError
from goldloop.ports import TraceSource
from goldloop.records import Trace


def fetch(source: TraceSource, trace_id: str, *, pairwise: bool = False) -> Trace:
    """The trace; `RejectedError` with reason `trace_gone` or `no_payload` where there is nothing to judge.

    Where two answers are to be compared (`pairwise`), one that has no second answer is refused with `no_alternative`.
    """
    return _judgeable(source.trace(trace_id), pairwise=pairwise)


def fetch_all(
    source: TraceSource, trace_ids: Sequence[str], *, pairwise: bool = False
) -> Iterator[Trace | RejectedError]:
    """Each as `fetch` gives it, in order and several side by side; what it raises of one trace stands in its place."""
    for found in source.payloads(trace_ids):
        try:
            yield _judgeable(found, pairwise=pairwise)
        except RejectedError as error:
            yield error


def characters(trace: Trace | RejectedError) -> int:
    """How much text a trace holds, about: what it takes of memory."""
    if isinstance(trace, RejectedError):
        return 0
    said = [trace.output, trace.alternative or ""]
    said += [message.content for message in trace.messages] + [document.text for document in trace.documents]
    return sum(map(len, said)) + sum(len(step.input) + len(step.output) for step in trace.steps)


def _judgeable(trace: Trace | RejectedError | None, *, pairwise: bool) -> Trace:
    if isinstance(trace, RejectedError):
        raise trace
    if trace is None:
        raise RejectedError("Langfuse", "the trace was deleted there after it was drawn", reason="trace_gone")
    if not trace.output.strip() and not any(message.content.strip() for message in trace.messages):
        raise RejectedError("Langfuse", "the trace has neither input nor output", reason="no_payload")
    if pairwise and not (trace.alternative or "").strip():
        raise RejectedError(
            "Langfuse",
            "the trace has no second answer to compare: write one into its metadata as alternative_output",
            reason="no_alternative",
        )
    return trace
