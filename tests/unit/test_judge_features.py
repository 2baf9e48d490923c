"""Words counted by hand, and traces that lack everything."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import trace
from goldloop.judge.features import NAMES, VERSION, asked, features, trace_features
from goldloop.records import Document, Message, Step, Trace

BATTERY = Document(title="Battery", text="The battery holds for two hours, 40 km in all.")


def _asking(question: str, output: str, **more: object) -> Trace:
    return trace("t1", output, **{"messages": (Message(role="user", content=question),), **more})


def _of(output: str, question: str = "How far?", **more: object) -> dict[str, float]:
    made = _asking(question, output, **{"documents": (BATTERY,), **more})
    return dict(zip(NAMES, features(made), strict=True))


def test_an_answer_that_the_document_holds() -> None:
    found = _of("The battery holds for two hours.")
    assert found["words backed by the sources"] == 1.0
    # the batter holds for two hours: five pairs, and the title only puts more before them
    assert found["word pairs backed"] == 1.0
    assert found["word pairs backed in a row"] == 1.0
    assert found["share of sentences not backed"] == 0.0
    assert found["share of names not backed"] == 0.0
    assert found["sources, log"] == pytest.approx(math.log(2))


def test_an_answer_that_is_made_up() -> None:
    found = _of("Unicorns deliver 99 parcels at Dawn.")
    assert found["words backed by the sources"] == 0.0
    assert found["unbacked numbers, log"] == pytest.approx(math.log(2))  # one number
    assert found["share of names not backed"] == 1.0  # Unicorns, Dawn
    assert found["refuses"] == 0.0


def test_half_of_it_is_backed() -> None:
    # the, battery of the first sentence and none of the second: 2 of 4 (at is too short), 2/3 and 0 by sentence
    found = _of("The battery sings. Nightly!")
    assert found["words backed by the sources"] == pytest.approx(2 / 4)
    assert found["mean backing of sentences"] == pytest.approx(1 / 3)
    assert found["least backed sentence"] == 0.0
    assert found["share of sentences not backed"] == 0.5
    # the-battery is there; battery-sings, sings-nightly are not
    assert found["word pairs backed"] == pytest.approx(1 / 3)
    assert found["word pairs backed in a row"] == 0.0


def test_endings_do_not_matter_and_numbers_do() -> None:
    assert _of("Batteries hold")["words backed by the sources"] == pytest.approx(
        1 / 2
    )  # batter, and not hold for holds
    assert _of("400")["unbacked numbers, log"] > 0
    assert _of("40")["unbacked numbers, log"] == 0


def test_tool_results_are_sources_and_messages_are_known() -> None:
    step = Step(kind="tool", name="order", input="{}", output='{"state": "delivered"}')
    found = _of("Delivered", documents=(), steps=(step,))
    assert (found["words backed by the sources"], found["no sources"]) == (1.0, 0.0)
    found = _of("Zebra", question="A zebra?")
    assert (found["words backed by the sources"], found["words backed by sources or messages"]) == (0.0, 1.0)


def test_refusals_and_questions() -> None:
    found = _of("Sorry, the documents do not say. Shall I ask?", question="Does the battery hold?")
    assert (found["refuses"], found["refuses at once"], found["answer asks back"]) == (1.0, 1.0, 1.0)
    # does the batter hold, of which the document has the and batter; the answer has the
    assert found["words of the question in the sources"] == pytest.approx(2 / 4)
    assert found["words of the question in the answer"] == pytest.approx(1 / 4)
    assert found["refuses, words of the question in the sources"] == pytest.approx(2 / 4)
    assert _of("Again. Again. Once more.")["repeated sentences"] == pytest.approx(1 / 3)


def test_a_trace_without_anything() -> None:
    found = dict(zip(NAMES, features(trace(output=" ", messages=())), strict=True))
    assert (found["no answer"], found["no sources"], found["share of sentences not backed"]) == (1.0, 1.0, 1.0)
    assert asked(trace(messages=())) == ""


@settings(deadline=None)
@given(st.text(max_size=200), st.text(max_size=200), st.lists(st.text(max_size=200), max_size=3))
def test_always_as_many_finite_numbers(output: str, question: str, documents: list[str]) -> None:
    made = _asking(question, output, documents=tuple(Document(title="", text=text) for text in documents))
    found = trace_features(made)
    assert len(found.values) == len(NAMES)
    assert all(math.isfinite(value) for value in found.values)
    assert found.version == VERSION
    assert trace_features(made) == found


def test_the_same_question_is_known_again() -> None:
    one = asked(_asking("How far  does it GO?", "a"))
    assert asked(_asking("how far does it go?\n", "b")) == one
    other = asked(_asking("How far does it go?", "a", documents=(BATTERY,)))
    assert other != one
    assert other.partition(".")[0] == one.partition(".")[0]
    assert asked(_asking("How near?", "a")).partition(".")[0] != one.partition(".")[0]


def test_a_document_without_a_question_is_known_again() -> None:
    one, same, other = (
        asked(trace("t1", output, messages=(), documents=(document,)))
        for output, document in (("a", BATTERY), ("b", BATTERY), ("a", Document(title="", text="Another one.")))
    )
    assert one == same
    assert one != other
    assert one.startswith(".")  # no user asked a thing


def test_a_long_message_is_a_source_where_there_is_no_other() -> None:
    long = f"Sum this up. {BATTERY.text} {'And so on. ' * 50}"
    found = _of("The battery holds for two hours.", question=long, documents=())
    assert (found["words backed by the sources"], found["word pairs backed"], found["no sources"]) == (1.0, 1.0, 0.0)
    # 500 characters are long, 499 are not
    assert _of("aaaaaa", question=("aaaaaa" + " " * 494), documents=())["no sources"] == 0.0
    assert _of("aaaaaa", question=("aaaaaa" + " " * 493), documents=())["no sources"] == 1.0
    assert _of("Lamps.", question=f"Lamps? {long}")["words backed by the sources"] == 0.0  # a document is there


def test_an_apostrophe_is_one_however_it_is_written() -> None:
    assert _of("I don\N{RIGHT SINGLE QUOTATION MARK}t know.")["refuses"] == _of("I don't know.")["refuses"] == 1.0
