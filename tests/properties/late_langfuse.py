"""A Langfuse that shows rows when it likes: late, changed, and between two pages of one listing."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from fakes.langfuse import FakeTraceSource
from goldloop.errors import RetryableError
from goldloop.ports import Page, Window
from goldloop.records import Candidate, Signal

RowT = TypeVar("RowT", Candidate, Signal)


@dataclass(frozen=True)
class Late(Generic[RowT]):
    """What is to be read of one row: its forms, and from when on each of them."""

    row_id: str
    at: datetime
    forms: tuple[tuple[datetime, RowT], ...]

    def form(self, now: datetime) -> RowT | None:
        shown = [form for since, form in self.forms if since <= now]
        return shown[-1] if shown else None


class LateLangfuse(FakeTraceSource):
    """Newest first by a cursor, as the real one; each page holds what is to be read when it is asked for.

    Attributes:
        between: called after each page: time goes on.
        breaks_after: pages after which the connection breaks, once.
    """

    def __init__(
        self,
        roots: Sequence[Late[Candidate]],
        clicked: Sequence[Late[Signal]],
        clock: Callable[[], datetime],
        between: Callable[[], None],
        page_size: int,
    ) -> None:
        super().__init__(page_size=page_size)
        self._late_roots, self._late_clicks, self._clock = roots, clicked, clock
        self.between = between
        self.breaks_after: int | None = None

    def candidates(self, window: Window) -> Iterator[Page[Candidate]]:
        for rooted in (True, False):
            yield from self._listed([one for one in self._late_roots if bool(one.forms[0][1].roots) == rooted], window)

    def signals(self, window: Window) -> Iterator[Page[Signal]]:
        return self._listed(self._late_clicks, window)

    def _listed(self, rows: Sequence[Late[RowT]], window: Window) -> Iterator[Page[RowT]]:
        after: tuple[datetime, str] | None = None
        while True:
            if self.breaks_after is not None:
                self.breaks_after -= 1
                if self.breaks_after < 0:
                    self.breaks_after = None
                    raise RetryableError("Langfuse", "it broke off: try again later")
            now = self._clock()
            there = sorted(
                (
                    (one.at, one.row_id, form)
                    for one in rows
                    if window.start <= one.at < window.end and (form := one.form(now)) is not None
                ),
                key=lambda found: found[:2],
                reverse=True,
            )
            page = [found for found in there if after is None or found[:2] < after][: self._page_size]
            if not page:
                return
            after = page[-1][:2]
            yield Page(rows=[form for _, _, form in page], rejected=[])
            self.between()
