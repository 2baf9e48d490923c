"""What stands where: counts by state and policy, the age of the queue, what is parked and why."""

from datetime import datetime

from pydantic import Field

from goldloop.codebook.schema import Codebook
from goldloop.pipeline.publish import waiting
from goldloop.ports import QueueCounts, Store
from goldloop.records import Record, State
from goldloop.resolution.across import resolve_across


class Report(Record):
    counts: QueueCounts
    codebook_version: str
    annotations_wanted: int
    oldest_open_hours: float | None
    project_urls: list[str]
    for_the_adjudicator: int = Field(
        default=0, description="traces on which annotators disagree, where the owner decides"
    )
    over_the_limit: dict[str, int] = Field(
        default_factory=dict, description="annotators who did more today (UTC) than the queue's limit, and how much"
    )


def report(codebook: Codebook, store: Store, now: datetime) -> Report:
    """The queue's state from the store alone; `oldest_open_hours` since the oldest undecided trace was drawn."""
    counts = store.counts(codebook.name, now.replace(hour=0, minute=0, second=0, microsecond=0))
    limit = codebook.queue.annotator_limit
    age = (now - counts.oldest_open).total_seconds() / 3600 if counts.oldest_open else None
    return Report(
        counts=counts,
        codebook_version=codebook.version,
        annotations_wanted=codebook.queue.annotations_per_trace,
        oldest_open_hours=age,
        # Versions may share a project, and the newest is where people work.
        project_urls=list(dict.fromkeys(project.url for project in reversed(store.projects(codebook.name)))),
        for_the_adjudicator=_contested(codebook, store),
        over_the_limit={
            who: count for who, count in counts.annotated_today.items() if limit is not None and count > limit
        },
    )


def _contested(codebook: Codebook, store: Store) -> int:
    if codebook.queue.adjudication != "owner":
        return 0
    lineage = store.lineage(codebook.name)
    waiting_draws = store.draws(codebook.name, State.ANNOTATED)
    annotations = store.annotations_by_trace(codebook.name, [draw.trace_id for draw in waiting_draws])
    return sum(
        resolve_across(lineage, annotations.get(draw.trace_id, []), draw.annotators).contested for draw in waiting_draws
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
    lines += [f"\n{sentence}" for sentence in notices(made)]
    lines += ["", *(f"[Label Studio project]({url})" for url in made.project_urls)]
    return "\n".join(lines) + "\n"


def notices(made: Report) -> list[str]:
    """What somebody should know or do, in sentences."""
    counts = made.counts
    said = []
    if left := waiting(counts.scores_by_state, counts.eval_rows_waiting):
        said.append(f"On the way to Langfuse and the golden set: {left}. The next `goldloop publish` goes on with it.")
    if counts.skips_by_reason:
        said.append("Skipped: " + ", ".join(f"{reason} {n}" for reason, n in counts.skips_by_reason.items()) + ".")
    if made.for_the_adjudicator:
        said.append(f"{made.for_the_adjudicator} wait for the adjudicator: annotators disagree.")
    for who, count in made.over_the_limit.items():
        said.append(f"{who} did {count} today, over the limit: ask them to stop, for Label Studio Community cannot.")
    if counts.quarantined:
        by_question = ", ".join(f"{question} {n}" for question, n in counts.quarantined.items())
        said.append(f"Quarantined answers: {by_question}. What can be labelled again: `goldloop codebook worklist`.")
    return said


def _sums(made: Report) -> str:
    counts = made.counts
    humans = f"{counts.annotations} annotations, {counts.skips} skips"
    return f"{counts.predictions} prelabels, {humans}, {counts.eval_rows} eval rows. {_age(made)}"


def _age(made: Report) -> str:
    if made.oldest_open_hours is None:
        return "No trace is open."
    return f"The oldest open trace was drawn {made.oldest_open_hours:.1f} hours ago."
