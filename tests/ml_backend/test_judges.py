from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from builders import NOW, QUEUE, codebook
from goldloop.codebook.schema import Codebook
from goldloop.errors import RetryableError
from goldloop.records import JudgeFit, Judgement, JudgeQuality, Trace, Unjudged
from ml_backend.judges import QueueJudges, describe


class Made:
    """A judge that knows what it was made for, and whether it was closed."""

    def __init__(self, queue: str, run: str) -> None:
        self.name, self.run, self.closed = queue, run, False
        self.members = (self,)

    def version(self, _codebook: Codebook) -> str:
        return "7"

    def judge(self, _codebook: Codebook, traces: Sequence[Trace]) -> list[Judgement | Unjudged]:
        raise NotImplementedError

    def close(self) -> None:
        self.closed = True
        raise RuntimeError("which is nobody's concern")


class At:
    """Judges at a time, with these fits in the store."""

    def __init__(self) -> None:
        self.now: datetime = NOW
        self.fits: list[JudgeFit] = []
        self.made: list[Made] = []
        self.broken: set[str] = set()
        self.judges = QueueJudges(self.make, lambda _queue: self.fits, lambda: self.now)

    def make(self, queue: str, run: str) -> Made:
        if queue in self.broken:
            raise RetryableError("Langfuse", "away")
        self.made.append(Made(queue, run))
        return self.made[-1]


def fit(version: str) -> JudgeFit:
    quality = JudgeQuality(labels={"pass": 50, "fail": 50}, groups=9, auroc=0.8, kappa=0.5, ece=0.04, accuracy=0.8)
    return JudgeFit(
        queue=QUEUE,
        question="verdict",
        since="1.0.0",
        judge="learned",
        version=version,
        body={},
        quality=quality,
        fitted_at=NOW,
    )


def test_there_is_one_a_queue_and_its_calls_are_counted_by_the_day() -> None:
    at = At()
    assert at.judges.of("one") is at.judges.of("one")
    assert at.judges.of("two") is not at.judges.of("one")
    assert [one.run for one in at.made] == ["ml-backend:2026-03-02"] * 2
    assert [*at.judges.known()] == ["one", "two"]


def made_anew(change: Callable[[At], None]) -> tuple[At, Made, Made]:
    at = At()
    at.judges.of("one")
    at.judges.check()
    assert len(at.made) == 1
    change(at)
    assert at.judges.of("one") is at.made[0]  # until somebody looks
    at.judges.check()
    at.judges.check()
    first, second = at.made
    assert at.judges.of("one") is second
    return at, first, second


def test_other_fits_make_another_judge() -> None:
    at, first, _ = made_anew(lambda at: at.fits.append(fit("v1")))
    assert not first.closed  # requests may still be asking it
    at.now += timedelta(seconds=61)
    at.judges.check()
    assert first.closed


def test_another_day_makes_another_judge() -> None:
    _, _, second = made_anew(lambda at: setattr(at, "now", NOW + timedelta(days=1)))
    assert second.run == "ml-backend:2026-03-03"


def test_health_shows_who_judges() -> None:
    assert describe(Made("panel", "r"), codebook()) == {"judge": "panel", "version": "7", "members": ["panel"]}


def test_a_queue_whose_judge_cannot_be_made_anew_keeps_the_old_one_and_holds_no_other_up() -> None:
    at = At()
    one, two = at.judges.of("one"), at.judges.of("two")
    at.fits.append(fit("v1"))
    at.broken = {"one"}
    at.judges.check()
    assert at.judges.of("one") is one
    assert at.judges.of("two") is not two
    at.broken = set()
    at.judges.check()
    assert at.judges.of("one") is not one


def test_whoever_must_not_wait_gets_a_judge_that_is_there_or_none() -> None:
    at = At()
    assert at.judges.made("one") is None
    assert at.judges.of("one") is at.judges.made("one")
    assert len(at.made) == 1


def test_closing_closes_all_there_are() -> None:
    at, first, second = made_anew(lambda at: at.fits.append(fit("v1")))
    at.judges.close()
    assert (first.closed, second.closed) == (True, True)
