"""The codebooks that ship: each is ready to use, and all of them are of one hand."""

import string
from collections import Counter

import pytest

from builders import ROOT
from goldloop.codebook.check import check
from goldloop.codebook.json_schema import EDITOR_LINE
from goldloop.codebook.load import load_folder
from goldloop.codebook.schema import Codebook, Label

FOLDER = ROOT / "label_configs"
SHIPPED = load_folder(FOLDER)
LONGEST = 260
"""Characters of a definition or an example: four lines beside the questions on a screen of 1280 pixels."""
LEFT_HAND = set("qwertasdfgzxcvb")

each = pytest.mark.parametrize("asked", SHIPPED.values(), ids=SHIPPED)


def labels(asked: Codebook) -> list[Label]:
    return [label for question in asked.questions for label in question.labels]


def test_five_ship_and_cover_every_kind_of_question() -> None:
    assert list(SHIPPED) == [
        "agent-trajectory", "answer-quality", "pairwise-preference", "rag-groundedness", "support-tone",
    ]  # fmt: skip
    kinds = {question.kind for asked in SHIPPED.values() for question in asked.questions}
    assert kinds == {"binary", "choice", "multi-choice", "rating", "number", "text", "correction", "pairwise"}


@each
def test_it_stands_in_a_file_of_its_name_that_editors_complete(asked: Codebook) -> None:
    assert (FOLDER / f"{asked.name}.yaml").read_text(encoding="utf-8").startswith(EDITOR_LINE + "# ")
    assert asked.version == "1.0.0"  # none was ever published


@each
def test_nothing_is_found_wrong_with_it(asked: Codebook) -> None:
    assert check(asked) == []


@each
def test_every_label_has_its_examples_in_few_words(asked: Codebook) -> None:
    told = [
        (label.name, text)
        for label in labels(asked)
        for text in (label.definition, label.positive, label.negative, label.edge)
    ]
    assert [name for name, text in told if not text] == []
    assert [(name, len(text)) for name, text in told if text and len(text) > LONGEST] == []
    assert [text for text, times in Counter(text for _, text in told).items() if times > 1] == []


@each
def test_one_hand_can_rest_on_the_keys(asked: Codebook) -> None:
    assert [label.hotkey for label in asked.verdict.labels] == [*"123"][: len(asked.verdict.labels)]
    others = [
        label.hotkey for question in asked.questions if question is not asked.verdict for label in question.labels
    ]
    assert set(others) <= LEFT_HAND
    assert [reason.hotkey for reason in asked.skip_reasons] == [*"7890"]


@each
def test_what_is_asked_further_hangs_on_the_verdict_or_may_stay_open(asked: Codebook) -> None:
    for question in asked.questions:
        if question is asked.verdict:
            assert question.required
        elif not question.only_if:
            # The tone is what that queue is about: it is asked of every reply, to see its course.
            assert (asked.name, question.name) == ("support-tone", "tone") or not question.required
        else:
            assert set(question.only_if) == {asked.verdict.name}


@each
def test_every_kind_of_error_has_a_severity_and_no_other_label_has(asked: Codebook) -> None:
    taxonomies = {"error_type", "claim_fault", "policy_broken", "step_error"}
    for question in asked.questions:
        assert {label.severity is not None for label in question.labels} <= {question.name in taxonomies}


def test_no_two_of_them_write_one_langfuse_score() -> None:
    scores = Counter(
        score
        for asked in SHIPPED.values()
        for score in (
            asked.annotation_score,
            *(question.score_name for question in asked.questions if not question.in_words),
        )
    )
    assert [score for score, times in scores.items() if times > 1] == []


@each
def test_its_texts_are_typed_plainly(asked: Codebook) -> None:
    text = (FOLDER / f"{asked.name}.yaml").read_text(encoding="utf-8")
    assert set(text) <= {*string.printable, "€"}
    assert max(map(len, text.splitlines())) <= 120
