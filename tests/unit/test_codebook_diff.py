"""What a change does to labels given before: by hand on the shipped codebooks, and over random edits."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import ROOT, codebook
from builders_codebooks import codebooks
from goldloop.codebook.diff import LEVELS, Change, CodebookDiff, Level, diff, means_the_same
from goldloop.codebook.load import files, load
from goldloop.codebook.schema import Codebook, Label, LangfuseMapping, Question, Scale, SkipReason
from goldloop.errors import CodebookError

SHIPPED = {path.stem: load(path) for path in files(ROOT / "label_configs")}
LABELS = [
    pytest.param(name, question.name, label.name, id=f"{name}-{question.name}-{label.name}")
    for name, shipped in SHIPPED.items()
    for question in shipped.questions
    for label in question.labels
]


def with_question(book: Codebook, name: str, /, **fields: Any) -> Codebook:
    """The codebook with other fields of one question, as if its file said so."""
    questions = [q.model_copy(update=fields) if q.name == name else q for q in book.questions]
    return book.model_copy(update={"questions": tuple(questions)})


def with_label(book: Codebook, question: str, label: str, /, **fields: Any) -> Codebook:
    asked = book.question(question)
    assert asked is not None
    labels = [one.model_copy(update=fields) if one.name == label else one for one in asked.labels]
    return with_question(book, question, labels=tuple(labels))


def without_label(book: Codebook, question: str, label: str) -> Codebook:
    asked = book.question(question)
    assert asked is not None
    kept = tuple(one for one in asked.labels if one.name != label)
    return with_question(book, question, labels=kept, failure=tuple(name for name in asked.failure if name != label))


def levels(found: CodebookDiff) -> dict[str, str]:
    return {name: changed.level for name, changed in found.questions.items()}


# -- on the codebooks that ship --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "question", "label"), LABELS)
def test_a_label_less_breaks_its_question_alone(name: str, question: str, label: str) -> None:
    found = diff(SHIPPED[name], without_label(SHIPPED[name], question, label))
    assert levels(found) == {question: "breaking"}
    assert found.breaking == (question,)
    assert Change(level="breaking", what=f"label {label} removed") in found.questions[question].changes
    assert found.understated
    assert found.needed_version == "2.0.0"


@pytest.mark.parametrize("kind", ["positive", "negative", "edge"])
@pytest.mark.parametrize(("name", "question", "label"), LABELS)
def test_an_example_in_other_words_is_editorial(name: str, question: str, label: str, kind: str) -> None:
    found = diff(SHIPPED[name], with_label(SHIPPED[name], question, label, **{kind: "Another case altogether."}))
    assert found.level == "editorial"
    assert found.needed_version == "1.0.1"
    (change,) = found.questions[question].changes
    assert change.what == f"label {label}: {kind} example reworded"


@pytest.mark.parametrize(("before", "after", "done"), [(None, "A case.", "added"), ("A case.", None, "removed")])
def test_an_example_that_comes_or_goes_is_told_as_such(before: str | None, after: str | None, done: str) -> None:
    old, new = (with_label(BOOK, "verdict", "pass", edge=edge) for edge in (before, after))
    (change,) = diff(old, new).questions["verdict"].changes
    assert (change.level, change.what) == ("editorial", f"label pass: edge example {done}")


def test_a_reason_to_skip_in_other_words_is_editorial() -> None:
    first, *more = BOOK.skip_reasons
    reworded = BOOK.model_copy(update={"skip_reasons": (first.model_copy(update={"text": "No way to tell"}), *more)})
    assert [change.level for change in diff(BOOK, reworded).codebook] == ["editorial"]
    fewer = BOOK.model_copy(update={"skip_reasons": tuple(more)})
    assert [change.level for change in diff(BOOK, fewer).codebook] == ["compatible"]


@pytest.mark.parametrize(("name", "question", "label"), LABELS)
def test_another_definition_breaks_and_the_same_one_written_otherwise_does_not(
    name: str, question: str, label: str
) -> None:
    asked = SHIPPED[name].question(question)
    assert asked is not None
    (old,) = [one.definition for one in asked.labels if one.name == label]
    again = diff(SHIPPED[name], with_label(SHIPPED[name], question, label, definition=f"  {old.upper()} ..."))
    assert levels(again) == {question: "editorial"}
    other = diff(SHIPPED[name], with_label(SHIPPED[name], question, label, definition=f"{old} And on Sundays."))
    assert levels(other) == {question: "breaking"}


# -- each kind of change, by hand ------------------------------------------------------------------------------------

BOOK = codebook()
EDITS: list[tuple[str, Codebook, dict[str, str], str | None]] = [
    ("question text", with_question(BOOK, "verdict", text="Let it out?"), {"verdict": "editorial"}, "1.0.1"),
    ("button", with_label(BOOK, "verdict", "pass", text="Fine"), {"verdict": "editorial"}, "1.0.1"),
    ("hotkey", with_label(BOOK, "verdict", "pass", hotkey="p"), {"verdict": "editorial"}, "1.0.1"),
    ("severity", with_label(BOOK, "error_type", "tone", severity="critical"), {"error_type": "compatible"}, "1.1.0"),
    ("required", with_question(BOOK, "note", required=True), {"note": "compatible"}, "1.1.0"),
    ("score", with_question(BOOK, "verdict", score="let_out"), {"verdict": "compatible"}, "1.1.0"),
    ("kind", with_question(BOOK, "error_type", kind="choice"), {"error_type": "breaking"}, "2.0.0"),
    ("failure", with_question(BOOK, "verdict", failure=("pass",)), {"verdict": "breaking"}, "2.0.0"),
    ("only_if", with_question(BOOK, "note", only_if=None), {"note": "breaking"}, "2.0.0"),
    (
        "only_if wider",
        with_question(BOOK, "note", only_if={"verdict": ("pass", "fail")}),
        {"note": "breaking"},
        "2.0.0",
    ),
    ("title", BOOK.model_copy(update={"title": "Quality"}), {}, "1.0.1"),
    ("owner", BOOK.model_copy(update={"owner": "Ann"}), {}, "1.0.1"),
    ("purpose", BOOK.model_copy(update={"purpose": "To know."}), {}, "1.0.1"),
    ("question order", BOOK.model_copy(update={"questions": BOOK.questions[::-1]}), {}, "1.0.1"),
    (
        "skip reasons",
        BOOK.model_copy(update={"skip_reasons": (SkipReason(name="why", text="Why"),)}),
        {},
        "1.1.0",
    ),
    ("Langfuse", BOOK.model_copy(update={"langfuse": LangfuseMapping(dataset="d")}), {}, "1.1.0"),
    (
        "question added",
        BOOK.model_copy(update={"questions": (*BOOK.questions, Question(name="more", kind="text", text="More?"))}),
        {"more": "compatible"},
        "1.1.0",
    ),
    (
        "question removed",
        BOOK.model_copy(update={"questions": BOOK.questions[:-1]}),
        {BOOK.questions[-1].name: "breaking"},
        "2.0.0",
    ),
    ("queue", codebook(budget=81), {}, "1.0.0"),
]


@pytest.mark.parametrize(("new", "expected", "needed"), [edit[1:] for edit in EDITS], ids=[edit[0] for edit in EDITS])
def test_each_change_has_its_level(new: Codebook, expected: dict[str, str], needed: str) -> None:
    found = diff(BOOK, new)
    assert levels(found) == expected
    assert found.needed_version == needed
    assert found.understated == (needed != "1.0.0")


def labels(*names: str) -> tuple[Label, ...]:
    return tuple(Label(name=name, text=name.title(), definition=f"It is {name}, as one sees.") for name in names)


def asked(**fields: Any) -> Codebook:
    """A codebook whose first question has these fields beside a name and a text."""
    return with_question(BOOK, "verdict", **fields)


@pytest.mark.parametrize(
    ("kind", "before", "after", "level", "what"),
    [
        ("choice", "ab", "abc", "compatible", "label c added"),
        ("multi-choice", "ab", "cab", "compatible", "label c added"),
        ("choice", "ab", "ba", "editorial", "labels in another order"),
        ("rating", "ab", "abc", "breaking", "label c added, so the scale is another"),
        ("rating", "abc", "ab", "breaking", "label c removed"),
        ("rating", "abc", "bac", "breaking", "scale reordered"),
        ("pairwise", "ab", "abt", "breaking", "label t added, so the scale is another"),
        ("pairwise", "abt", "ab", "breaking", "label t removed"),
    ],
)
def test_labels_come_and_go(kind: str, before: str, after: str, level: str, what: str) -> None:
    found = diff(asked(kind=kind, labels=labels(*before)), asked(kind=kind, labels=labels(*after)))
    assert found.questions["verdict"].changes == (Change.model_validate({"level": level, "what": what}),)


def test_a_label_under_another_name_is_renamed_and_breaks() -> None:
    (old,) = labels("old")
    other_text = asked(labels=(old.model_copy(update={"name": "new", "text": "New"}),))
    assert [c.what for c in diff(asked(labels=(old,)), other_text).questions["verdict"].changes] == [
        "label old renamed to new"
    ]
    other_definition = asked(labels=(old.model_copy(update={"name": "new", "definition": "Another thing."}),))
    assert [c.what for c in diff(asked(labels=(old,)), other_definition).questions["verdict"].changes] == [
        "label old renamed to new"
    ]


def test_a_condition_follows_a_renamed_label_in_both_questions() -> None:
    renamed = with_label(with_question(BOOK, "verdict", failure=("failed",)), "verdict", "fail", name="failed")
    renamed = with_question(renamed, "note", only_if={"verdict": ("failed",)})
    assert levels(diff(BOOK, renamed)) == {"verdict": "breaking", "note": "breaking"}


def test_a_question_under_another_name_is_renamed_and_breaks() -> None:
    found = diff(BOOK, with_question(BOOK, "note", name="remark"))
    assert found.questions["note"].changes[0].what == "question renamed to remark"
    assert levels(found) == {"note": "breaking", "remark": "compatible"}


@pytest.mark.parametrize("change", [{"minimum": 1}, {"maximum": 9}, {"step": 2}, {"unit": "hours"}])
def test_another_scale_breaks(change: dict[str, Any]) -> None:
    scale = Scale(minimum=0, maximum=10, unit="minutes")
    old = asked(kind="number", labels=(), scale=scale)
    assert levels(diff(old, asked(kind="number", labels=(), scale=scale.model_copy(update=change)))) == {
        "verdict": "breaking"
    }


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("It is rude.", "it is rude", True),
        ("It  is\n'rude' - or curt", "It is rude, or curt!", True),
        ("More than 5 lines", "More than 50 lines", False),
        ("At least 5.0", "At least 50", False),
        ("below -5", "below 5", False),
        ("< 3 days", "> 3 days", False),
        ("5 % off", "5 off", False),
        ("It is rude.", "It is not rude.", False),
    ],
)
def test_definitions_are_held_against_each_other_by_their_words(one: str, other: str, same: bool) -> None:
    assert means_the_same(one, other) is same


# -- versions --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "level", "understated"),
    [
        ("1.2.3", "editorial", True),
        ("1.2.4", "editorial", False),
        ("1.2.4", "compatible", True),
        ("1.3.0", "compatible", False),
        ("1.9.9", "breaking", True),
        ("2.0.0", "breaking", False),
        ("2.0.0", "editorial", False),
        ("1.10.0", "compatible", False),
    ],
)
def test_a_version_may_promise_more_change_than_there_is_and_not_less(
    version: str, level: str, understated: bool
) -> None:
    edits = {
        "editorial": with_question(BOOK, "note", text="Note?"),
        "compatible": with_question(BOOK, "note", required=True),
        "breaking": with_question(BOOK, "note", only_if=None),
    }
    old = BOOK.model_copy(update={"version": "1.2.3"})
    found = diff(old, edits[level].model_copy(update={"version": version}))
    assert (found.level, found.understated) == (level, understated)
    assert (found.complaint is not None) is understated


def test_the_complaint_says_which_version_to_set() -> None:
    same = diff(BOOK, with_question(BOOK, "note", only_if=None))
    assert same.complaint == (
        "the version of answer-quality is still 1.0.0, yet "
        '"note: asked in other cases (only_if changed)" is a breaking change: '
        "set `version: 2.0.0`"
    )
    low = diff(BOOK, BOOK.model_copy(update={"skip_reasons": (), "title": "x", "version": "1.0.1"}))
    assert low.complaint == (
        'the version of answer-quality is only 1.0.1 after 1.0.0, yet "skip reasons changed" is a compatible change: '
        "set `version: 1.1.0`"
    )


def test_two_codebooks_and_a_way_back_are_refused() -> None:
    with pytest.raises(CodebookError, match="are two codebooks"):
        diff(BOOK, BOOK.model_copy(update={"name": "other-queue"}))
    with pytest.raises(CodebookError, match=r"goes back from 1\.10\.0 to 1\.9\.0"):
        diff(BOOK.model_copy(update={"version": "1.10.0"}), BOOK.model_copy(update={"version": "1.9.0"}))


def test_settings_are_told_and_need_no_version() -> None:
    found = diff(BOOK, codebook(budget=81))
    assert found.settings == ("budget: 81, before 80",)
    assert (found.level, found.understated, found.questions, found.codebook) == (None, False, {}, ())


def test_as_json_holds_the_changed_questions_alone() -> None:
    told = diff(BOOK, with_label(BOOK, "verdict", "pass", text="Fine")).as_json()
    assert told == {
        "name": "answer-quality",
        "from": "1.0.0",
        "to": "1.0.0",
        "level": "editorial",
        "needed_version": "1.0.1",
        "understated": True,
        "questions": {
            "verdict": {
                "level": "editorial",
                "changes": [{"level": "editorial", "what": "label pass: button reads otherwise"}],
            }
        },
        "codebook": [],
        "settings": [],
    }


# -- random edits of random codebooks --------------------------------------------------------------------------------

Edit = tuple[Level, Callable[[Question], dict[str, Any]]]


def _first(question: Question, **fields: Any) -> dict[str, Any]:
    return {"labels": (question.labels[0].model_copy(update=fields), *question.labels[1:])}


def _added(question: Question) -> dict[str, Any]:
    return {"labels": (*question.labels, Label(name="zebra", text="Zebra", definition="It has stripes."))}


ANY: dict[str, Edit] = {
    "text": ("editorial", lambda q: {"text": f"{q.text} zebra"}),
    "required": ("compatible", lambda q: {"required": not q.required}),
    "score": ("compatible", lambda q: {"score": "zebra" if q.score != "zebra" else "zebu"}),
    "only_if": ("breaking", lambda q: {"only_if": {"zebra": ("zebra", *next(iter((q.only_if or {"": ()}).values())))}}),
}
LABELLED: dict[str, Edit] = {
    "button": ("editorial", lambda q: _first(q, text=f"{q.labels[0].text} zebra")),
    "positive": ("editorial", lambda q: _first(q, positive=f"{q.labels[0].positive} zebra")),
    "same definition": ("editorial", lambda q: _first(q, definition=f"{q.labels[0].definition} !")),
    "severity": ("compatible", lambda q: _first(q, severity="minor" if q.labels[0].severity != "minor" else "major")),
    "redefined": ("breaking", lambda q: _first(q, definition=f"{q.labels[0].definition} zebra")),
    "renamed": ("breaking", lambda q: _first(q, name="zebra_" + q.labels[0].name)),
    "removed": ("breaking", lambda q: {"labels": q.labels[1:]}),
    "failure": ("breaking", lambda q: {"failure": (*q.failure, "zebra")}),
}
BY_KIND: dict[str, dict[str, Edit]] = {
    "choice": {
        "added": ("compatible", _added),
        "order": ("editorial", lambda q: {"labels": q.labels[::-1]}),
        "kind": ("breaking", lambda _: {"kind": "multi-choice"}),
    },
    "multi-choice": {"added": ("compatible", _added), "kind": ("breaking", lambda _: {"kind": "choice"})},
    "rating": {"added": ("breaking", _added), "order": ("breaking", lambda q: {"labels": q.labels[::-1]})},
    "number": {
        "scale": (
            "breaking",
            lambda q: {"scale": q.scale and q.scale.model_copy(update={"maximum": q.scale.maximum + 1})},
        )
    },
}
LASTING = {"redefined", "renamed", "removed", "failure"}
"""Breaking edits that none of the others takes back."""


@st.composite
def edits(draw: st.DrawFn, book: Codebook, only: set[str] | None = None) -> tuple[str, Level, Codebook]:
    """The edited question, the level that is meant, and the edited codebook."""
    possible = [
        (question, level, change)
        for question in book.questions
        for name, (level, change) in (
            ANY | (LABELLED if len(question.labels) > 1 else {}) | BY_KIND.get(question.kind, {})
        ).items()
        if only is None or name in only
    ]
    question, level, change = draw(st.sampled_from(possible))
    return question.name, level, with_question(book, question.name, **change(question))


@given(codebooks())
def test_nothing_changes_by_itself(book: Codebook) -> None:
    found = diff(book, book)
    assert (found.level, found.questions, found.codebook, found.settings) == (None, {}, (), ())
    assert not found.understated


@given(st.data())
def test_a_random_edit_is_taken_for_what_it_is(data: st.DataObject) -> None:
    book = data.draw(codebooks())
    name, level, edited = data.draw(edits(book))
    found = diff(book, edited)
    assert levels(found) == {name: level}
    assert found.level == level


@given(st.data())
def test_what_broke_stays_broken_whatever_else_is_edited(data: st.DataObject) -> None:
    book = data.draw(codebooks())
    name, _, broken = data.draw(edits(book, LASTING))
    _, _, more = data.draw(edits(broken))
    assert name in diff(book, broken).breaking
    assert name in diff(book, more).breaking


@given(st.data())
def test_a_change_in_two_steps_is_no_worse_than_the_worse_step(data: st.DataObject) -> None:
    first = data.draw(codebooks())
    _, _, second = data.draw(edits(first))
    _, _, third = data.draw(edits(second))
    steps = [levels(diff(first, second)), levels(diff(second, third))]
    for name, level in levels(diff(first, third)).items():
        worst = max((LEVELS.index(step[name]) for step in steps if name in step), default=-1)
        assert LEVELS.index(level) <= worst


@given(st.data())
def test_what_comes_one_way_goes_the_other(data: st.DataObject) -> None:
    one = data.draw(codebooks())
    _, _, other = data.draw(edits(one))
    there, back = diff(one, other), diff(other, one)
    assert there.questions.keys() == back.questions.keys()
    gone = {(n, c.what) for n, q in there.questions.items() for c in q.changes if c.what.endswith(" removed")}
    come = {(n, c.what.partition(",")[0]) for n, q in back.questions.items() for c in q.changes if " added" in c.what}
    assert {(name, what.replace("removed", "added")) for name, what in gone} == come


@given(codebooks(), codebooks())
def test_any_difference_is_told(one: Codebook, other: Codebook) -> None:
    other = other.model_copy(update={"name": one.name, "version": one.version})
    assert (diff(one, other).level is None) == (one.digest() == other.digest())


def test_the_shipped_codebooks_were_found() -> None:
    assert {"answer-quality", "agent-trajectory", "pairwise-preference", "rag-groundedness", "support-tone"} <= set(
        SHIPPED
    )
