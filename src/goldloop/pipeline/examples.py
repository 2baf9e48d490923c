"""Approved examples: resolved traces that a model may be shown beside the one that it judges."""

from collections.abc import Sequence
from datetime import datetime

from goldloop.codebook.schema import Codebook
from goldloop.errors import ConfigError
from goldloop.ports import Store
from goldloop.records import Example, State, Value


def approve(codebook: Codebook, store: Store, trace_ids: Sequence[str], note: str, now: datetime) -> list[Example]:
    """These traces are examples from now on; an approval that is there gets the new note.

    `ConfigError` where one of them was never drawn for this queue, is not resolved, or has a verdict that does not
    count any more; then none is added.
    """
    queue = codebook.name
    drawn = {draw.trace_id for draw in store.drawn(queue, trace_ids)}
    resolved = {draw.trace_id for state in (State.RESOLVED, State.PUBLISHED) for draw in store.draws(queue, state)}
    for trace_id in trace_ids:
        if trace_id not in drawn:
            raise ConfigError(
                f"{trace_id} was never drawn for {queue}: an example is a trace that people have answered"
            )
        if trace_id not in resolved:
            raise ConfigError(f"{trace_id} is not resolved: wait for its annotations, then run `goldloop resolve`")
        if codebook.verdict.name not in counting_answers(store, queue, trace_id):
            raise ConfigError(
                f"the verdict of {trace_id} was set aside by a newer version of the codebook: have it labelled again "
                "(`goldloop codebook relabel`), or take another trace"
            )
    before = {example.trace_id: example for example in store.examples(queue)}
    made = []
    for trace_id in dict.fromkeys(trace_ids):
        added_at = before[trace_id].added_at if trace_id in before else now
        made.append(Example(queue=queue, trace_id=trace_id, note=note, added_at=added_at))
        store.save_example(made[-1])
    return made


def counting_answers(store: Store, queue: str, trace_id: str) -> dict[str, Value]:
    """What the trace was resolved to, by question: those answers that mean what their questions mean now."""
    lineage = store.lineage(queue)
    since = lineage.newest.since if lineage.versions else {}
    return {
        one.question: one.value
        for one in store.answers(queue, trace_id)
        if since.get(one.question) == one.codebook_version
    }
