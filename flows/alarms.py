"""What somebody should look at, as a Prefect event and in the run's message.

| event | when |
|---|---|
| `goldloop.score.never-appeared` | Langfuse took scores, and did not show them within a quarter of an hour |

Its resource is `goldloop.queue.<queue>`, its payload `{"count": ...}`. An automation can send it to whom it concerns.
"""

from collections.abc import Mapping

from prefect.events import emit_event

from goldloop.pipeline.publish import PublishSummary
from goldloop.pipeline.read_back import never_appeared_text
from goldloop.pipeline.reconcile import ReconcileSummary
from goldloop.records import Record

NEVER_APPEARED = "goldloop.score.never-appeared"


def raise_alarm(queue: str, made: Mapping[str, Record]) -> None:
    """Emit the event, where a verb of the run found scores that never appeared."""
    count = _count(made)
    if count:
        resource = {"prefect.resource.id": f"goldloop.queue.{queue}", "prefect.resource.name": queue}
        emit_event(NEVER_APPEARED, resource=resource, payload={"count": count})


def never_appeared(made: Mapping[str, Record]) -> str:
    """For the run's message; "" where there is nothing to say."""
    return never_appeared_text(_count(made))


def differing(made: Mapping[str, Record]) -> str:
    """What a reconcile found, for the run's message."""
    found = next((one for one in made.values() if isinstance(one, ReconcileSummary)), None)
    if found is None:
        return ""
    left = f", {found.left:,} of them left: goldloop reconcile --dry-run shows them" if found.left else ""
    return f"{found.differing:,} differed{left}" if found.differing else "nothing differs"


def _count(made: Mapping[str, Record]) -> int:
    return sum(one.never_appeared for one in made.values() if isinstance(one, PublishSummary | ReconcileSummary))
