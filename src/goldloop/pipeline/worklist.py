"""What a breaking version of a codebook left behind: traces whose labels no longer count, and putting them up again."""

from typing import Literal

from goldloop.codebook.lineage import Since
from goldloop.ports import Store
from goldloop.records import Record, State

_WITH_TASKS = (State.QUEUED, State.ANNOTATED, State.RESOLVED, State.PUBLISHED)


class ToRelabel(Record):
    """A trace that an older version asks about.

    `quarantined`: its answers to `questions` do not count any more. `open`: its task stands in an older version's
    project, and what is said there to `questions` will not count.
    """

    trace_id: str
    why: Literal["quarantined", "open"]
    questions: list[str]
    codebook_version: str
    state: State


def worklist(queue: str, store: Store) -> list[ToRelabel]:
    """In the annotators' order. A trace that was put up again is on it no more, nor one that is parked.

    A question that is gone, or that is new, is no work: nobody is asked the one, and the other has no labels to mend.
    """
    lineage = store.lineage(queue)
    if not lineage.versions:
        return []
    asked = lineage.newest.since
    # By version: there are a few of these, and of draws a hundred thousand.
    changed_since = {one.codebook.version: _changed(one.since, asked) for one in lineage.versions}
    quarantined = store.quarantined(queue)
    found: list[tuple[int, ToRelabel]] = []
    for state in _WITH_TASKS:
        for draw in store.draws(queue, state):
            changed = changed_since.get(draw.codebook_version)
            if not changed:
                continue
            questions = [name for name in quarantined.get(draw.trace_id, []) if name in asked and name in changed]
            undecided = state in {State.QUEUED, State.ANNOTATED}
            if questions or undecided:
                row = ToRelabel(
                    trace_id=draw.trace_id,
                    why="quarantined" if questions else "open",
                    questions=questions or sorted(changed),
                    codebook_version=draw.codebook_version,
                    state=state,
                )
                found.append((draw.priority, row))
    return [row for _, row in sorted(found, key=lambda pair: (pair[0], pair[1].trace_id))]


def relabel(queue: str, store: Store, limit: int | None = None) -> list[ToRelabel]:
    """Put the first `limit` traces of the worklist up again: `enqueue` makes them tasks of the newest version.

    What was said of them stays in the store, and what it says of questions that did not change keeps its vote.
    """
    rows = worklist(queue, store)[:limit]
    if rows:
        store.relabel(queue, [row.trace_id for row in rows], store.lineage(queue).newest.codebook.version)
    return rows


def _changed(then: Since, now: Since) -> set[str]:
    """Questions that are asked still, and mean something else."""
    return {name for name, since in then.items() if now.get(name, since) != since}
