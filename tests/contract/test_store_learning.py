"""What judges learn from and what they learned: features, blind labels, fits, examples."""

import math
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from contract.store_samples import (
    MINUTE,
    NOON,
    QUEUE,
    VERSION,
    answer,
    candidate,
    draw,
    draw_run,
    have_drawn,
    resolve,
)
from goldloop.adapters.store import SqlStore, tables
from goldloop.records import BlindLabel, Example, JudgeFit, JudgeQuality, State, TraceFeatures

pytest_plugins = ["contract.store_fixtures"]

TICK = timedelta(microseconds=1)


def features(trace_id: str = "t1", *values: float, **changes: Any) -> TraceFeatures:
    given = {"trace_id": trace_id, "version": "1", "asked": "a1", "values": values or (0.5, -2.0)}
    return TraceFeatures.model_validate({**given, **changes})


def label(trace_id: str = "t1", **changes: Any) -> BlindLabel:
    given = {
        "queue": QUEUE,
        "trace_id": trace_id,
        "question": "verdict",
        "since": VERSION,
        "value": "fail",
        "category": "billing",
    }
    return BlindLabel.model_validate({**given, **changes})


def fit(version: str = "v1", *, minutes: int = 0, **changes: Any) -> JudgeFit:
    quality = JudgeQuality(labels={"pass": 60, "fail": 50}, groups=90, auroc=0.875, kappa=0.5, ece=0.03, accuracy=0.8)
    given = {
        "queue": QUEUE,
        "question": "verdict",
        "since": VERSION,
        "judge": "learned",
        "version": version,
        "body": {"coefficients": [0.1, 1 / 3], "features": "1", "nested": {"deep": [True, None]}},
        "quality": quality,
        "threshold": 0.9,
        "fitted_at": NOON + minutes * MINUTE,
    }
    return JudgeFit.model_validate({**given, **changes})


def test_features_come_back_by_trace_and_version(store: SqlStore) -> None:
    older = features("t1", 1.0, version="0")
    store.save_features([features("t1"), features("t2", 0.25, 3.0), older])
    assert store.features("1", ["t2", "unknown", "t1"]) == {"t1": features("t1"), "t2": features("t2", 0.25, 3.0)}
    assert store.features("0", ["t1", "t2"]) == {"t1": older}
    assert store.features("1", []) == {}
    store.save_features([features("t1", 9.0, asked="a2")])
    assert store.features("1", ["t1"]) == {"t1": features("t1", 9.0, asked="a2")}


def test_features_are_floats_of_32_bits_little_end_first(store: SqlStore) -> None:
    store.save_features([features("t1", 1.0, -2.0), features("t2", 1 / 3, math.inf), features("none", asked="a")])
    # 1.0 is 3f800000 and -2.0 c0000000: sign, eight bits of exponent (bias 127), 23 of fraction.
    with store._db.read() as connection:
        query = select(tables.trace_features.c.numbers).where(tables.trace_features.c.trace_id == "t1")
        assert bytes(connection.execute(query).scalar_one()).hex() == "0000803f000000c0"
    third, infinite = store.features("1", ["t2"])["t2"].values
    assert third == pytest.approx(1 / 3, rel=2**-24)
    assert third != 1 / 3
    assert infinite == math.inf


def have_resolved(store: SqlStore, trace_id: str, *answers: Any, blind: bool = True, **of_candidate: Any) -> None:
    store.save_candidates([candidate(trace_id, **of_candidate)], NOON)
    run = draw_run(run_id=f"run-{trace_id}")
    store.save_draw(run, [draw(trace_id, run, blind=blind, blind_probability=1.0)])
    resolve(store, trace_id=trace_id, answers=[answer(trace_id=trace_id, **one) for one in answers])


def test_blind_labels_are_answers_without_a_suggestion_in_sight(store: SqlStore) -> None:
    have_resolved(
        store,
        "t2",
        {"value": "pass"},
        {"question": "types", "value": ["a", "b"], "codebook_version": "0.9.0"},
        session_id="s1",
        category="returns",
    )
    have_resolved(store, "t1", {"value": 3.5, "question": "stars"})
    have_resolved(store, "suggested", {"value": "fail"}, blind=False)
    have_drawn(store, "open", blind=True)
    other = draw_run("another-queue")
    store.save_draw(other, [draw("t1", other, blind=True)])
    of_t2 = {"session_id": "s1", "category": "returns"}
    assert store.blind_labels(QUEUE) == [
        label("t1", question="stars", value=3.5),
        label("t2", question="types", value=["a", "b"], since="0.9.0", **of_t2),
        label("t2", value="pass", **of_t2),
    ]
    assert store.blind_labels("another-queue") == []


def test_answers_that_were_set_aside_are_no_blind_labels(store: SqlStore) -> None:
    have_resolved(store, "t1", {"value": "fail"}, {"question": "types", "value": ["a"]})
    store.take_over(QUEUE, "2.0.0", {"verdict": "2.0.0", "types": VERSION})
    assert store.quarantined(QUEUE) == {"t1": ["verdict"]}
    assert store.blind_labels(QUEUE) == [label("t1", question="types", value=["a"])]


def test_an_answer_that_is_gone_is_no_blind_label(store: SqlStore) -> None:
    have_resolved(store, "t1", {"value": "fail"})
    resolve(store, answers=[], state=State.QUEUED)
    assert store.blind_labels(QUEUE) == []


def test_a_blind_trace_that_was_never_pulled_has_a_label_without_a_category(store: SqlStore) -> None:
    run = draw_run()
    store.save_draw(run, [draw("t1", run, blind=True)])
    resolve(store)
    assert store.blind_labels(QUEUE) == [label(category="")]


def test_a_fit_keeps_every_field(store: SqlStore) -> None:
    plain = fit("v2", minutes=1, threshold=None)
    store.save_fits([])
    store.save_fits([plain, fit()])
    assert store.fit_history(QUEUE) == [fit(), plain]
    assert store.fits(QUEUE) == [plain]
    assert store.fit_history("another-queue") == store.fits("another-queue") == []


def test_of_a_fit_that_is_there_already_the_first_stays(store: SqlStore) -> None:
    store.save_fits([fit()])
    store.save_fits([fit(minutes=5, threshold=0.5), fit("v2", minutes=5)])
    assert store.fit_history(QUEUE) == [fit(), fit("v2", minutes=5)]


@pytest.mark.parametrize("minutes", [0, 5])
def test_a_fit_of_labels_that_are_back_is_the_newest_again(store: SqlStore, minutes: int) -> None:
    store.save_fits([fit("v1"), fit("v1", question="types")])
    store.save_fits([fit("v2", minutes=2), fit("v1", minutes=2, judge="llm", judge_version="1")])
    back = fit("v1", minutes=minutes)
    store.save_fits([back])
    again = next(one for one in store.fits(QUEUE) if (one.judge, one.question) == ("learned", "verdict"))
    # Its time is that of the call, or where that is none after v2's, the next there is.
    assert again == back.model_copy(update={"fitted_at": max(back.fitted_at, NOON + 2 * MINUTE + TICK)})
    assert len(store.fit_history(QUEUE)) == 4
    store.save_fits([fit("v1", minutes=9)])
    assert again in store.fits(QUEUE)


def test_fits_are_the_newest_of_judge_its_version_and_question(store: SqlStore) -> None:
    newest = [
        fit("v2", minutes=2, judge="combination", judge_version="1"),
        fit("v2", minutes=2),
        fit("v1", minutes=0, question="types"),
        fit("v1", minutes=1, judge="llm", judge_version="1"),
        fit("v1", minutes=0, judge="llm", judge_version="2"),
    ]
    older = [fit("v9", minutes=1), fit("v3", minutes=1, judge="combination", judge_version="1")]
    store.save_fits([*newest, *older])
    key = [(one.judge, one.judge_version, one.question) for one in store.fits(QUEUE)]
    assert key == sorted(key)
    assert {str(one) for one in store.fits(QUEUE)} == {str(one) for one in newest}


@pytest.mark.parametrize("versions", [["v1", "v2"], ["v2", "v1"]])
def test_of_two_fits_of_one_time_it_is_always_the_same(store: SqlStore, versions: list[str]) -> None:
    for version in versions:
        store.save_fits([fit(version)])
    assert store.fits(QUEUE) == [fit("v2")]


def test_examples_come_oldest_first_and_go(store: SqlStore) -> None:
    second = Example(queue=QUEUE, trace_id="t1", note="a tone\0 that is off", added_at=NOON + MINUTE)
    first = Example(queue=QUEUE, trace_id="t2", added_at=NOON)
    other = Example(queue="another-queue", trace_id="t1", added_at=NOON)
    for one in (second, first, other):
        store.save_example(one)
    kept = second.model_copy(update={"note": "a tone that is off"})
    assert store.examples(QUEUE) == [first, kept]
    store.save_example(Example(queue=QUEUE, trace_id="t2", note="why", added_at=NOON + 9 * MINUTE))
    assert store.examples(QUEUE) == [first.model_copy(update={"note": "why"}), kept]
    assert store.remove_example(QUEUE, "t2")
    assert not store.remove_example(QUEUE, "t2")
    assert store.examples(QUEUE) == [kept]
    assert store.examples("another-queue") == [other]
