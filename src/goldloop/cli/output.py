"""How the command line talks: progress and tables for people on stderr and stdout, one JSON object for scripts."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.table import Table

from goldloop.pipeline.report import Report
from goldloop.ports import Progress
from goldloop.records import Parked, Record, State

out = Console()
err = Console(stderr=True)


@contextmanager
def bars(*, quiet: bool) -> Iterator[Callable[[str], Progress]]:
    """Progress by verb, on stderr so that stdout can be piped; nothing where nobody looks."""
    if quiet or not err.is_terminal:
        yield lambda _verb: lambda _done, _total: None
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description:<9}"),
        BarColumn(bar_width=30),
        TextColumn("{task.completed:>7,}"),
        TimeElapsedColumn(),
    )
    with Bars(*columns, console=err, transient=True) as shown:

        def of(verb: str) -> Progress:
            row: TaskID = shown.add_task(verb, total=None)

            def report(done: int, total: int | None) -> None:
                shown.update(row, completed=done, total=total)

            return report

        yield of


def print_json(value: Mapping[str, object]) -> None:
    """One line, so that a script can take the last one."""
    out.print(json.dumps(value, default=str), soft_wrap=True, highlight=False, markup=False)


def print_summary(verb: str, summary: Record) -> None:
    """One line a verb: its name, and every count that it gives."""
    if isinstance(summary, Report):
        print_report(summary)
        return
    parts = []
    for name, value in summary:
        if isinstance(value, bool | int):
            parts.append(f"{name.replace('_', ' ')} [bold]{value:,}[/bold]")
    out.print(f"[cyan]{verb:<9}[/cyan] " + "  ".join(parts), soft_wrap=True, highlight=False)


def print_report(made: Report) -> None:
    counts = made.counts
    table = Table(title=f"{counts.queue} {made.codebook_version}", title_justify="left")
    table.add_column("policy")
    for state in State:
        table.add_column(state.value, justify="right")
    for policy, by_state in sorted(counts.by_policy.items()):
        table.add_row(policy, *(f"{by_state.get(state.value, 0):,}" for state in State))
    table.add_section()
    table.add_row("all", *(f"{counts.by_state.get(state.value, 0):,}" for state in State), style="bold")
    out.print(table)
    humans = f"{counts.annotations:,} annotations, {counts.skips:,} skips"
    out.print(f"{counts.predictions:,} prelabels, {humans}, {counts.eval_rows:,} eval rows", highlight=False)
    if made.oldest_open_hours is not None:
        out.print(f"The oldest open trace was drawn {made.oldest_open_hours:.1f} hours ago.", highlight=False)
    for reason, rows in sorted(counts.parked_by_reason.items()):
        out.print(f"[yellow]parked[/yellow] {rows:,} because {reason}: see `goldloop parked list`", highlight=False)
    for url in made.project_urls:
        out.print(f"Label Studio: {url}", soft_wrap=True)


def print_parked(rows: list[Parked]) -> None:
    if not rows:
        out.print("Nothing is parked.")
        return
    table = Table(title="Parked", title_justify="left")
    for column in ("id", "queue", "verb", "what", "reason", "tries", "since"):
        table.add_column(column, justify="right" if column == "tries" else "left", overflow="fold")
    for row in rows:
        since = f"{row.parked_at:%Y-%m-%d %H:%M}"
        table.add_row(row.parked_id[:8], row.queue, row.verb, row.subject, row.reason, str(row.attempts), since)
    out.print(table)
    out.print("Mend the cause, then: goldloop parked retry ID (or --all)", highlight=False)
