"""Whatever the order in which a server shows things, after the last pull and gather they are there, in their last form.

Langfuse may show a trace as late as overlap and lag together allow, Label Studio commit a change as late as gather's
overlap does: later is not promised.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import example, given
from sqlalchemy import select

from builders import NOW, QUEUE
from fakes.task_queue import FakeTaskQueue
from goldloop.adapters.store import open_store, tables
from goldloop.errors import RetryableError
from goldloop.ports import Page
from goldloop.records import Candidate, Signal, TaskSnapshot
from pipeline.loop import ADA, BEN, REACH, Loop
from properties.late_langfuse import Late, LateLangfuse
from properties.test_sync import without_threads

SECOND = timedelta(seconds=1)
SKEW = timedelta(minutes=2)
"""The worker's clock is no more than this ahead of the servers': it comes off what the overlap leaves."""
LATEST = REACH.overlap + REACH.lag - SKEW
GATHER_OVERLAP = timedelta(minutes=2)
# Few of them, so that many rows have one time.
TIMES = st.sampled_from([0, 1, 60, 600, 1800, 3600, 3601, 7200]).map(lambda seconds: seconds * SECOND)
LATENESS = st.sampled_from([0.0, 0.1, 0.5, 0.9, 0.99, 1.0]).map(lambda part: part * LATEST)
WORDS = st.sampled_from(["returns", "refunds", "delivery"])


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("orders") / "template.db"
    open_store(f"sqlite:///{file}").close()
    return file


@dataclass(frozen=True)
class Pulled:
    """One pull: so long after the one before, by a clock that is off, with pages that take their time."""

    after: timedelta
    skew: timedelta
    page_takes: timedelta
    breaks_after: int | None


PULLS = st.lists(
    st.builds(
        Pulled,
        after=st.sampled_from([0, 1, 30, 600, 1700, 3450, 3600, 9000]).map(lambda seconds: seconds * SECOND),
        skew=st.sampled_from([-3600.0, -1.0, 0.0, 1.0, SKEW.total_seconds()]).map(lambda seconds: seconds * SECOND),
        page_takes=st.sampled_from([0, 1, 45, 400]).map(lambda seconds: seconds * SECOND),
        breaks_after=st.none() | st.integers(0, 6),
    ),
    max_size=6,
)


@st.composite
def roots(draw: st.DrawFn) -> list[Late[Candidate]]:
    """Traces of one root or several, or of none; roots of one trace differ in their times."""
    found: list[Late[Candidate]] = []
    for number in range(draw(st.integers(1, 7))):
        for place, at in enumerate(draw(st.lists(TIMES, min_size=1, max_size=3, unique=True))):
            rooted = draw(st.integers(0, 3)) > 0
            forms: list[tuple[datetime, Candidate]] = []
            for since in sorted(draw(st.lists(LATENESS, min_size=1, max_size=3, unique=True))):
                form = Candidate(
                    trace_id=f"t{number}",
                    category=draw(WORDS),
                    user_id=draw(WORDS),
                    timestamp=NOW + at,
                    roots=int(rooted),
                )
                forms.append((NOW + at + since, form))
            found.append(Late(f"t{number}-{place}", NOW + at, tuple(forms)))
    return found


@st.composite
def clicked(draw: st.DrawFn) -> list[Late[Signal]]:
    found = []
    for number in range(draw(st.integers(0, 5))):
        at = NOW + draw(TIMES)
        forms = [
            (at + since, Signal(signal_id=f"s{number}", trace_id="t0", name="thumbs", value=draw(LABEL_VALUES), at=at))
            for since in sorted(draw(st.lists(LATENESS, min_size=1, max_size=2, unique=True)))
        ]
        found.append(Late(f"s{number}", at, tuple(forms)))
    return found


LABEL_VALUES = st.sampled_from([0.0, 1.0])


def late(row: Candidate | Signal, at: datetime, row_id: str) -> Late[Any]:
    return Late(row_id, at, ((at + LATEST, row),))


@given(roots=roots(), clicks=clicked(), pulls=PULLS, page_size=st.integers(1, 4))
@example(
    roots=[late(Candidate(trace_id="t0", category="returns", timestamp=NOW), NOW, "t0-0")],
    clicks=[late(Signal(signal_id="s0", trace_id="t0", name="thumbs", value=1.0, at=NOW), NOW, "s0")],
    pulls=[Pulled(LATEST - SECOND, SKEW, timedelta(0), None)],
    page_size=1,
)  # read at the last moment before it shows, by a clock that is as far ahead as it may be
def test_pull_has_every_row_once_in_its_last_form(
    template: Path, roots: list[Late[Candidate]], clicks: list[Late[Signal]], pulls: list[Pulled], page_size: int
) -> None:
    with TemporaryDirectory() as folder, Loop(Path(folder), template) as loop:
        real = NOW
        takes = timedelta(0)

        def go_on() -> None:
            nonlocal real
            real += takes

        langfuse = LateLangfuse(roots, clicks, lambda: real, go_on, page_size)
        loop.source = langfuse
        for one in pulls:
            real += one.after
            takes, langfuse.breaks_after = one.page_takes, one.breaks_after
            loop.clock.now = real + one.skew
            try:
                loop.pull()
            except RetryableError:
                continue
        takes, langfuse.breaks_after = timedelta(0), None
        # By then everything is to be read, and the lag is over.
        shown = [since for root in roots for since, _ in root.forms] + [
            since for one in clicks for since, _ in one.forms
        ]
        last = max(shown, default=NOW)
        real = loop.clock.now = max(real, last) + REACH.lag + SECOND
        loop.pull()
        assert stored(loop) == wanted(roots)
        kept = sorted(loop.store.signals("t0"), key=lambda signal: signal.signal_id)
        assert kept == [row.forms[-1][1] for row in clicks]


def stored(loop: Loop) -> dict[str, tuple[datetime, str, str | None, bool]]:
    with loop.store._db.read() as connection:
        rows = connection.execute(select(tables.candidates)).mappings().all()
    return {row["trace_id"]: (row["timestamp"], row["category"], row["user_id"], row["roots"] > 0) for row in rows}


def wanted(roots: list[Late[Candidate]]) -> dict[str, tuple[datetime, str, str | None, bool]]:
    """Of each trace its earliest root, or where it shows none, its earliest observation."""
    first: dict[str, Candidate] = {}
    for row in sorted(roots, key=lambda row: (row.forms[-1][1].roots == 0, row.at)):
        first.setdefault(row.forms[-1][1].trace_id, row.forms[-1][1])
    return {trace_id: (one.timestamp, one.category, one.user_id, one.roots > 0) for trace_id, one in first.items()}


# -- Label Studio


@dataclass(frozen=True)
class Commit:
    """A change of a task: begun at a time, and seen `late` after that."""

    begun: timedelta
    late: timedelta
    what: str
    task: int
    verdict: str


COMMITS = st.lists(
    st.builds(
        Commit,
        begun=st.sampled_from([0, 0, 1, 30, 119, 120, 121, 600]).map(lambda seconds: seconds * SECOND),
        late=st.sampled_from([0, 0, 1, 60, 119]).map(lambda seconds: seconds * SECOND),
        what=st.sampled_from(["annotate", "annotate", "edit", "skip", "unskip", "delete", "touch", "clear"]),
        task=st.integers(0, 6),
        verdict=st.sampled_from(["pass", "fail"]),
    ),
    min_size=1,
    max_size=14,
)


class Busy:
    """A queue whose listing goes on while people do: after each page some more commits are seen."""

    def __init__(self, tasks: FakeTaskQueue, happens: Callable[[], None]) -> None:
        self._tasks, self._happens = tasks, happens

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tasks, name)

    def changed_tasks(self, project_id: int, since: datetime | None) -> Iterator[Page[TaskSnapshot]]:
        for page in self._tasks.changed_tasks(project_id, since):
            yield page
            self._happens()


@given(
    commits=COMMITS, polls=st.lists(st.integers(0, 3), max_size=10), between=st.integers(0, 3), size=st.integers(1, 4)
)
@example(
    commits=[Commit(SECOND, 0 * SECOND, "annotate", 0, "pass"), Commit(0 * SECOND, 60 * SECOND, "annotate", 1, "fail")],
    polls=[1],
    between=0,
    size=3,
)  # the poll between them may not believe that nothing came below the newest change
def test_gather_has_every_change_in_whatever_order_they_are_committed(
    template: Path, commits: list[Commit], polls: list[int], between: int, size: int
) -> None:
    with TemporaryDirectory() as folder, Loop(Path(folder), template) as loop, pytest.MonkeyPatch.context() as patch:
        without_threads(patch)
        loop.tasks.clock = loop.clock
        loop.queue(*[f"t{number}" for number in range(7)])
        loop.tasks._page_size = size
        waiting = sorted(commits, key=lambda one: one.begun + one.late)
        start = loop.clock() + SECOND

        def commit(number: int) -> None:
            for _ in range(min(number, len(waiting))):
                one = waiting.pop(0)
                loop.clock.now = max(loop.clock.now, start + one.begun + one.late)
                change(loop, one, start + one.begun)

        fake = loop.tasks
        loop.tasks = Busy(fake, lambda: commit(between))  # type: ignore[assignment] # the same in all else
        for number in polls:
            commit(number)
            loop.gather()
        commit(len(waiting))
        loop.tasks = fake
        loop.gather()
        assert gathered(loop) == standing(loop)


def change(loop: Loop, one: Commit, at: datetime) -> None:
    """Times may repeat, and those of one task go back: a transaction takes its time when it begins."""
    tasks = loop.tasks._tasks if isinstance(loop.tasks, FakeTaskQueue) else loop.tasks._tasks._tasks
    fake = loop.tasks if isinstance(loop.tasks, FakeTaskQueue) else loop.tasks._tasks
    task = tasks[sorted(tasks)[one.task % len(tasks)]]
    if one.what == "annotate":
        fake.annotate(task.task_id, loop.answer(verdict=one.verdict), annotator=ADA if one.task % 2 else BEN, at=at)
    elif one.what == "clear":
        fake.clear(task.project_id, at=at)
    elif task.annotations:
        first = min(task.annotations)
        match one.what:
            case "edit":
                fake.edit(first, loop.answer(verdict=one.verdict), at=at)
            case "skip":
                fake.skip(first, at=at)
            case "unskip":
                fake.unskip(first, at=at)
            case "delete":
                fake.delete_annotation(first, at=at)
            case _:
                fake.touch(first, at=at)


def standing(loop: Loop) -> dict[tuple[str, int], tuple[bool, str | None]]:
    return {
        (task.draft.trace_id, one.annotation_id): (
            one.skipped,
            None if one.skipped else _verdict(one.result),
        )
        for task in loop.tasks._tasks.values()
        for one in task.annotations.values()
    }


def _verdict(result: list[dict[str, Any]]) -> str:
    (part,) = (part for part in result if part["from_name"] == "verdict")
    return str(part["value"]["choices"][0])


def gathered(loop: Loop) -> dict[tuple[str, int], tuple[bool, str | None]]:
    found = [one for number in range(7) for one in loop.store.annotations(QUEUE, f"t{number}")]
    return {
        (one.trace_id, one.annotation_id): (one.skipped, None if one.skipped else str(one.answers["verdict"]))
        for one in found
        if not one.deleted
    }
