"""What stands where: counts by state and policy, the age of the queue, what is parked and why."""

from datetime import datetime

from goldloop.codebook.schema import Codebook
from goldloop.ports import QueueCounts, Store
from goldloop.records import Record, State


class Report(Record):
    counts: QueueCounts
    codebook_version: str
    annotations_wanted: int
    oldest_open_hours: float | None
    project_urls: list[str]


def report(codebook: Codebook, store: Store, now: datetime) -> Report:
    """The queue's state from the store alone; `oldest_open_hours` since the oldest undecided trace was drawn."""
    counts = store.counts(codebook.name)
    age = (now - counts.oldest_open).total_seconds() / 3600 if counts.oldest_open else None
    return Report(
        counts=counts,
        codebook_version=codebook.version,
        annotations_wanted=codebook.queue.annotations_per_trace,
        oldest_open_hours=age,
        project_urls=[project.url for project in store.projects(codebook.name)],
    )


def as_markdown(made: Report) -> str:
    """The report as a page: the same tables as on the terminal."""
    counts = made.counts
    states = [state.value for state in State]
    lines = [
        f"## {counts.queue} {made.codebook_version}",
        "",
        _sums(made),
        "",
        "| policy | " + " | ".join(states) + " | all |",
        "|---|" + "--:|" * (len(states) + 1),
    ]
    for policy, by_state in sorted(counts.by_policy.items()):
        cells = [str(by_state.get(state, 0)) for state in states]
        lines.append(f"| {policy} | " + " | ".join(cells) + f" | {sum(by_state.values())} |")
    totals = [str(counts.by_state.get(state, 0)) for state in states]
    lines.append("| **all** | " + " | ".join(totals) + f" | {sum(counts.by_state.values())} |")
    if counts.parked_by_reason:
        lines += ["", "| parked because | rows |", "|---|--:|"]
        lines += [f"| {reason} | {rows} |" for reason, rows in sorted(counts.parked_by_reason.items())]
    lines += ["", *(f"[Label Studio project]({url})" for url in made.project_urls)]
    return "\n".join(lines) + "\n"


def _sums(made: Report) -> str:
    counts = made.counts
    humans = f"{counts.annotations} annotations, {counts.skips} skips"
    return f"{counts.predictions} prelabels, {humans}, {counts.eval_rows} eval rows. {_age(made)}"


def _age(made: Report) -> str:
    if made.oldest_open_hours is None:
        return "No trace is open."
    return f"The oldest open trace was drawn {made.oldest_open_hours:.1f} hours ago."
