"""What a run leaves on Prefect's Artifacts page. Each key is fixed, so its versions are a timeline.

| key | what |
|---|---|
| `goldloop-counts-<queue>` | every count of a run's verbs, as a table |
| `goldloop-report-<queue>` | the report, where that verb was run |
| `goldloop-draw-<queue>` | what was drawn by which policy, and what that costs, where that verb was run |
| `goldloop-reconcile-<queue>` | what differed between Label Studio, the store and Langfuse, where that was compared |
| `label-studio-<queue>` | a link to the project; a second project's key ends in `-2`, and so on |
"""

from collections.abc import Mapping, Sequence

from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_table_artifact

from goldloop.pipeline.draw import DrawSummary
from goldloop.pipeline.draw_page import draw_page
from goldloop.pipeline.reconcile import ReconcileSummary
from goldloop.pipeline.report import Report, as_markdown
from goldloop.records import Project, Record


def show(queue: str, made: Mapping[str, Record], projects: Sequence[Project], failure: str | None) -> None:
    """Create the artifacts of one run: `made` holds the summaries by verb, `failure` the sentence that ended it."""
    how_it_ended = failure or f"{', '.join(made)}: done"
    create_table_artifact(key=f"goldloop-counts-{queue}", table=count_rows(made), description=how_it_ended)
    for summary in made.values():
        if isinstance(summary, Report):
            create_markdown_artifact(
                key=f"goldloop-report-{queue}", markdown=as_markdown(summary), description=f"The queue {queue}"
            )
        elif isinstance(summary, DrawSummary):
            create_markdown_artifact(
                key=f"goldloop-draw-{queue}",
                markdown=draw_page(queue, summary),
                description=f"The last draw of {queue}",
            )
        elif isinstance(summary, ReconcileSummary):
            create_table_artifact(
                key=f"goldloop-reconcile-{queue}",
                table=difference_rows(summary),
                description=f"{summary.differing} differed, {summary.left} of them left",
            )
    for key, project in project_links(queue, projects).items():
        create_link_artifact(
            key=key, link=project.url, link_text=f"Label Studio: {queue} {project.codebook_version}, {project.purpose}"
        )


def count_rows(made: Mapping[str, Record]) -> list[dict[str, str | float]]:
    """One row for each count that a summary gives; for a report, the traces by state."""
    return [
        {"verb": verb, "count": name.replace("_", " "), "number": number}
        for verb, summary in made.items()
        for name, number in _counts(summary).items()
    ]


def difference_rows(summary: ReconcileSummary) -> list[dict[str, str | float]]:
    """One row for each way in which something differed."""
    return [
        {"where": one.where, "what": one.what, "how many": one.number, "done": one.remedy}
        for one in summary.differences
    ]


def project_links(queue: str, projects: Sequence[Project]) -> dict[str, Project]:
    """The projects by their link's key; codebook versions may share one."""
    each = {project.project_id: project for project in projects}
    return {
        f"label-studio-{queue}" + (f"-{number}" if number > 1 else ""): project
        for number, project in enumerate(each.values(), start=1)
    }


def _counts(summary: Record) -> Mapping[str, float]:
    if isinstance(summary, Report):
        return summary.counts.by_state
    return {name: value for name, value in summary if isinstance(value, int | float) and not isinstance(value, bool)}
