"""Learning from blind labels: when it does, when it does not, and that its numbers are honest."""

import json
import random
import sys
from collections.abc import Sequence

import numpy as np
import pytest

from builders import NOW, QUEUE, codebook
from goldloop.codebook.schema import Codebook, Label, Question
from goldloop.errors import ConfigError
from goldloop.judge.features import NAMES, VERSION
from goldloop.judge.learning import Learned, Rows, held_out, learn, model_of
from goldloop.judge.measures import auroc, ece, expected_ece
from goldloop.judge.model import Model
from goldloop.numeric import Floats, expit
from goldloop.records import BlindLabel, JudgeFit, TraceFeatures

fits = pytest.mark.simulation
"""Fitting imports scikit-learn, which takes seconds."""


def _labels(values: Sequence[str], question: str = "verdict", session: str = "s{0}") -> list[BlindLabel]:
    return [
        BlindLabel(
            queue=QUEUE,
            trace_id=f"t{row:04d}",
            question=question,
            since="1.0.0",
            value=value,
            session_id=session.format(row // 2),
        )
        for row, value in enumerate(values)
    ]


def _features(x: Floats) -> dict[str, TraceFeatures]:
    wide = np.zeros((len(x), len(NAMES)))
    wide[:, : x.shape[1]] = x
    return {
        f"t{row:04d}": TraceFeatures(
            trace_id=f"t{row:04d}", version=VERSION, asked=f"q{row}.i{row}", values=tuple(values)
        )
        for row, values in enumerate(wide.tolist())
    }


def _made(n: int = 300, seed: int = 1) -> tuple[Floats, Floats, Floats]:
    """(features (n, 3), true probabilities of failure (n,), failures (n,))."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3))
    truth = expit(-0.7 + 2 * x[:, 0] - x[:, 1])
    return x, truth, (rng.random(n) < truth).astype(np.float64)


def _verdicts(failed: Floats) -> list[BlindLabel]:
    return _labels(["fail" if one else "pass" for one in failed])


def _choosing(*names: str, failing: str) -> Codebook:
    labels = tuple(Label(name=name, text=name, definition=name) for name in names)
    verdict = Question(name="verdict", kind="choice", text="Which?", labels=labels, failure=(failing,))
    return codebook().model_copy(update={"questions": (verdict,)})


def test_below_the_floor_nothing_is_learned() -> None:
    labels = _labels(["fail"] * 49 + ["pass"] * 200)
    made = learn(codebook(), labels, _features(np.zeros((249, 1))), NOW)
    assert (made.fits, made.held_out) == ([], {})
    assert made.short["verdict"] == {"pass": 200, "fail": 49}
    assert made.short["severity"] == {"minor": 0, "major": 0, "critical": 0}
    assert set(made.short) == {"verdict", "severity"}  # several labels at once, and texts, it does not learn
    assert learn(codebook(), [], {}, NOW).short["verdict"] == {"pass": 0, "fail": 0}


def test_labels_of_one_group_teach_nothing() -> None:
    labels = _labels(["fail"] * 60 + ["pass"] * 60, session="all")
    assert learn(codebook(), labels, _features(np.zeros((120, 1))), NOW).short["verdict"] == {"pass": 60, "fail": 60}


def test_traces_without_features_of_this_version_do_not_count() -> None:
    features = _features(np.zeros((120, 1)))
    old = {name: one.model_copy(update={"version": "0"}) for name, one in features.items() if name > "t0060"}
    made = learn(codebook(), _labels(["fail", "pass"] * 60), features | old, NOW)
    assert made.short["verdict"] == {"pass": 30, "fail": 31}


def test_a_missing_extra_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.exceptions", None)
    x, _, failed = _made()
    with pytest.raises(ConfigError, match="extra `learned`"):
        learn(codebook(), _verdicts(failed), _features(x), NOW)


@fits
def test_it_learns_what_there_is_to_learn() -> None:
    x, truth, failed = _made(600)
    made = learn(codebook(), _verdicts(failed), _features(x), NOW)
    (fit,) = made.fits
    risk = np.array([made.held_out["verdict"][f"t{row:04d}"]["fail"] for row in range(600)])
    assert auroc(risk, failed) > auroc(truth, failed) - 0.02
    assert fit.quality.auroc == pytest.approx(auroc(risk, failed))
    assert ece(risk, failed) < 2 * expected_ece(risk, np.random.default_rng(1))
    assert np.abs(risk - truth).mean() < 0.05
    assert (fit.judge, fit.judge_version, fit.queue, fit.since) == ("learned", "", QUEUE, "1.0.0")
    assert fit.quality.labels == {"fail": int(failed.sum()), "pass": 600 - int(failed.sum())}
    assert fit.quality.groups == 300
    assert fit.threshold is not None
    sure = np.maximum(risk, 1 - risk) >= fit.threshold
    assert ((risk > 0.5) == failed)[sure].mean() >= 0.95


@fits
def test_the_order_of_labels_and_the_time_change_nothing() -> None:
    x, _, failed = _made()
    labels, features = _verdicts(failed), _features(x)
    shuffled = random.Random(1).sample(labels, len(labels))  # noqa: S311 - any order will do
    one, two = (learn(codebook(), given, features, NOW) for given in (labels, [*shuffled, *labels[:20]]))
    assert one == two
    turned = [labels[0].model_copy(update={"value": "pass" if failed[0] else "fail"}), *labels[1:]]
    assert learn(codebook(), turned, features, NOW).fits[0].version != one.fits[0].version
    assert learn(codebook(), labels, features, NOW, confident=0.9).fits[0].version != one.fits[0].version


@fits
def test_what_is_known_is_not_fitted_again(monkeypatch: pytest.MonkeyPatch) -> None:
    x, _, failed = _made(160)
    (fit,) = learn(codebook(), _verdicts(failed), _features(x), NOW).fits
    monkeypatch.setitem(sys.modules, "sklearn.exceptions", None)
    again = learn(codebook(), _verdicts(failed), _features(x), NOW, known={fit.version: fit})
    assert again == Learned([fit], {}, again.short)


@fits
def test_a_fit_survives_being_written_down() -> None:
    x, _, failed = _made(160)
    rows = Rows(x, ["fail" if one else "pass" for one in failed], np.arange(160), ("pass", "fail"))
    model = model_of(rows)
    read = Model.from_json(json.loads(json.dumps(model.to_json("1"), sort_keys=True)), "1")
    assert read is not None
    assert read.probabilities(x).tolist() == model.probabilities(x).tolist()
    assert Model.from_json(model.to_json("1"), "2") is None
    assert Model.from_json({"labels": []}, "1") is None
    (fit,) = learn(codebook(), _verdicts(failed), _features(x), NOW).fits
    assert JudgeFit.model_validate_json(fit.model_dump_json()) == fit


@fits
def test_what_is_said_of_a_group_never_comes_from_its_labels() -> None:
    x, _, failed = _made(120)
    groups = np.arange(120) // 3
    true = np.where(failed == 1, "fail", "pass")
    turned = np.where(groups == 0, np.where(failed == 1, "pass", "fail"), true)
    honest, other = (held_out(Rows(x, labels.tolist(), groups, ("pass", "fail")))[1] for labels in (true, turned))
    assert other[groups == 0] == pytest.approx(honest[groups == 0])
    assert not np.allclose(other, honest)


@fits
def test_three_labels_and_a_rare_one() -> None:
    rng = np.random.default_rng(1)
    kind = rng.choice(4, 500, p=[0.4, 0.3, 0.28, 0.02])
    x = np.eye(4)[kind] * 2.5 + rng.normal(size=(500, 4))
    names = ("good", "thin", "wrong", "rude")
    book = _choosing(*names, failing="wrong")
    made = learn(book, _labels([names[one] for one in kind]), _features(x), NOW)
    (fit,) = made.fits
    assert fit.body["labels"] == ["good", "thin", "wrong"]
    assert fit.body["rest"] == {"rude": 1.0}
    said = made.held_out["verdict"]["t0000"]
    assert set(said) == set(names)
    assert sum(said.values()) == pytest.approx(1, abs=0.01)
    assert fit.quality.kappa > 0.7
    assert fit.quality.auroc > 0.9


@fits
@pytest.mark.parametrize("odd", [np.nan, np.inf, 1e300, 0.0])
def test_strange_numbers_break_nothing(odd: float) -> None:
    x, _, failed = _made(200)
    x[::7, 0] = odd
    x[:, 2] = 3.0  # a constant
    rows = Rows(x, ["fail" if one else "pass" for one in failed], np.arange(200), ("pass", "fail"))
    found = model_of(rows).probabilities(x)
    assert np.isfinite(found).all()
    assert auroc(found[:, 1], failed) > 0.8


@fits
def test_labels_that_are_told_apart_without_a_fault_stay_short_of_certain() -> None:
    x = np.repeat([[-1.0], [1.0]], 60, axis=0)
    rows = Rows(x, ["pass"] * 60 + ["fail"] * 60, np.arange(120), ("pass", "fail"))
    found = held_out(rows)[1][:, 1]
    assert auroc(found, np.repeat([0.0, 1.0], 60)) == 1.0
    assert found.min() >= 0.001
    assert found.max() <= 0.999


@fits
def test_labels_that_nothing_tells_apart_get_their_rate() -> None:
    rows = Rows(np.ones((120, 2)), ["pass", "pass", "fail"] * 40, np.arange(120), ("pass", "fail"))
    assert held_out(rows)[1][:, 1] == pytest.approx(np.full(120, 1 / 3), abs=0.03)


@fits
def test_a_label_that_one_fold_alone_has() -> None:
    x, _, _ = _made(100)
    groups = np.append(np.zeros(20), np.arange(1, 81)).astype(np.int64)
    rows = Rows(x, ["fail"] * 20 + ["pass"] * 80, groups, ("pass", "fail"))
    found = held_out(rows)[1]
    assert (found[:20, 1] < 0.1).all()  # whoever judged these had seen no failure
    assert np.isfinite(found).all()


@fits
def test_another_question_s_labels_change_no_version() -> None:
    x, _, failed = _made()
    features, verdicts = _features(x), _verdicts(failed)
    first = learn(codebook(), verdicts[10:], features, NOW).fits[0]
    # Labels of ten traces that come before all others, and have no verdict.
    others = [label.model_copy(update={"question": "severity", "value": "minor"}) for label in verdicts[:10]]
    assert learn(codebook(), [*others, *verdicts[10:]], features, NOW).fits == [first]


@fits
def test_where_all_are_of_one_group_each_gets_the_labels_shares() -> None:
    rows = Rows(np.zeros((4, 2)), ["pass", "pass", "fail", "pass"], np.zeros(4, dtype=np.int64), ("fail", "pass"))
    names, said = held_out(rows)
    assert names == ("fail", "pass")
    assert said.tolist() == [[0.25, 0.75]] * 4
