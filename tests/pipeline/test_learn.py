"""From blind labels to judges that are calibrated, on a real store, with traces whose words tell what people say."""

import random
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from builders import QUEUE, codebook
from builders_labelled import logged
from fakes.judges import ScriptedJudge, opinion
from goldloop.codebook.schema import Codebook
from goldloop.judge import combination, learning, recalibration
from goldloop.judge.panel import Panel
from goldloop.judge.settings import JudgeSettings
from goldloop.pipeline import learn as module
from goldloop.pipeline.learn import LearnSummary, current_fits, labels_of, learn, learned_judge, newest_votes
from goldloop.ports import Judge, TraceResolution
from goldloop.records import JudgeFit, Judgement, Prediction, State, Trace, Value
from pipeline.loop import Loop

BLIND = codebook(budget=400, blind_share=1.0, annotations_per_trace=1, mix={"random": 1.0}, age_limit_days=90)
MODEL = "llm:openai:gpt"
LEARNED = JudgeSettings(members=("learned",))
BOTH = JudgeSettings(members=("llm", "learned"), model=("openai:gpt",))
COUNT = 200
fitted = pytest.mark.simulation
"""It needs models that were fitted to so many labels, which takes seconds."""


def risk_of(trace: Trace) -> float:
    """A model that is right in four of five cases, and far too sure."""
    _, verdict = logged(int(trace.trace_id[1:]))
    right = random.Random(f"model {trace.trace_id}").random() < 0.8  # noqa: S311 - a test's chance
    return 0.97 if (verdict == "fail") == right else 0.03


def model(version: str = "1") -> ScriptedJudge:
    return ScriptedJudge(MODEL, risk_of, version=version)


def panel(loop: Loop, *members: Judge) -> Panel:
    judge = learned_judge(loop.store, QUEUE, current_fits(loop.store, QUEUE, 50), 50)
    return Panel([*members, judge], current_fits(loop.store, QUEUE))


def label(loop: Loop, numbers: range, *members: Judge) -> None:
    """These traces are drawn, judged and labelled blind."""
    for number in numbers:
        loop.source.log(logged(number)[0])
    loop.pull()
    loop.draw()
    loop.prelabel(judge=panel(loop, *members))
    loop.enqueue()
    for number in numbers:
        loop.annotate(f"t{number:03}", logged(number)[1])
    loop.gather()
    loop.resolve()


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory, template: Path) -> Path:
    """A store with 200 blind labels, each trace judged by the model and by the learned judge before."""
    folder = tmp_path_factory.mktemp("labelled")
    with Loop(folder, template, None) as loop:
        loop.publish_codebook(BLIND)
        label(loop, range(COUNT), model())
        assert len(loop.store.blind_labels(QUEUE)) == COUNT
    return folder / "store.db"


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory, labelled: Path) -> tuple[Path, LearnSummary]:
    """The same, with what was learned from them."""
    folder = tmp_path_factory.mktemp("learned")
    with Loop(folder, labelled, None) as loop:
        loop.codebook = BLIND
        loop.clock.turn(timedelta(hours=1))
        made = learnt(loop, BOTH)
    return folder / "store.db", made


@pytest.fixture
def loop(tmp_path: Path, learned: tuple[Path, LearnSummary]) -> Iterator[Loop]:
    with Loop(tmp_path, learned[0], None) as loop:
        loop.codebook = BLIND
        loop.clock.turn(timedelta(hours=2))
        yield loop


@pytest.fixture
def unfitted(tmp_path: Path, labelled: Path) -> Iterator[Loop]:
    with Loop(tmp_path, labelled, None) as loop:
        loop.codebook = BLIND
        yield loop


@pytest.fixture
def empty(tmp_path: Path, template: Path) -> Iterator[Loop]:
    with Loop(tmp_path, template, None) as loop:
        loop.publish_codebook(BLIND)
        yield loop


def learnt(loop: Loop, settings: JudgeSettings = LEARNED) -> LearnSummary:
    return learn(loop.codebook, loop.store, settings, loop.clock())


def by_judge(made: LearnSummary) -> dict[str, JudgeFit]:
    return {fit.judge: fit for fit in made.fits if fit.question == "verdict"}


def test_nothing_is_learned_before_there_is_a_codebook(tmp_path: Path, template: Path) -> None:
    with Loop(tmp_path, template, None) as loop:
        made = learn(BLIND, loop.store, LEARNED, loop.clock())
    assert (made.fitted, made.kept, made.fits, made.labels) == (0, 0, (), {})


def test_below_the_floor_it_says_what_is_missing(empty: Loop) -> None:
    label(empty, range(20))
    made = learnt(empty)
    fails = sum(logged(number)[1] == "fail" for number in range(20))
    assert (made.fitted, made.kept, made.floor) == (0, 0, 50)
    assert made.labels["verdict"] == {"pass": 20 - fails, "fail": fails}
    assert made.short["verdict"] == {"pass": 20 - fails, "fail": fails}
    (outcome,) = panel(empty).judge(BLIND, [logged(500)[0]])
    assert isinstance(outcome, Judgement)
    assert outcome.abstained
    assert outcome.abstained.startswith("uncalibrated: ")
    assert not outcome.calibrated


@fitted
def test_labels_make_a_learned_judge_and_its_prelabels_are_calibrated(
    loop: Loop, learned: tuple[Path, LearnSummary]
) -> None:
    made = learned[1]
    assert made.failed == {}
    fit = by_judge(made)["learned"]
    assert sum(fit.quality.labels.values()) == COUNT
    assert fit.quality.groups == COUNT
    # People are right in nine of ten: more than that nobody can learn.
    assert fit.quality.auroc > 0.8
    assert 0.8 < fit.quality.accuracy < 0.95
    for number in range(300, 310):
        loop.source.log(logged(number)[0])
    loop.pull()
    loop.draw()
    summary = loop.prelabel(judge=panel(loop))
    assert (summary.judged, summary.abstained) == (10, 0)
    found = loop.store.prediction(QUEUE, "1.0.0", "t300")
    assert found
    assert found.judgement.calibrated
    assert found.judgement.method == "learned"
    assert found.judgement.judge == "learned"
    assert found.judgement.answers["verdict"] in {"pass", "fail"}


@fitted
def test_the_same_labels_change_nothing(loop: Loop, learned: tuple[Path, LearnSummary]) -> None:
    first = learned[1]
    assert (first.fitted, first.kept) == (3, 0)
    history = loop.store.fit_history(QUEUE)
    version = panel(loop, model()).version(BLIND)
    again = learnt(loop, BOTH)
    assert (again.fitted, again.kept) == (0, 3)
    assert again.fits == first.fits
    assert loop.store.fit_history(QUEUE) == history
    assert panel(loop, model()).version(BLIND) == version


@fitted
def test_what_is_known_is_not_fitted_again(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "model_of", None)
    monkeypatch.setattr(combination, "weights", None)
    monkeypatch.setattr(recalibration, "held_out", None)
    made = learnt(loop, BOTH)
    assert (made.kept, made.failed) == (3, {})


@fitted
def test_another_label_makes_new_fits_and_another_version(loop: Loop) -> None:
    version = panel(loop, model()).version(BLIND)
    answers = loop.store.answers(QUEUE, "t000")
    turned = [one.model_copy(update={"value": "pass" if one.value == "fail" else "fail"}) for one in answers]
    loop.store.save_resolutions(
        QUEUE, [TraceResolution("t000", state=State.RESOLVED, answers=turned, scores=[], eval_row=None)], loop.clock()
    )
    made = learnt(loop, BOTH)
    assert (made.fitted, made.kept) == (3, 0)
    assert panel(loop, model()).version(BLIND) != version
    assert len(current_fits(loop.store, QUEUE)) == 4  # the combination of the learned judge's version before is there


@fitted
def taken_back(loop: Loop, numbers: range) -> None:
    for number in numbers:
        loop.store.save_resolutions(
            QUEUE,
            [TraceResolution(f"t{number:03}", state=State.RESOLVED, answers=[], scores=[], eval_row=None)],
            loop.clock(),
        )


@fitted
def test_labels_that_are_taken_back_take_their_judges_along(loop: Loop) -> None:
    taken_back(loop, range(20, COUNT))
    assert current_fits(loop.store, QUEUE, 50) == []
    learnt(loop, BOTH)
    (outcome,) = panel(loop, model()).judge(BLIND, [logged(400)[0]])
    assert isinstance(outcome, Judgement)
    assert not outcome.calibrated
    fails = sum(logged(number)[1] == "fail" for number in range(20))
    told = f"uncalibrated: {fails} of 50 blind labels for fail, {20 - fails} of 50 for pass"
    assert outcome.votes[1].abstained == told


@fitted
def test_a_fit_to_features_of_another_version_is_none(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "VERSION", "0")
    held = {fit.judge for fit in current_fits(loop.store, QUEUE, 50)}
    assert held == {MODEL, "combination"}  # the combination is one of the judge's version, and that is another now
    (outcome,) = panel(loop).judge(BLIND, [logged(400)[0]])
    assert isinstance(outcome, Judgement)
    told = f"uncalibrated: 0 of 50 blind labels for pass, 0 of 50 for fail, and {COUNT} on traces that it has not read"
    assert outcome.abstained
    assert outcome.abstained.startswith(told)


@fitted
def test_a_model_is_calibrated_and_combined_with_the_learned_judge(
    loop: Loop, learned: tuple[Path, LearnSummary]
) -> None:
    made = by_judge(learned[1])
    assert set(made) == {"learned", MODEL, "combination"}
    # It says 97 % and is right in four of five.
    assert made[MODEL].quality.accuracy == pytest.approx(0.8, abs=0.06)
    assert made[MODEL].quality.ece < 0.1
    assert made["combination"].quality.auroc > max(made[MODEL].quality.auroc, made["learned"].quality.auroc)
    trace, _ = logged(400)
    (outcome,) = panel(loop, model()).judge(BLIND, [trace])
    assert isinstance(outcome, Judgement)
    assert (outcome.method, outcome.calibrated) == ("combined", True)
    assert [vote.judge for vote in outcome.votes] == [MODEL, "learned"]
    assert outcome.votes[0].risk in {0.97, 0.03}
    # Alone, its own calibration counts.
    (alone,) = Panel([model()], current_fits(loop.store, QUEUE)).judge(BLIND, [trace])
    assert isinstance(alone, Judgement)
    assert alone.calibrated
    assert alone.probability == pytest.approx(0.8, abs=0.06)


@fitted
def test_another_version_of_a_model_starts_without_calibration(loop: Loop) -> None:
    (outcome,) = Panel([model("2")], current_fits(loop.store, QUEUE)).judge(BLIND, [logged(400)[0]])
    assert isinstance(outcome, Judgement)
    assert not outcome.calibrated
    assert outcome.probability == 0.97


@fitted
def test_a_model_alone_needs_no_learned_judge(unfitted: Loop) -> None:
    made = learnt(unfitted, JudgeSettings(members=("llm",), model=("openai:gpt",)))
    assert set(by_judge(made)) == {MODEL}
    assert made.short == {}


@fitted
def test_a_member_that_was_never_heard_leaves_no_combination(loop: Loop) -> None:
    made = learnt(loop, JudgeSettings(members=("llm", "learned"), model=("openai:gpt", "openai:other")))
    assert set(by_judge(made)) == {"learned", MODEL}


def breaking() -> Codebook:
    """The verdict means something else; nothing else changed."""
    content = BLIND.model_dump(mode="json")
    verdict = next(question for question in content["questions"] if question["failure"])
    verdict["labels"][-1]["definition"] = "Something else altogether was agreed on."
    return Codebook.model_validate(content | {"version": "2.0.0"})


@fitted
def test_a_breaking_version_starts_anew(loop: Loop) -> None:
    loop.publish_codebook(breaking())
    made = learnt(loop, BOTH)
    assert made.labels["verdict"] == {"pass": 0, "fail": 0}
    assert "verdict" in made.short
    assert by_judge(made) == {}
    (outcome,) = panel(loop, model()).judge(loop.codebook, [logged(400)[0]])
    assert isinstance(outcome, Judgement)
    assert (outcome.calibrated, outcome.method) == (False, "votes")
    assert outcome.votes[1].abstained
    assert len(loop.store.fit_history(QUEUE)) == 3


@fitted
@pytest.mark.parametrize("broken", ["learn", "calibration_of", "combination_of"])
def test_what_breaks_stops_nothing_else(loop: Loop, monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    def no(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a text of unknown origin")

    monkeypatch.setattr(learning if broken == "learn" else module, broken, no)
    made = learnt(loop, BOTH)
    assert made.fitted + made.kept == 2
    (what, why) = next(iter(made.failed.items()))
    assert what == {"learn": "learned", "calibration_of": f"verdict, {MODEL}", "combination_of": "combination"}[broken]
    assert why == "a fault in goldloop itself (ZeroDivisionError): report it"


@fitted
def test_answers_to_a_question_that_changed_are_not_heard(loop: Loop) -> None:
    """The verdict means what it meant; how severe it is does not: that was said to another question."""
    judgement = opinion(BLIND, 0.9, judge=MODEL).model_copy(
        update={"answers": {"verdict": "fail", "severity": "minor"}, "confidences": {"severity": 0.7}}
    )
    said = Prediction(
        queue=QUEUE, codebook_version="1.0.0", trace_id="t000", judged_at=loop.clock(), judgement=judgement
    )
    loop.store.save_predictions([said])

    def heard() -> dict[str, Value]:
        held = labels_of(loop.store, QUEUE)
        assert held
        return newest_votes(loop.store, held)[MODEL].votes["t000"].answers

    assert heard() == {"verdict": "fail", "severity": "minor"}
    content = BLIND.model_dump(mode="json")
    severity = next(question for question in content["questions"] if question["name"] == "severity")
    severity["labels"][0]["definition"] = "Something else altogether was agreed on."
    loop.publish_codebook(Codebook.model_validate(content | {"version": "2.0.0"}))
    assert heard() == {"verdict": "fail"}
