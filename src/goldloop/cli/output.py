"""How the command line talks: progress for people on stderr, their tables or one JSON object for scripts on stdout."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.table import Table
from rich.text import Text

from goldloop.codebook.text import clean
from goldloop.pipeline.read_back import never_appeared_text
from goldloop.pipeline.report import Report, notices
from goldloop.ports import Progress
from goldloop.records import Parked, Record, State
from goldloop.sampling.explain import Explanation

out = Console(highlight=False, emoji=False)
err = Console(stderr=True, highlight=False, emoji=False)

_NEXT = {
    "pull": "goldloop draw",
    "draw": "goldloop prelabel",
    "prelabel": "goldloop enqueue",
    "enqueue": "annotators judge in Label Studio, then goldloop gather",
    "gather": "goldloop resolve",
    "resolve": "goldloop publish",
    "publish": "goldloop report",
}


def plain(text: str) -> str:
    """Text that may come from outside, so that the terminal shows it and interprets nothing of it."""
    return escape(clean(text))


def table(*columns: str, title: str | None = None, numbers: tuple[str, ...] = ()) -> Table:
    """The one look of all tables: `numbers` are the columns that stand on the right."""
    made = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        made.add_column(column, justify="right" if column in numbers else "left", overflow="fold")
    return made


@contextmanager
def bars(*, quiet: bool) -> Iterator[Callable[[str], Progress]]:
    """Progress by verb, on stderr so that stdout can be piped; nothing where nobody looks."""
    if quiet or not err.is_terminal:
        yield lambda _verb: lambda _done, _total, _usd=None: None
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description:<9}"),
        BarColumn(bar_width=30),
        TextColumn("{task.completed:>7,}"),
        TextColumn("{task.fields[cost]}"),
        TimeElapsedColumn(),
    )
    # Redirected, the summaries that are printed meanwhile go above the bars; into a pipe they must not.
    with Bars(*columns, console=err, transient=True, redirect_stdout=out.is_terminal) as shown:

        def of(verb: str) -> Progress:
            for done in shown.task_ids:
                shown.remove_task(done)
            row: TaskID = shown.add_task(verb, total=None, cost="")

            def report(done: int, total: int | None, usd: float | None = None) -> None:
                # Of what is paid for, how many there are belongs beside what it cost so far.
                of = f"of {total:,}, " if total is not None else ""
                shown.update(row, completed=done, total=total, cost=f"{of}{money(usd)}" if usd else "")

            return report

        yield of


def money(usd: float) -> str:
    """Cents from a dollar on, and below it as much as tells something."""
    return f"${usd:,.2f}" if usd >= 1 or not usd else f"${usd:.4f}"


def print_json(value: Mapping[str, object]) -> None:
    """One line of ASCII, so that a script can take the last one."""
    sys.stdout.write(json.dumps(value, default=str) + "\n")


def print_summary(verb: str, summary: Record) -> None:
    """A verb's name and what it counted; of the zeros only the first, for the others tell nothing."""
    if isinstance(summary, Report):
        print_report(summary)
        return
    parts: list[str] = []
    for name, value in summary:
        words = name.replace("_", " ")
        if name == "usd" and value:
            parts.append(f"cost [bold]{money(value)}[/bold]")
        elif isinstance(value, bool | int) and (value or not parts):
            parts.append(f"{words} [bold]{value:,}[/bold]")
        elif isinstance(value, dict) and any(value.values()):
            parts.append(f"{words} ({', '.join(f'{plain(key)} {count:,}' for key, count in value.items() if count)})")
    line = Table.grid(padding=(0, 1))
    line.add_column(style="cyan", min_width=9)
    line.add_row(verb, _wrapped(parts, out.width - max(9, len(verb)) - 1))
    explained = getattr(summary, "explanation", None)
    if explained is not None:
        line.add_row("", brief(explained))
    if alarm := never_appeared_text(getattr(summary, "never_appeared", 0)):
        line.add_row("", f"[red]{alarm}[/red]")
    if getattr(summary, "state", "done") != "done":
        line.add_row("", f"[yellow]{plain(getattr(summary, 'state', ''))}[/yellow]")
    out.print(line)


def _wrapped(parts: Sequence[str], width: int) -> str:
    """Side by side, as many as a line takes: a name stays with its number."""
    lines, free = [""], width
    for part in parts:
        size = cell_len(Text.from_markup(part).plain) + 2
        if lines[-1] and size - 2 > free:
            lines, free = [*lines, ""], width
        lines[-1] += f"{'  ' if lines[-1] else ''}{part}"
        free -= size
    return "\n".join(lines)


def brief(explained: Explanation) -> str:
    """What the unequal weights leave of a draw, in half a line."""
    size = explained.expected_effective_size if explained.effective_size is None else explained.effective_size
    return f"effective size {size:,.1f}, design effect {explained.design_effect:.2f}"


def print_next(verb: str, summary: Record) -> None:
    """What to do after a verb that was run alone."""
    for url in getattr(summary, "project_urls", []) if verb == "enqueue" else []:
        out.print(f"Label Studio: {plain(url)}", soft_wrap=True)
    if getattr(summary, "parked", 0):
        out.print("[yellow]parked[/yellow] ones and their reasons: goldloop parked list")
    if verb in _NEXT:
        out.print(f"Next: {_NEXT[verb]}")


def print_report(made: Report) -> None:
    counts = made.counts
    states = [state.value for state in State]
    shown = table(
        "policy", *states, title=f"{plain(counts.queue)} {plain(made.codebook_version)}", numbers=tuple(states)
    )
    for policy, by_state in sorted(counts.by_policy.items()):
        shown.add_row(plain(policy), *(f"{by_state.get(state, 0):,}" for state in states))
    shown.add_section()
    shown.add_row("all", *(f"{counts.by_state.get(state, 0):,}" for state in states), style="bold")
    out.print(shown)
    numbers = {
        "prelabel": counts.predictions,
        "annotation": counts.annotations,
        "skip": counts.skips,
        "eval row": counts.eval_rows,
    }
    out.print(", ".join(f"{number:,} {what}{'' if number == 1 else 's'}" for what, number in numbers.items()))
    if made.oldest_open_hours is not None:
        out.print(f"The oldest open trace was drawn {made.oldest_open_hours:.1f} hours ago.")
    for reason, rows in sorted(counts.parked_by_reason.items()):
        out.print(f"[yellow]parked[/yellow] {rows:,} because {plain(reason)}: see `goldloop parked list`")
    for sentence in notices(made):
        out.print(plain(sentence), soft_wrap=True)
    for url in made.project_urls:
        out.print(f"Label Studio: {plain(url)}", soft_wrap=True)
    if not made.project_urls:
        out.print("Nothing was put before annotators yet. Next: goldloop run")


def print_parked(rows: list[Parked]) -> None:
    """A table of two lines a row where it has to be: the reason in short, and in words."""
    if not rows:
        out.print("Nothing is parked.")
        return
    shown = table("id", "verb", "what, and why", "tries", "since (UTC)", title="Parked", numbers=("tries",))
    for row in rows:
        why = f"{plain(row.subject)}\n[yellow]{plain(row.reason)}[/yellow]"
        if row.detail and row.detail != row.reason:
            why += f": {plain(row.detail)}"
        shown.add_row(row.parked_id[:8], row.verb, why, str(row.attempts), f"{row.parked_at:%Y-%m-%d %H:%M}")
    out.print(shown)
    out.print("Next: mend the cause, then goldloop parked retry ID (or --all)")
