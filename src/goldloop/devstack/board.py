"""What the dev stack shows while it works: a bar for each step on a terminal, a line for each change elsewhere."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from goldloop.ports import Progress

_QUIET_SECONDS = 5.0
"""Where nobody watches a bar move, a step that goes on says so this often."""


class Board:
    """Steps by name. Threads may report side by side."""

    def __init__(self, console: Console, bars: Bars | None) -> None:
        self._console = console
        self._bars = bars
        self._rows: dict[str, TaskID] = {}
        self._said: dict[str, tuple[str, float]] = {}
        self._lock = threading.Lock()

    def part(self, name: str, doing: str) -> None:
        """A server of the stack, and what it is doing: "starting 12 s", "ready"."""
        with self._lock:
            if self._bars is None:
                self._line(name, doing, final=doing == "ready")
                return
            row = self._row(name)
            self._bars.update(row, note=doing)
            if doing == "ready":
                self._bars.update(row, total=1, completed=1)

    def step(self, name: str) -> Progress:
        """The bar of a step that counts."""

        def report(done: int, total: int | None, _usd: float | None = None) -> None:
            with self._lock:
                if self._bars is None:
                    self._line(name, f"{done}" if total is None else f"{done} of {total}", final=done == total)
                else:
                    note = "" if total is None else f"{done:,} of {total:,}"
                    self._bars.update(self._row(name), completed=done, total=total, note=note)

        return report

    def end(self) -> None:
        """No bar moves any more: what follows is text."""
        if self._bars is not None:
            self._bars.stop()

    def say(self, text: str) -> None:
        """A line that stays."""
        self._console.print(text, highlight=False, soft_wrap=True)

    def _row(self, name: str) -> TaskID:
        if name not in self._rows:
            assert self._bars is not None
            self._rows[name] = self._bars.add_task(name, total=None, note="")
        return self._rows[name]

    def _line(self, name: str, text: str, *, final: bool) -> None:
        before, at = self._said.get(name, ("", 0.0))
        now = time.monotonic()
        if text != before and (final or now - at > _QUIET_SECONDS):
            self._said[name] = (text, now)
            self._console.print(f"{name}: {text}", highlight=False, soft_wrap=True)


@contextmanager
def board(console: Console) -> Iterator[Board]:
    """The board, shown while inside."""
    if not console.is_terminal:
        yield Board(console, None)
        return
    columns = (
        SpinnerColumn(finished_text="[green]✓[/green]"),
        TextColumn("{task.description:<24}"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[note]:<28}"),
        TimeElapsedColumn(),
    )
    with Bars(*columns, console=console) as bars:
        yield Board(console, bars)
