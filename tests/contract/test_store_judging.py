"""What judges said: predictions, risks, and which candidates no judge has read."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from contract.store_samples import (
    MINUTE,
    NOON,
    QUEUE,
    VERSION,
    candidate,
    draw,
    draw_run,
    have_drawn,
    parked,
    prediction,
    task,
)
from goldloop.adapters.store import SqlStore, predictions
from goldloop.ports import Selection
from goldloop.records import Prediction, Vote

pytest_plugins = ["contract.store_fixtures"]

HISTORY = Selection(history=True)


def vote(judge: str, risk: float | None, **changes: Any) -> Vote:
    return Vote.model_validate({"judge": judge, "judge_version": "1", "risk": risk, "method": "logprobs", **changes})


def whole(trace_id: str = "t1", **changes: Any) -> Prediction:
    """With something in every field."""
    votes = (
        vote("gpt", 0.875, answers={"verdict": "fail", "types": ["a", "b"]}, probability=0.875),
        vote("learned", 0.25, answers={"verdict": "pass"}, method="learned"),
        vote("haiku", None, abstained="no documents \0 \ud800"),
    )
    given: dict[str, Any] = {
        "judge": "panel",
        "answers": {"verdict": "fail", "types": ["a", "b"], "stars": 3.5},
        "probability": 0.75,
        "confidences": {"types": 0.625},
        "risk": 0.75,
        "method": "combination",
        "calibrated": True,
        "threshold": 0.9,
        "reason": "Nothing backs it.",
        "votes": votes,
        "usd": 0.0123,
        "input_tokens": 1200,
        "output_tokens": 30,
        "latency_s": 0.5,
    }
    return prediction(trace_id, **{**given, **changes})


def test_a_prediction_keeps_every_field(store: SqlStore) -> None:
    store.save_predictions([whole()])
    (found,) = store.predictions(QUEUE, VERSION, ["t1", "t2"]).values()
    assert found == whole()
    assert found.judgement.dissent == 0.25
    assert store.prediction(QUEUE, VERSION, "t1") == found
    assert store.prediction(QUEUE, "2.0.0", "t1") is None
    assert store.prediction("another-queue", VERSION, "t1") is None


def test_the_newest_prediction_counts(store: SqlStore) -> None:
    have_drawn(store, "t1")
    assert store.prediction(QUEUE, VERSION, "t1") is None
    newest = prediction(
        minutes=2, judge_version="2", answers={"verdict": "pass", "types": ["a", "b"]}, probability=0.75
    )
    abstained = prediction(minutes=1, judge_version="3", answers={}, abstained="no documents \0 \ud800")
    store.save_predictions([prediction(), newest, abstained])
    assert store.prediction(QUEUE, VERSION, "t1") == newest
    again = prediction(minutes=5, judge_version="2", calibrated=True, reason="a\0b")
    store.save_predictions([again])
    found = store.prediction(QUEUE, VERSION, "t1")
    assert found is not None
    assert found.judged_at == again.judged_at
    assert found.judgement.reason == "ab"
    assert [one.judged_at for one in store.all_predictions(QUEUE, ["t1"])] == [
        NOON,
        NOON + MINUTE,
        NOON + 5 * MINUTE,
    ]


def test_prelabels_are_the_newest_in_short(store: SqlStore) -> None:
    abstained = prediction("t2", minutes=1, answers={}, abstained="no documents")
    others = [prediction("t1", judge_version="old"), prediction("t2", judge_version="old"), prediction("t3")]
    store.save_predictions([whole("t1", minutes=1), abstained, *others])
    said = whole("t1").judgement
    found = store.prelabels(QUEUE, VERSION, ["t1", "t2", "unknown"])
    other = abstained.judgement
    assert {name: (json.loads(one.answers), *one[1:]) for name, one in found.items()} == {
        "t1": (said.answers, said.probability, None, said.judge, said.judge_version),
        "t2": ({}, None, "no documents", other.judge, other.judge_version),
    }
    assert store.prelabels(QUEUE, "2.0.0", ["t1"]) == store.prelabels("another-queue", VERSION, ["t1"]) == {}


def test_all_predictions_are_of_every_judge_and_version(store: SqlStore) -> None:
    old = prediction("t1").model_copy(update={"codebook_version": "0.9.0", "judged_at": NOON - MINUTE})
    other = prediction("t1").model_copy(update={"queue": "another-queue"})
    same_time = [prediction("t1", judge="a"), prediction("t1", judge="b"), prediction("t2", judge="a")]
    store.save_predictions([*reversed(same_time), other, old, prediction("t3")])
    assert store.all_predictions(QUEUE, ["t1", "t2", "unknown"]) == [old, *same_time]


def test_judged_are_drawn_traces_that_this_judge_has_read(store: SqlStore) -> None:
    have_drawn(store, "t1", "t2", "t3", "t4")
    store.save_predictions([prediction(trace_id) for trace_id in ("t1", "t3", "t4", "never-drawn")])
    store.save_tasks([task("t3")], NOON)
    store.park(parked("trace:t4", trace_id="t4"))
    assert store.judged(QUEUE, VERSION, "lexical", "1") == {"t1"}
    for other in (("another-queue", VERSION, "lexical", "1"), (QUEUE, "2.0.0", "lexical", "1")):
        assert store.judged(*other) == set()
    assert store.judged(QUEUE, VERSION, "lexical", "2") == store.judged(QUEUE, VERSION, "another", "1") == set()


def test_a_drawn_trace_counts_once_as_judged_and_only_in_its_version(store: SqlStore) -> None:
    have_drawn(store, "t1", "t2", "t3")
    outdated = prediction("t2").model_copy(update={"codebook_version": "0.9.0"})
    of_t1 = [prediction("t1"), prediction("t1", judge_version="2"), prediction("t1", judge="another")]
    store.save_predictions([*of_t1, outdated, prediction("never-drawn")])
    assert store.counts(QUEUE).predictions == 1
    assert store.counts("another-queue").predictions == 0


# -- candidates that nobody judged


def pages(store: SqlStore, selection: Selection, judge_version: str = "1") -> Iterator[list[str]]:
    return store.unjudged_candidates(QUEUE, VERSION, "lexical", judge_version, selection)


def unjudged(store: SqlStore, selection: Selection = HISTORY, judge_version: str = "1") -> list[str]:
    found = [trace_id for page in pages(store, selection, judge_version) for trace_id in page]
    assert store.count_unjudged_candidates(QUEUE, VERSION, "lexical", judge_version, selection) == len(found)
    return found


def test_unjudged_candidates_come_newest_first_drawn_or_not(store: SqlStore) -> None:
    ages = {"t1": 3, "t2": 0, "t3": 1, "t4": 1}
    store.save_candidates([candidate(name, timestamp=NOON - age * MINUTE) for name, age in ages.items()], NOON)
    run = draw_run()
    store.save_draw(run, [draw("t1", run), draw("t3", run)])
    assert unjudged(store) == ["t2", "t3", "t4", "t1"]
    store.save_predictions([prediction("t3")])
    assert unjudged(store) == ["t2", "t4", "t1"]
    assert unjudged(store, judge_version="2") == ["t2", "t3", "t4", "t1"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"since": NOON - MINUTE}, ["t1", "t2"]),
        ({"until": NOON - MINUTE}, ["t3", "t4"]),
        ({"since": NOON - 2 * MINUTE, "until": NOON}, ["t2", "t3"]),
        ({"categories": ("billing",)}, ["t1", "t3"]),
        ({"categories": ("billing", "returns"), "limit": 3}, ["t1", "t2", "t3"]),
        ({"limit": 1, "since": NOON + MINUTE}, []),
        ({"limit": 9}, ["t1", "t2", "t3", "t4"]),
    ],
)
def test_a_selection_narrows_them(store: SqlStore, changes: dict[str, Any], expected: list[str]) -> None:
    categories = ["billing", "returns", "billing", "other"]
    store.save_candidates(
        [
            candidate(f"t{place + 1}", timestamp=NOON - place * MINUTE, category=category)
            for place, category in enumerate(categories)
        ],
        NOON,
    )
    assert unjudged(store, Selection(history=True, **changes)) == expected


@pytest.mark.parametrize("limit", [None, 7, 23])
def test_pages_neither_miss_nor_repeat_while_predictions_are_saved(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch, limit: int | None
) -> None:
    """Of each page only every second trace is judged, and some of one time fall to two pages."""
    monkeypatch.setattr(predictions, "BATCH", 5)
    all_of_them = [f"t{number:02}" for number in range(23)]
    # Four a minute: pages of five end in the middle of one.
    store.save_candidates(
        [candidate(name, timestamp=NOON - number // 4 * MINUTE) for number, name in enumerate(all_of_them)], NOON
    )
    seen: list[list[str]] = []
    for page in pages(store, Selection(history=True, limit=limit)):
        seen.append(page)
        store.save_predictions([prediction(name) for name in page[::2]])
        late = candidate(f"late{len(seen)}", timestamp=NOON + timedelta(days=1))
        store.save_candidates([late], NOON)
    assert [name for page in seen for name in page] == all_of_them[:limit]
    assert max(map(len, seen)) == 5


# -- risks


def test_risks_are_the_newest_of_each_trace(store: SqlStore) -> None:
    two = (vote("gpt", 0.125), vote("learned", 0.5))
    store.save_predictions(
        [
            prediction("b", risk=0.25),
            prediction("b", minutes=2, judge="panel", risk=0.5, votes=two),
            prediction("b", minutes=1, judge_version="2", risk=0.75),
            prediction("a", risk=0.875),
            prediction("abstained"),
            # Who abstains now said something before: that stands until somebody says more.
            prediction("z", risk=0.0),
            prediction("z", minutes=1, judge_version="2", answers={}, abstained="too long"),
        ]
    )
    other = prediction("a", minutes=9, risk=0.0).model_copy(update={"queue": "another-queue"})
    store.save_predictions([other])
    risks = store.risks(QUEUE)
    assert risks.trace_id.tolist() == [b"a", b"b", b"z"]
    assert risks.risk.tolist() == [0.875, 0.5, 0.0]
    # Of the votes 0.125 is the farthest from 0.5.
    np.testing.assert_array_equal(risks.dissent, [np.nan, 0.125, np.nan])


def test_risks_as_of_a_time_are_what_was_said_by_then(store: SqlStore) -> None:
    store.save_predictions(
        [prediction("a", minutes=minutes, judge_version=str(minutes), risk=minutes / 8) for minutes in (1, 2, 3)]
    )
    store.save_predictions([prediction("b", minutes=3, risk=1.0)])
    by_time = {minutes: store.risks(QUEUE, NOON + minutes * MINUTE) for minutes in range(4)}
    assert {minutes: risks.trace_id.tolist() for minutes, risks in by_time.items()} == {
        0: [],
        1: [b"a"],
        2: [b"a"],
        3: [b"a", b"b"],
    }
    assert [by_time[minutes].risk.tolist() for minutes in (1, 2, 3)] == [[0.125], [0.25], [0.375, 1.0]]


def test_of_risks_of_one_time_the_highest_counts(store: SqlStore) -> None:
    other_version = prediction("t1", judge="a", risk=0.25).model_copy(update={"codebook_version": "2.0.0"})
    two = (vote("gpt", 0.5), vote("learned", 0.75))
    store.save_predictions(
        [
            prediction("t1", judge="a", risk=0.125),
            prediction("t1", judge="b", risk=0.5),
            prediction("t1", judge="c", risk=0.5, votes=two),
            prediction("t1", judge="d", risk=0.5),
            other_version,
        ]
    )
    risks = store.risks(QUEUE)
    # Of two that are equal, the one that knows of dissent.
    assert (risks.risk.tolist(), risks.dissent.tolist()) == ([0.5], [0.75])


def test_risks_of_very_many_rows_come_in_parts(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predictions, "_ROWS", 3)
    for version in (1, 2):
        store.save_predictions(
            [prediction(f"t{n}", minutes=version, judge_version=str(version), risk=n * version / 16) for n in range(8)]
        )
    risks = store.risks(QUEUE)
    assert risks.trace_id.tolist() == [f"t{n}".encode() for n in range(8)]
    assert risks.risk.tolist() == [n / 8 for n in range(8)]


def test_risks_of_ids_beyond_ascii_ascend_by_their_bytes(store: SqlStore) -> None:
    names = ["z", "é", "a", "ab", "\U0001f600", "\uffee"]
    store.save_predictions([prediction(name, risk=place / 8) for place, name in enumerate(names)])
    risks = store.risks(QUEUE)
    # UTF-8: a < ab < z < é (c3..) < U+FFEE (ef..) < U+1F600 (f0..)
    assert risks.trace_id.tolist() == [name.encode() for name in ("a", "ab", "z", "é", "\uffee", "\U0001f600")]
    assert risks.risk.tolist() == [0.25, 0.375, 0.0, 0.125, 0.625, 0.5]


def test_there_may_be_no_risks(store: SqlStore) -> None:
    risks = store.risks(QUEUE)
    assert (len(risks.trace_id), len(risks.risk), len(risks.dissent)) == (0, 0, 0)
    assert risks.trace_id.dtype.kind == "S"
