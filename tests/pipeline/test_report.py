"""What the report says of people: who has to decide, who did too much, what was skipped and set aside."""

from datetime import timedelta

import pytest

from builders import QUEUE, codebook
from goldloop.pipeline.report import Report, as_markdown, notices, report
from pipeline.loop import ADA, BEN, MINUTE, Loop

ASKED = codebook(
    annotations_per_trace=2, annotator_limit=2, adjudication="owner", adjudicator="own@example.org", budget=20
)


@pytest.fixture
def judged(loop: Loop) -> Loop:
    loop.use(ASKED)
    loop.queue("t1", "t2", "t3")
    for trace_id in ("t1", "t2", "t3"):
        loop.annotate(trace_id, "pass", by=ADA)
    loop.annotate("t1", "fail", by=BEN)
    loop.annotate("t2", "pass", by=BEN)
    loop.fetch_annotations()
    return loop


def made(loop: Loop) -> Report:
    return report(loop.codebook, loop.store, loop.clock())


def test_what_waits_for_the_adjudicator(judged: Loop) -> None:
    # t1 has two opinions, t2 one that both share, t3 one of two annotations.
    assert made(judged).for_the_adjudicator == 1
    judged.annotate("t1", "fail", by="own@example.org")
    judged.fetch_annotations()
    assert made(judged).for_the_adjudicator == 0
    (answer,) = [one for one in judged.store.answers(QUEUE, "t1") if one.question == "verdict"]
    assert (answer.value, answer.method) == ("fail", "adjudicated")


def test_who_did_more_than_the_limit_today(judged: Loop) -> None:
    assert made(judged).over_the_limit == {ADA: 3}
    judged.clock.turn(timedelta(days=1))
    assert made(judged).over_the_limit == {}


def test_it_says_so_in_sentences(judged: Loop) -> None:
    judged.annotate("t3", None, by=BEN)
    judged.fetch_annotations()
    said = notices(made(judged))
    assert said == [
        "Skipped: no reason given 1.",
        "1 wait for the adjudicator: annotators disagree.",
        f"{ADA} did 3 today, over the limit: ask them to stop, for Label Studio Community cannot.",
        f"{BEN} did 3 today, over the limit: ask them to stop, for Label Studio Community cannot.",
    ]
    assert all(sentence in as_markdown(made(judged)) for sentence in said)


def test_what_is_quarantined(judged: Loop) -> None:
    judged.clock.turn(MINUTE)
    judged.use(ASKED.model_copy(update={"version": "9.0.0"}))  # of which no question carries over
    judged.store.publish_codebook(QUEUE, "9.0.0", {"verdict": "9.0.0"}, judged.clock(), resolve_all=True)
    judged.resolve()
    assert made(judged).counts.quarantined == {"verdict": 1}
    assert "Quarantined answers: verdict 1. What can be labelled again: `goldloop codebook worklist`." in notices(
        made(judged)
    )
