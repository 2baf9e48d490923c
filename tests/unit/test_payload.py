import pytest

from builders import trace
from fakes.langfuse import FakeTraceSource
from goldloop.errors import RejectedError
from goldloop.pipeline.payload import fetch


@pytest.mark.parametrize("alternative", [None, "", " \n"])
def test_without_a_second_answer_there_is_nothing_to_compare(alternative: str | None) -> None:
    source = FakeTraceSource()
    source.log(trace("t1", alternative=alternative))
    with pytest.raises(RejectedError, match="alternative_output") as refused:
        fetch(source, "t1", pairwise=True)
    assert refused.value.reason == "no_alternative"
    assert fetch(source, "t1").trace_id == "t1"  # where one answer is judged, none is missed


def test_two_answers_can_be_compared() -> None:
    source = FakeTraceSource()
    source.log(trace("t1", alternative="Within a month."))
    assert fetch(source, "t1", pairwise=True).alternative == "Within a month."
