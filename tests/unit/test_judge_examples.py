"""Which examples are shown with a trace."""

from hypothesis import given
from hypothesis import strategies as st

from builders import trace
from goldloop.judge.examples import NEAR, ShownExample, chosen, shingles, similarity
from goldloop.records import Trace


def about(trace_id: str, asked: str, output: str, alternative: str | None = None) -> Trace:
    messages = [
        {"role": "system", "content": "Be kind, and keep to the rules of the shop."},
        {"role": "user", "content": asked},
    ]
    return trace(trace_id, output=output, messages=messages, alternative=alternative)


def example(trace_id: str, asked: str, output: str, alternative: str | None = None) -> ShownExample:
    return ShownExample(about(trace_id, asked, output, alternative), {"verdict": "pass"})


RETURNS = example("e1", "How long can I return shoes?", "Thirty days from the day that they arrive, unworn.")
PARCEL = example("e2", "Where is my parcel now?", "It left the warehouse this morning.")
REFUND = example("e3", "When do I get my money back?", "Within a week after we have the goods.")
ALL = [RETURNS, PARCEL, REFUND]
OTHER = about("t1", "Do you ship to Norway?", "Yes, in about six days.")


def ids(examples: list[ShownExample]) -> list[str]:
    return [each.trace.trace_id for each in examples]


def test_the_newest_are_shown_in_one_order() -> None:
    assert ids(chosen(ALL, OTHER, 5)) == ["e1", "e2", "e3"]
    assert ids(chosen(ALL, OTHER, 2)) == ["e2", "e3"]
    assert chosen(ALL, OTHER, 0) == []
    assert chosen([], OTHER, 4) == []


def test_a_trace_is_no_example_of_itself() -> None:
    same_id = about("e2", "Something quite different?", "So it is.")
    assert ids(chosen(ALL, same_id, 5)) == ["e1", "e3"]


def test_who_asks_the_same_would_be_given_the_answer() -> None:
    assert ids(chosen(ALL, about("t2", "where is my parcel NOW", "I can not say that."), 5)) == ["e1", "e3"]


def test_the_same_output_gives_it_away_too() -> None:
    again = about("t3", "May I send these back?", "Thirty days from the day that they arrive, unworn!")
    assert ids(chosen(ALL, again, 5)) == ["e2", "e3"]


def test_the_other_of_two_answers_gives_it_away_too() -> None:
    pair = example("e4", "Which is better?", "The red one, for it lasts.", "The blue one costs less by far.")
    seen = about("t4", "What shall I buy?", "It depends.", "The blue one costs less by far.")
    assert chosen([pair], seen, 5) == []
    assert ids(chosen([pair], about("t5", "What shall I buy?", "It depends."), 5)) == ["e4"]


def test_an_example_that_is_passed_over_makes_room_for_an_older_one() -> None:
    assert ids(chosen(ALL, about("t6", "When do I get my money back?", "Soon."), 2)) == ["e1", "e2"]


def test_empty_texts_are_not_alike() -> None:
    silent = ShownExample(trace("e9", output="", messages=[]), {"verdict": "fail"})
    assert ids(chosen([silent], trace("t7", output="", messages=[]), 5)) == ["e9"]


def test_one_changed_word_of_twenty_is_nearly_the_same_and_three_are_not() -> None:
    words = [f"word{number}" for number in range(20)]
    one = shingles(" ".join(words))
    assert len(one) == 18
    # One changed word in the middle: 15 of 21 are common.
    changed = [*words]
    changed[10] = "other"
    assert similarity(one, shingles(" ".join(changed))) == 15 / 21 >= NEAR
    # A second one apart from it: 12 of 24.
    changed[4] = "other"
    assert similarity(one, shingles(" ".join(changed))) == 12 / 24 >= NEAR
    # A third one: 9 of 27.
    changed[16] = "other"
    assert similarity(one, shingles(" ".join(changed))) == 9 / 27 < NEAR


@given(st.text(), st.text())
def test_similarity_is_even_handed(one: str, other: str) -> None:
    found = similarity(shingles(one), shingles(other))
    assert found == similarity(shingles(other), shingles(one))
    assert 0 <= found <= 1
    assert similarity(shingles(one), shingles(one)) == (1 if shingles(one) else 0)
