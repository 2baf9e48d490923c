"""From users' signals to evidence, by hand."""

import numpy as np
import pytest

from goldloop.codebook.sampling import WRITTEN, FeedbackSettings, SignalRule
from goldloop.signals.evidence import KINDS, Evidence, Signals, evidence, kinds

DEFAULT = FeedbackSettings()
NAN = float("nan")


def signals(*rows: tuple[int, str, float | str]) -> Signals:
    """From (candidate's row, name, value or label)."""
    names = sorted({name for _, name, _ in rows})
    labels = sorted({value for _, _, value in rows if isinstance(value, str)})
    return Signals(
        row=np.array([row for row, _, _ in rows], dtype=np.int64),
        name=np.array([names.index(name) for _, name, _ in rows], dtype=np.int64),
        names=tuple(names),
        value=np.array([NAN if isinstance(value, str) else value for _, _, value in rows]),
        label=np.array([labels.index(value) if isinstance(value, str) else -1 for _, _, value in rows], dtype=np.int64),
        labels=tuple(labels),
    )


def found(*rows: tuple[int, str, float | str], n: int = 4, settings: FeedbackSettings = DEFAULT) -> Evidence:
    return evidence(signals(*rows), np.zeros(n, dtype=np.int64), settings)


def kind(name: str, value: float | str, settings: FeedbackSettings = DEFAULT) -> str | None:
    (code,) = kinds(signals((0, name, value)), settings).tolist()
    return None if code < 0 else KINDS[code]


@pytest.mark.parametrize(
    ("name", "value", "meant"),
    [
        ("user_rating", 0, "thumbs_down"),
        ("user_rating", 1, "thumbs_up"),
        ("User-Feedback", -1, "thumbs_down"),
        ("thumbs", "Down", "thumbs_down"),
        ("thumbs", "up", "thumbs_up"),
        ("thumbs", "sideways", None),
        ("thumb", 0, "thumbs_down"),
        ("thumbs_rating", 1, "thumbs_up"),
        ("thumbs_up", 1, "thumbs_up"),
        ("thumbs_down", 1, "thumbs_down"),
        ("thumbs-down", "Yes", "thumbs_down"),
        ("thumbs_down", 0, None),
        ("thumbs_down", "no", None),
        ("stars", 2, "low_rating"),
        ("user_stars", 3, None),
        ("stars", 5, "high_rating"),
        ("thumbs_reason", "too long", "reason"),
        ("edit", 1, "edit"),
        ("edit", 0, None),
        ("regenerate", 1, "regenerate"),
        ("pivot", 1, "pivot"),
        ("abandoned", 1, "abandonment"),
        ("dwell_s", 12.5, "dwell"),
        ("copy", 1, "copy"),
        ("latency", 3, None),
    ],
)
def test_which_score_means_what(name: str, value: float | str, meant: str | None) -> None:
    assert kind(name, value) == meant


def test_one_is_the_best_of_a_thumb_and_the_worst_of_stars() -> None:
    # The same name with a 5 among its values is a scale, and its 1 no thumb up.
    thumbs = signals((0, "user_rating", 1), (1, "user_rating", 0))
    stars = signals(*((row, "user_rating", float(row)) for row in range(1, 6)))
    assert [KINDS[code] for code in kinds(thumbs, DEFAULT)] == ["thumbs_up", "thumbs_down"]
    meant = [KINDS[code] if code >= 0 else None for code in kinds(stars, DEFAULT)]
    assert meant == ["low_rating", "low_rating", None, "high_rating", "high_rating"]


def test_words_count_as_words_and_not_as_a_thumb() -> None:
    assert kind("feedback", WRITTEN) is None
    assert kind("user_edit_reason", WRITTEN) == "reason"
    assert kind("answer_edited", WRITTEN) == "edit"


def test_users_map_their_own_names_and_the_first_rule_wins() -> None:
    own = FeedbackSettings(
        rules=(
            SignalRule(kind="low_rating", name="csat", at_most=3),
            SignalRule(kind="high_rating", name="csat"),
            SignalRule(kind="reason", name="why_*", labels=("wrong", "rude")),
        )
    )
    assert [kind("csat", value, own) for value in (1, 3, 4)] == ["low_rating", "low_rating", "high_rating"]
    assert [kind("why_bad", value, own) for value in ("Wrong", "long")] == ["reason", None]
    assert kind("thumbs", 0, own) is None


def test_kinds_add_up_each_once() -> None:
    # 0: thumbs-down 2 (twice is once) and regenerate 1; 1: an edit 2 that was copied, -1; 2: a thumb up.
    made = found(
        (0, "thumbs", 0), (0, "user_rating", 0), (0, "regenerate", 1), (1, "edit", 1), (1, "copy", 1), (2, "thumbs", 1)
    )
    assert made.feedback.tolist() == [3, 1, -1.5, 0]
    assert made.edited.tolist() == [False, True, False, False]
    assert made.counts == {"thumbs_down": 1, "regenerate": 1, "edit": 1, "copy": 1, "thumbs_up": 1}


def test_weights_are_settings_and_the_sum_has_a_limit() -> None:
    made = found((0, "edit", 1), (1, "copy", 1), settings=FeedbackSettings(weights={"edit": 9, "copy": -9}))
    assert made.feedback.tolist() == [4, -4, 0, 0]


def test_dwell_far_from_its_categorys_median() -> None:
    # 21 traces of category 0 with a median of 10 s, ratio 3: 30 s is at the edge (1 x 0.5), 10/9 s, 90 s and beyond
    # count twice that, 29 s and what lies between nothing. Category 1 has too few: the median of all, 10 s, holds.
    seconds = [10.0] * 17 + [30.0, 10 / 9, 1000.0, 29.0, 90.0]
    rows = [(row, "dwell_s", value) for row, value in enumerate(seconds)]
    category = np.array([0] * 21 + [1])
    made = evidence(signals(*rows), category, DEFAULT)
    np.testing.assert_allclose(made.feedback, [0] * 17 + [0.5, 1.0, 1.0, 0, 1.0])
    assert made.counts == {"dwell": 4}
    # 19 of all are too few to tell what is usual; 0 s is as short as can be.
    assert not evidence(signals(*rows[3:]), category, DEFAULT).feedback.any()
    assert evidence(signals(*rows[:20], (20, "dwell_s", 0.0)), category, DEFAULT).feedback[20] == 1.0


def test_nothing_said_is_no_evidence() -> None:
    made = found()
    assert made.feedback.tolist() == [0, 0, 0, 0]
    assert not made.edited.any()
    assert made.counts == {}
