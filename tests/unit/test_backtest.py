"""Replayed draws: what they count, against populations and plans where that is known."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from goldloop.backtest.judging import column, offline
from goldloop.backtest.plans import Plan, plan, plans
from goldloop.backtest.pool import Pool, Thumbs, pool, simulated
from goldloop.backtest.replay import Outcome, replay
from goldloop.backtest.traces import LabelledFile, LabelledSignal, LabelledTrace
from goldloop.codebook.mixes import BALANCED
from goldloop.codebook.sampling import FeedbackSettings
from goldloop.errors import ConfigError
from goldloop.judge.groups import folds

NOW = datetime(2026, 3, 2, tzinfo=UTC)
BACKED, INVENTED = "The battery holds for two hours.", "Unicorns deliver every parcel before dawn."

learning = pytest.mark.simulation
"""The offline judge is fitted by scikit-learn, which takes seconds to import."""


def _file(n: int = 120, *, every: int = 5) -> LabelledFile:
    """Each fifth trace fails, and says what no document says; pairs are of one group, a third of one category."""
    traces = [
        LabelledTrace(
            id=f"t{row:03d}",
            group_id=f"g{row // 2}",
            category="billing" if row % 3 == 0 else "search",
            input="How long does the battery hold?",
            context=({"title": "Battery", "text": "The battery holds for two hours at full load."},),
            output=INVENTED if row % every == 0 else BACKED,
            failure=row % every == 0,
        )
        for row in range(n)
    ]
    scores = tuple(None if row % 7 == 0 else float(row % every != 0) for row in range(n))
    return LabelledFile(name="made up", traces=tuple(traces), scores=scores)


def _outcome(made: Pool, name: str, budget: int = 40, reps: int = 60) -> Outcome:
    (found,) = replay(made, [plan(name)], [budget], reps, 1, now=NOW)
    return found


def test_random_finds_its_share() -> None:
    found = _outcome(pool(_file(), "none"), "random", reps=300)
    # 40 of 120 traces, of which 24 fail: 8, with the hypergeometric's sd of sqrt(40 * .2 * .8 * 80 / 119) = 2.07
    assert found.found == pytest.approx(8, abs=0.4)
    assert found.found_sd == pytest.approx(2.07, abs=0.3)
    assert found.ratio_to_random == pytest.approx(found.found / 8)
    assert found.share_of_oracle == pytest.approx(found.found / 24)
    naive = found.estimators["naive"]
    assert naive.rmse == pytest.approx(100 * 2.07 / 40, rel=0.15)
    assert naive.rmse_to_random == pytest.approx(1, rel=0.15)
    assert abs(naive.bias) < 1
    assert naive.coverage > 0.9


@learning
def test_a_judge_finds_more_and_the_numbers_stay_honest() -> None:
    made = pool(_file())
    assert made.judged is not None
    assert made.judged.auroc == 1.0
    hunt = _outcome(made, "hunt")
    assert hunt.ratio_to_random > 2
    assert hunt.estimators["naive"].bias > 20
    assert abs(hunt.estimators["aipw"].bias) < 1
    assert hunt.estimators["aipw"].rmse < 1.5


def test_without_judge_and_signals_every_mix_is_as_good_as_random() -> None:
    made = pool(_file(), "none")
    hunt = _outcome(made, "hunt")
    assert hunt.shares == {"random": 0.28, "risk": 0.72}  # as asked; given back in the draw
    assert hunt.ratio_to_random == pytest.approx(1, abs=0.1)
    assert hunt.estimators["aipw"].rmse == pytest.approx(hunt.estimators["hajek"].rmse)


@learning
def test_the_top_has_no_estimate() -> None:
    top = _outcome(pool(_file()), "top")
    assert (top.found, top.share_of_oracle) == (24, 1)
    assert set(top.estimators) == {"naive"}
    assert top.never_drawn == 80


def test_a_policy_that_leaves_traces_out_has_no_estimate() -> None:
    thumbs = Thumbs(rate=0.1, precision=0.5)
    alone = _outcome(pool(_file(), "none", thumbs), "negative", budget=10)
    assert set(alone.estimators) == {"naive"}
    assert alone.never_drawn == 108
    assert alone.found == pytest.approx(5, abs=0.5)


def test_the_same_seed_gives_the_same_and_other_plans_change_nothing() -> None:
    made = pool(_file(), "none", Thumbs(rate=0.1, precision=0.7))
    seen: list[tuple[int, int | None]] = []
    one = replay(made, plans("default"), [20], 5, 3, now=NOW)
    two = replay(made, plans("random,default"), [20], 5, 3, now=NOW, progress=lambda *now: seen.append(now))
    assert one == two[1:]
    assert seen[-1] == (10, 10)
    assert replay(made, plans("default"), [20], 5, 4, now=NOW) != one


def test_a_budget_above_the_pool_takes_it_all() -> None:
    found = _outcome(pool(_file(), "none"), "random", budget=500, reps=2)
    assert (found.found, found.found_sd) == (24, 0)
    assert found.estimators["hajek"].rmse == pytest.approx(0)
    assert found.estimators["hajek"].coverage == 1


def test_thumbs_are_as_frequent_and_as_right_as_asked() -> None:
    failed = np.repeat([1.0, 0.0], [20, 80])
    made = simulated(failed, Thumbs(rate=0.1, precision=0.7), np.random.default_rng(1))
    assert set(made) == {0.0, FeedbackSettings().weight("thumbs_down")}
    assert ((made > 0).sum(), (made > 0) @ failed) == (10, 7)
    few = simulated(failed, Thumbs(rate=0.5, precision=0.9), np.random.default_rng(1))
    assert (few > 0) @ failed == 20  # 45 were asked for, and 20 failed


def test_the_files_own_signals_are_heard_unless_thumbs_are_made_up() -> None:
    file = _file()
    down = file.traces[3].model_copy(update={"signals": (LabelledSignal(name="thumbs", value=0.0),)})
    heard = LabelledFile(name="made up", traces=(*file.traces[:3], down))
    own = pool(heard, "none")
    assert own.signals
    assert own.frame.feedback.tolist() == [0, 0, 0, FeedbackSettings().weight("thumbs_down")]
    made_up = pool(heard, "none", Thumbs(rate=0.5, precision=1))
    assert not made_up.signals
    assert made_up.frame.feedback.tolist() == [0, 0, 0, 0]


@learning
def test_a_judge_never_sees_the_labels_of_a_traces_group() -> None:
    """Turning round the labels of a fold changes what is said of all others, and nothing of what is said of it."""
    failed = np.array([float(bool(trace.failed)) for trace in _file().traces])
    groups = np.arange(120) // 2
    flipped = failed.copy()
    mine = folds(groups) == folds(groups)[0]
    flipped[mine] = 1 - failed[mine]
    honest = offline(_file().traces, failed, groups).probability
    blind = offline(_file().traces, flipped, groups).probability
    assert np.array_equal(folds(groups)[::2], folds(groups)[1::2])  # a group is never split
    assert blind[mine] == pytest.approx(honest[mine])
    assert not np.allclose(blind[~mine], honest[~mine])


def test_a_column_is_turned_whichever_way_it_points() -> None:
    file = _file()
    assert file.scores is not None
    made = pool(file, "score")  # 1 is a success
    assert made.judged is not None
    assert made.judged.auroc > 0.9
    assert made.judged.probability[0] == pytest.approx(0.2, abs=0.15)  # no number: about the rate
    assert made.judged.probability[5] > 0.6
    with pytest.raises(ValueError, match="without the judge's column"):
        pool(file.model_copy(update={"scores": None}), "score")
    direct = column("score", file.scores, made.failed, np.arange(120))
    assert direct.name == "column score, calibrated by group"


def test_plans() -> None:
    assert plan("default") == Plan("default", dict(BALANCED.shares), named=True)
    assert plan("stratified").shares == {"stratified": 1.0}
    mine = plan("random=0.3+risk^3=0.7")
    assert mine.shares == {"random": 0.3, "risk": 0.7}
    assert mine.settings.risk_power == 3
    assert [one.name for one in plans("random, top,random")] == ["random", "top"]
    assert plan("balanced").at(NOW)["risk"] == pytest.approx(0.1)
    assert plan("random=0.9+targeted=0.1").at(NOW) == {"random": 0.9, "targeted": 0.1}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no policy is named"),
        ("luck", "there is no policy 'luck'"),
        ("random=0.3+luck=0.7", "'luck=0.7' in 'random=0.3+luck=0.7' is no share"),
        ("random=0.3+risk=0.6", "sum to 0.9"),
        ("random^2=0.3+risk=0.7", "random in 'random^2=0.3+risk=0.7' has no power"),
        ("random=0.3+risk^99=0.7", "the power in 'random=0.3+risk^99=0.7'"),
        ("random=0.3+risk=0.7.7", "'0.7.7' in 'random=0.3+risk=0.7.7' is no number"),
    ],
)
def test_wrong_plans_are_told(text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=r".") as refused:
        plans(text)
    assert told in str(refused.value)


@learning
def test_the_sample_that_ships_can_be_replayed() -> None:
    from goldloop.backtest.traces import read  # noqa: PLC0415 - this test alone reads a file
    from goldloop.devstack.sample import sample_path  # noqa: PLC0415 - as above

    path: Path = sample_path()
    made = pool(read(path))
    assert made.signals
    assert 0.1 < made.failed.mean() < 0.4


@learning
def test_where_all_traces_are_of_one_group_the_judge_says_the_rate() -> None:
    file = _file(30)
    one = file.model_copy(update={"traces": tuple(trace.model_copy(update={"group_id": "g"}) for trace in file.traces)})
    judged = pool(one).judged
    assert judged is not None
    assert judged.probability.tolist() == pytest.approx([0.2] * 30)
