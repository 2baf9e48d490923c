"""Codebooks, projects, watermarks, candidates and signals."""

import time
from collections.abc import Sequence
from datetime import UTC, timedelta, timezone

import pytest

from contract.store_samples import MINUTE, NOON, QUEUE, TODAY, VERSION, candidate, codebook, have_drawn, resolve, score
from goldloop.adapters.store import SqlStore
from goldloop.errors import CodebookError
from goldloop.ports import Window
from goldloop.records import Candidate, Project, Signal

pytest_plugins = ["contract.store_fixtures"]


def stored(store: SqlStore) -> Candidate:
    """The one candidate, as it lies in the store."""
    from goldloop.adapters.store.rows import record_of  # noqa: PLC0415 - nothing else here looks inside
    from goldloop.adapters.store.tables import candidates  # noqa: PLC0415 - nothing else here looks inside

    with store._db.read() as connection:
        (row,) = connection.execute(candidates.select()).mappings()
        return record_of(Candidate, row)


def test_a_codebook_comes_back_as_it_was_saved(store: SqlStore) -> None:
    store.save_codebook(codebook(), NOON)
    store.save_codebook(codebook(), NOON + MINUTE)
    assert store.codebook(QUEUE, VERSION) == codebook()


def test_a_version_keeps_its_content(store: SqlStore) -> None:
    store.save_codebook(codebook(), NOON)
    with pytest.raises(CodebookError, match=r"answer-quality@1\.0\.0 .* new version"):
        store.save_codebook(codebook(title="Another title"), NOON)
    store.save_codebook(codebook(title="Another title", version="1.0.1"), NOON)
    assert store.codebook(QUEUE, VERSION).title == "Answer quality"


def test_a_versions_queue_settings_may_change(store: SqlStore) -> None:
    store.save_codebook(codebook(), NOON)
    more = codebook().queue.model_copy(update={"budget": 7})
    store.save_codebook(codebook().model_copy(update={"queue": more}), NOON + MINUTE)
    assert store.codebook(QUEUE, VERSION).queue.budget == 7


def test_a_codebook_that_was_never_saved_is_an_error(store: SqlStore) -> None:
    with pytest.raises(CodebookError, match=r"answer-quality@9\.9\.9 is not in the store"):
        store.codebook(QUEUE, "9.9.9")


def test_a_project_is_replaced_by_its_successor(store: SqlStore) -> None:
    first = Project(queue=QUEUE, codebook_version=VERSION, project_id=3, url="http://127.0.0.1/3")
    blind = Project(queue=QUEUE, codebook_version=VERSION, purpose="blind", project_id=2, url="http://127.0.0.1/2")
    for project in (first, blind, first.model_copy(update={"project_id": 9})):
        store.save_project(project)
    assert [project.project_id for project in store.projects(QUEUE)] == [2, 9]
    assert store.projects("another") == []


def test_a_watermark_keeps_its_microseconds_and_its_moment(store: SqlStore) -> None:
    assert store.watermark("traces") is None
    store.set_watermark("traces", NOON.astimezone(timezone(timedelta(hours=5, minutes=30))))
    found = store.watermark("traces")
    assert found == NOON
    assert found is not None
    assert found.tzinfo == UTC
    store.set_watermark("traces", NOON - MINUTE)
    assert store.watermark("traces") == NOON - MINUTE


def test_a_candidate_comes_back_whole(store: SqlStore) -> None:
    whole = candidate(
        environment="production",
        name="chat",
        user_id="u1",
        session_id="s1",
        model="m",
        release="1",
        tags=("a", "b"),
        roots=1,
    )
    store.save_candidates([whole], NOON)
    assert stored(store) == whole
    assert store.environments(["t1"]) == {"t1": "production"}


def test_the_environment_of_an_unknown_trace_is_left_out(store: SqlStore) -> None:
    store.save_candidates([candidate("t1"), candidate("t2", environment="staging")], NOON)
    assert store.environments(["t2", "nosuch", "t1"]) == {"t1": "default", "t2": "staging"}
    assert store.environments([]) == {}


LATE = NOON + MINUTE
LATER = LATE + MINUTE


@pytest.mark.parametrize(
    ("pages", "name", "timestamp", "roots"),
    [
        # Without a root it never replaces one with a root, however early it is, and yields to one at any time.
        ([[candidate(name="root")], [candidate(name="none", timestamp=NOON - MINUTE, roots=0)]], "root", NOON, 1),
        ([[candidate(name="none", roots=0)], [candidate(name="root", timestamp=LATE)]], "root", LATE, 1),
        ([[candidate(name="none", roots=0), candidate(name="root", timestamp=LATE)]], "root", LATE, 1),
        # Two without a root: the earlier one.
        ([[candidate(name="b", timestamp=LATE, roots=0)], [candidate(name="a", roots=0)]], "a", NOON, 0),
        # Several roots: the earliest, in whatever order and on whatever page they come.
        ([[candidate(name="b", timestamp=LATE), candidate(name="a")]], "a", NOON, 2),
        ([[candidate(name="a")], [candidate(name="b", timestamp=LATE)]], "a", NOON, 1),
        ([[candidate(name="b", timestamp=LATE)], [candidate(name="a")]], "a", NOON, 1),
        (
            [[candidate(name="a")], [candidate(name="b", timestamp=LATE), candidate(name="c", timestamp=LATER)]],
            "a",
            NOON,
            2,
        ),
        # The overlap of two scans brings the same root again, with what was filled in since.
        ([[candidate(name="a")], [candidate(name="filled in")]], "filled in", NOON, 1),
        ([[candidate(name="b", timestamp=LATE), candidate(name="a")]] * 3, "a", NOON, 2),
    ],
)
def test_the_earliest_root_of_a_trace_wins(
    store: SqlStore, pages: Sequence[Sequence[Candidate]], name: str, timestamp: object, roots: int
) -> None:
    for page in pages:
        store.save_candidates(page, NOON)
    found = stored(store)
    assert (found.name, found.timestamp, found.roots) == (name, timestamp, roots)
    assert store.candidate_count() == 1


def test_an_empty_page_is_no_error(store: SqlStore) -> None:
    store.save_candidates([], NOON)
    store.save_signals([])
    assert store.candidate_count() == 0


def signal(signal_id: str = "g1", **changes: object) -> Signal:
    given: dict[str, object] = {"signal_id": signal_id, "trace_id": "t1", "name": "thumbs", "value": 1.0, "at": NOON}
    return Signal.model_validate({**given, **changes})


def test_signals_are_replaced_by_id_and_come_oldest_first(store: SqlStore) -> None:
    store.save_signals(
        [signal("g2", at=NOON + MINUTE, value=None, label="wrong"), signal(), signal("g3", trace_id="x")]
    )
    store.save_signals([signal(value=0.0)])
    assert store.signals("t1") == [signal(value=0.0), signal("g2", at=NOON + MINUTE, value=None, label="wrong")]


def test_goldloops_own_scores_are_no_signals(store: SqlStore) -> None:
    have_drawn(store, "t1")
    resolve(store, score("s1"))
    store.save_signals([signal("s1"), signal("g1")])
    assert [found.signal_id for found in store.signals("t1")] == ["g1"]


def test_pages_are_written_and_framed_at_speed(store: SqlStore) -> None:
    pages = [
        [candidate(f"{page:03d}-{row:04d}", user_id=f"u{row % 97}", tags=("a",)) for row in range(1000)]
        for page in range(20)
    ]
    start = time.perf_counter()
    for page in pages:
        store.save_candidates(page, NOON)
    written = time.perf_counter()
    frame = store.frame(QUEUE, Window(start=TODAY.start, end=TODAY.end))
    framed = time.perf_counter()
    assert len(frame) == 20_000
    # Generous: a loaded machine must pass, one statement a row must not.
    assert written - start < 10
    assert framed - written < 3
