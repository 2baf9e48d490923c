"""The learned judge as it judges: from numbers that are written down, without scikit-learn."""

import pytest

from builders import NOW, QUEUE, codebook, trace
from goldloop.codebook.schema import Codebook, Label, Question
from goldloop.judge.calibration import Calibration
from goldloop.judge.features import NAMES, VERSION, trace_features
from goldloop.judge.learned import LearnedJudge
from goldloop.records import Document, JudgeFit, Judgement, JudgeQuality, Trace

DOCUMENT = Document(title="Returns", text="Returns are accepted within 30 days.")
BACKED = trace("t1", documents=(DOCUMENT,))
INVENTED = trace("t2", output="Unicorns carry every parcel.", documents=(DOCUMENT,))
AS_IT_IS = Calibration("platt", (0.0, 1.0)).to_json()


def _fit(question: str = "verdict", labels: tuple[str, ...] = ("pass", "fail"), **more: object) -> JudgeFit:
    """Each standard deviation (1/4) of backing that lacks to a half is worth 1 of log-odds for the second label."""
    place = NAMES.index("words backed by the sources")
    weights = [[0.0] * (1 + len(NAMES)) for _ in labels]
    weights[1][1 + place] = -1.0
    body = {
        "features": VERSION,
        "labels": [*labels],
        "rest": {},
        "middle": [0.5] * len(NAMES),
        "scale": [0.25] * len(NAMES),
        "weights": weights,
        "calibrations": [AS_IT_IS] * (1 if len(labels) == 2 else len(labels)),
    }
    fields: dict[str, object] = {
        "queue": QUEUE,
        "question": question,
        "since": "1.0.0",
        "judge": "learned",
        "version": f"v-{question}",
        "body": body | dict(more.pop("body", {})),  # type: ignore[call-overload]  # a test's own mapping
        "quality": JudgeQuality(labels={}, groups=9, auroc=0.9, kappa=0.5, ece=0.03, accuracy=0.9),
        "threshold": 0.85,
        "fitted_at": NOW,
    }
    return JudgeFit.model_validate(fields | more)


def _judged(judge: LearnedJudge, *traces: Trace, book: Codebook | None = None) -> list[Judgement]:
    found = judge.judge(book or codebook(), traces)
    assert all(isinstance(one, Judgement) for one in found)
    return [one for one in found if isinstance(one, Judgement)]


def test_it_gives_verdict_risk_and_reason() -> None:
    good, bad = _judged(LearnedJudge([_fit()]), BACKED, INVENTED)
    # all words are backed: (1 - 1/2) / (1/4) = 2 deviations, expit(-2) = 0.1192; none: expit(2)
    assert (good.answers, bad.answers) == ({"verdict": "pass"}, {"verdict": "fail"})
    assert [good.risk, good.probability] == pytest.approx([0.119203, 0.880797])
    assert [bad.risk, bad.probability] == pytest.approx([0.880797, 0.880797])
    assert (good.judge, good.method, good.calibrated, good.threshold) == ("learned", "learned", True, 0.85)
    assert good.confident
    assert good.reason == "100 % of the answer's words are in its sources."
    assert bad.reason == "None of the answer's words are in its sources."
    assert good.abstained is None


def test_features_are_enough_to_judge() -> None:
    judge = LearnedJudge([_fit()])
    assert judge.judge_features(codebook(), [trace_features(BACKED)]) == _judged(judge, BACKED)
    old = trace_features(INVENTED).model_copy(update={"version": "0"})
    kept, left = judge.judge_features(codebook(), [trace_features(BACKED), old])
    assert kept.answers
    assert left.abstained == "these features were taken by another version of goldloop"
    assert judge.judge(codebook(), []) == []


def test_other_questions_are_answered_where_they_are_shown() -> None:
    judge = LearnedJudge([_fit(), _fit("severity", ("minor", "major", "critical"))])
    good, bad = _judged(judge, BACKED, INVENTED)
    assert good.answers == {"verdict": "pass"}
    assert good.confidences == {}
    assert bad.answers == {"verdict": "fail", "severity": "major"}
    # softmax of 0, 2, 0: e^2 / (e^2 + 2)
    assert bad.confidences == {"severity": pytest.approx(0.786986, abs=1e-5)}


def test_rare_labels_are_no_answers_and_count_as_risk() -> None:
    names = ("good", "thin", "rude", "late")
    labels = tuple(Label(name=name, text=name, definition=name) for name in names)
    verdict = Question(name="verdict", kind="choice", text="?", labels=labels, failure=("thin", "rude"))
    book = codebook().model_copy(update={"questions": (verdict,)})
    rest = {"rest": {"late": 0.75, "rude": 0.25}, "weights": [[0.0] * (1 + len(NAMES))] * 3}
    fit = _fit("verdict", ("good", "thin"), body=rest | {"calibrations": [AS_IT_IS] * 3})
    (one,) = _judged(LearnedJudge([fit]), BACKED, book=book)
    # a third each: thin, and a quarter of the third that the rare ones share
    assert one.risk == pytest.approx(1 / 3 + 1 / 12, abs=1e-5)
    assert one.answers == {"verdict": "good"}
    assert one.reason == ""


@pytest.mark.parametrize(
    ("short", "told"),
    [
        ({"pass": 61, "fail": 12}, "uncalibrated: 12 of 50 blind labels for fail, 61 of 50 for pass"),
        ({}, "uncalibrated: 0 of 50 blind labels for pass, 0 of 50 for fail"),
        (
            {"pass": 61, "fail": 52},
            "uncalibrated: the 113 blind labels are of too few separate questions or sessions",
        ),
    ],
)
def test_without_a_fit_it_abstains_and_says_what_is_missing(short: dict[str, int], told: str) -> None:
    judge = LearnedJudge([], short={"verdict": short})
    (one,) = _judged(judge, BACKED)
    assert one.abstained == told
    assert (one.answers, one.probability, one.risk, one.calibrated) == ({}, None, None, False)


@pytest.mark.parametrize(
    "fit",
    [
        _fit("severity", ("minor", "major")),  # not of the verdict
        _fit(judge="openai:gpt"),
        _fit(body={"features": "0"}),
        _fit(body={"weights": "none"}),
        _fit(labels=("pass", "gone")),
    ],
)
def test_a_fit_that_does_not_hold_here_counts_as_none(fit: JudgeFit) -> None:
    (one,) = _judged(LearnedJudge([fit]), INVENTED)
    assert (one.abstained or "").startswith("uncalibrated: ")


def test_two_answers_it_cannot_compare() -> None:
    labels = tuple(Label(name=name, text=name, definition=name) for name in ("output", "alternative"))
    better = Question(name="better", kind="pairwise", text="?", labels=labels, failure=("alternative",))
    book = codebook().model_copy(update={"questions": (better,)})
    (one,) = _judged(LearnedJudge([]), BACKED, book=book)
    assert one.abstained == "it judges one answer, and cannot compare two"


def test_its_version_is_that_of_its_fits() -> None:
    book, none = codebook(), LearnedJudge([])
    assert none.version(book) == LearnedJudge([], short={"verdict": {"fail": 49}}).version(book)
    one, other = LearnedJudge([_fit()]), LearnedJudge([_fit(version="v2")])
    assert len({none.version(book), one.version(book), other.version(book)}) == 3
    assert one.version(book) == LearnedJudge([_fit()]).version(book)
    assert _judged(one, BACKED)[0].judge_version == one.version(book)


def test_labels_on_traces_that_were_not_read_are_told_apart() -> None:
    judge = LearnedJudge([], short={"verdict": {"pass": 3, "fail": 1}}, unread={"verdict": 120})
    (one,) = _judged(judge, BACKED)
    assert one.abstained == (
        "uncalibrated: 1 of 50 blind labels for fail, 3 of 50 for pass, and 120 on traces that it has not read "
        "(goldloop prelabel --history)"
    )
