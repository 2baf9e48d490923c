"""What the adapters read in pages, while servers order equal times as they like and rows change between two pages."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import hypothesis.strategies as st
from hypothesis import given
from pydantic import SecretStr

from goldloop.adapters.labelstudio import connect as label_studio
from goldloop.adapters.langfuse import Retries
from goldloop.adapters.langfuse import connect as langfuse
from goldloop.ports import Window
from goldloop.records import Candidate, Signal

START = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
# Few of them, so that most tasks share theirs with others.
MOMENTS = st.integers(0, 3)
SINCE = st.none() | st.integers(-1, 3)


class Listed:
    """Label Studio's task listing: filtered and ordered as asked, and among equals as it comes.

    `changes` says of each request which tasks change just before it is answered; `None` is one that goes.
    """

    def __init__(self, moments: list[int], changes: list[list[tuple[int, bool]]], ties: Any) -> None:
        self.tasks = {task_id: (START + at * MICROSECOND, 0) for task_id, at in enumerate(moments, start=1)}
        self._changes, self._ties = list(changes), ties
        self._now = START + timedelta(seconds=1)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/users/":
            return httpx.Response(200, json=[])
        for pick, goes in self._changes.pop(0) if self._changes else []:
            self._change(pick, goes=goes)
        query = json.loads(request.url.params["query"])
        (order,) = query["ordering"]
        rows = [task_id for task_id in self.tasks if all(self._lets(task_id, one) for one in query["filters"]["items"])]
        self._ties.shuffle(rows)
        if order == "tasks:updated_at":
            rows.sort(key=lambda task_id: self.tasks[task_id][0])
        else:
            assert order == "tasks:id"
            rows.sort()
        page = rows[: int(request.url.params["page_size"])]
        return httpx.Response(200, json={"tasks": [self._row(one) for one in page], "total": len(rows)})

    def _change(self, pick: int, *, goes: bool) -> None:
        if not self.tasks:
            return
        task_id = sorted(self.tasks)[pick % len(self.tasks)]
        if goes:
            del self.tasks[task_id]
            return
        # Every other change has the time of the one before: a bulk action.
        self._now += MICROSECOND * (pick % 2)
        self.tasks[task_id] = (self._now, self.tasks[task_id][1] + 1)

    def _lets(self, task_id: int, one: dict[str, Any]) -> bool:
        if one["filter"] == "filter:tasks:id":
            return bool(task_id > one["value"])
        assert one["filter"] == "filter:tasks:updated_at"
        given, mine = datetime.fromisoformat(one["value"]), self.tasks[task_id][0]
        return {"greater": mine > given, "greater_or_equal": mine >= given, "equal": mine == given}[one["operator"]]

    def _row(self, task_id: int) -> dict[str, Any]:
        moment, version = self.tasks[task_id]
        return {
            "id": task_id,
            "updated_at": moment.isoformat().replace("+00:00", "Z"),
            "created_at": START.isoformat(),
            "data": {"trace_id": f"t{task_id}", "output": str(version)},
            "total_predictions": 0,
            "annotations": [],
        }


@given(
    moments=st.lists(MOMENTS, max_size=12),
    since=SINCE,
    changes=st.lists(st.lists(st.tuples(st.integers(0, 99), st.booleans()), max_size=3), max_size=6),
    size=st.integers(1, 4),
    ties=st.randoms(use_true_random=False),
)
def test_every_task_that_changed_is_listed_as_it_is_in_the_end(
    moments: list[int], since: int | None, changes: list[list[tuple[int, bool]]], size: int, ties: Any
) -> None:
    server = Listed(moments, changes, ties)
    queue = label_studio("http://labels.test", SecretStr("key"), transport=httpx.MockTransport(server), page_size=size)
    after = None if since is None else START + since * MICROSECOND
    seen: dict[int, tuple[datetime, int]] = {}
    for page in queue.changed_tasks(5, after):
        assert page.rejected == []
        for row in page.rows:
            seen[row.task_id] = (row.updated_at, int(row.shown_output))
    assert {one: seen.get(one) for one in server.tasks if after is None or server.tasks[one][0] > after} == {
        one: known for one, known in server.tasks.items() if after is None or known[0] > after
    }


@given(
    moments=st.lists(MOMENTS, max_size=12),
    changes=st.lists(st.lists(st.tuples(st.integers(0, 99), st.just(True)), max_size=2), max_size=4),
    size=st.integers(1, 4),
    ties=st.randoms(use_true_random=False),
)
def test_every_task_that_stays_is_among_the_ids(
    moments: list[int], changes: list[list[tuple[int, bool]]], size: int, ties: Any
) -> None:
    before = set(range(1, len(moments) + 1))
    server = Listed(moments, changes, ties)
    queue = label_studio("http://labels.test", SecretStr("key"), transport=httpx.MockTransport(server), page_size=size)
    found = queue.task_ids(5)
    assert set(server.tasks) <= found <= before


# -- Langfuse


class Cursors:
    """Lists in pages of whatever length, empty ones too, each named by a cursor."""

    def __init__(self, **lists: list[list[dict[str, Any]]]) -> None:
        self._lists = lists

    def __call__(self, request: httpx.Request) -> httpx.Response:
        params = request.url.params
        name = "scores" if request.url.path.endswith("scores") else f"roots_{params['isRootObservation']}"
        pages = self._lists[name] or [[]]
        number = int(params.get("cursor", "0"))
        meta = {"cursor": str(number + 1)} if number + 1 < len(pages) else {}
        return httpx.Response(200, json={"data": pages[number], "meta": meta})


def observation(number: int, *, root: bool) -> dict[str, Any]:
    row = {"id": f"o{number}", "traceId": f"t{number}", "startTime": "2026-03-02T12:00:00.000Z", "type": "SPAN"}
    return {**row, "name": "answer", "environment": "prod", "isRootObservation": root}


def score(number: int) -> dict[str, Any]:
    row = {"id": f"s{number}", "name": "thumbs", "value": 1, "dataType": "NUMERIC", "source": "API"}
    return {**row, "timestamp": "2026-03-02T12:00:00.000Z", "subject": {"kind": "trace", "id": f"t{number}"}}


def paged(rows: list[dict[str, Any]], lengths: list[int]) -> list[list[dict[str, Any]]]:
    pages, rest = [], rows
    for length in lengths:
        pages.append(rest[:length])
        rest = rest[length:]
    return [*pages, rest]


LENGTHS = st.lists(st.integers(0, 3), max_size=6)


@given(
    roots=st.integers(0, 9),
    others=st.integers(0, 5),
    scores=st.integers(0, 9),
    lengths=LENGTHS,
    broken=st.integers(0, 9),
)
def test_every_row_of_every_page_comes_once(
    roots: int, others: int, scores: int, lengths: list[int], broken: int
) -> None:
    rooted = [observation(number, root=True) for number in range(roots)]
    rootless = [observation(100 + number, root=False) for number in range(others)]
    clicks = [score(number) for number in range(scores)]
    if broken < roots:
        rooted[broken]["startTime"] = "yesterday"
    server = Cursors(
        roots_true=paged(rooted, lengths), roots_false=paged(rootless, lengths), scores=paged(clicks, lengths)
    )
    keys = SecretStr("pk"), SecretStr("sk")
    retries = Retries(attempts=1, wait_initial=0, wait_max=0, wait_jitter=0, retry_after_cap=0)
    source = langfuse("http://langfuse.test", *keys, transport=httpx.MockTransport(server), retries=retries).source
    window = Window(start=START, end=START + timedelta(hours=1))
    found: list[Candidate] = []
    rejected: list[tuple[str, str]] = []
    for page in source.candidates(window):
        found += page.rows
        rejected += page.rejected
    wanted = [f"t{number}" for number in range(roots) if number != broken]
    assert sorted(one.trace_id for one in found if one.roots) == sorted(wanted)
    assert sorted(one.trace_id for one in found if not one.roots) == [f"t{100 + number}" for number in range(others)]
    assert [row_id for row_id, _ in rejected] == ([f"t{broken}"] if broken < roots else [])
    signals: list[Signal] = [one for page in source.signals(window) for one in page.rows]
    assert [one.signal_id for one in signals] == [f"s{number}" for number in range(scores)]
