"""What a candidate keeps of its text: 64 bits of what the user said, and nothing where nobody asked for it."""

import json
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from goldloop.codebook.sampling import PolicySettings
from goldloop.records import Candidate
from goldloop.sampling.frame import Frame
from goldloop.sampling.policies import distribution
from unit.langfuse_answers import Answers
from unit.test_langfuse_traces import EMPTY, NOON, WINDOW, page, row, source

SYSTEM = {"role": "system", "content": "You are a helpful assistant of a bicycle shop. " * 40}
WORDS = st.lists(st.sampled_from([f"word{place}" for place in range(400)]), min_size=60, max_size=80, unique=True)


def chat(asked: str) -> str:
    return json.dumps([SYSTEM, {"role": "user", "content": asked}])


def pulled(*rows: dict[str, Any], **settings: Any) -> tuple[list[Candidate], list[dict[str, str]]]:
    """The candidates, and what the requests asked for."""
    answers = Answers(page(*rows), EMPTY)
    found = [one for each in source(answers, **settings).candidates(WINDOW) for one in each.rows]
    return found, [dict(request.url.params) for request in answers.requests]


def test_only_roots_are_read_with_their_input_and_a_hundred_at_a_time() -> None:
    (made,), (roots, others) = pulled(row(input=chat("Where is my order?")), sketch=True)
    assert (roots["fields"], roots["limit"]) == ("core,basic,model,prompt,trace_context,io", "100")
    assert (others["fields"], others["limit"]) == ("core,basic,model,prompt,trace_context", "1000")
    assert isinstance(made.sketch, int)
    assert "order" not in made.model_dump_json()


def test_without_the_setting_nothing_is_read_and_nothing_kept() -> None:
    (made,), requests = pulled(row(input=chat("Where is my order?")))
    assert made.sketch is None
    assert not any("io" in one["fields"].split(",") for one in requests)


def test_only_what_the_user_said_counts() -> None:
    rows = [
        row(1, traceId="a", input=chat("Where is my order?")),
        row(2, traceId="b", input="where is MY order"),
        row(3, traceId="c", input=chat("How do I mend a flat tyre?")),
        row(4, traceId="d", input=None),
    ]
    made, _ = pulled(*rows, sketch=True)
    sketch = {one.trace_id: one.sketch for one in made}
    assert sketch["a"] == sketch["b"] != sketch["c"]
    assert sketch["d"] is None


def test_prompt_and_cluster_are_kept() -> None:
    rows = [
        row(1, traceId="a", promptName="support", promptVersion=4, tags=["topic:tyres"]),
        row(2, traceId="b", promptName="support", promptVersion=None),
        row(3, traceId="c", promptName="", promptVersion=None),
    ]
    made, _ = pulled(*rows, cluster="tag:topic:")
    assert [(one.prompt, one.cluster) for one in made] == [("support@4", "tyres"), ("support", None), (None, None)]


@given(WORDS, st.data())
def test_near_duplicates_weigh_together_what_a_lone_trace_does(words: list[str], data: st.DataObject) -> None:
    """The same text but for case, punctuation and spaces shares its buckets; the pool's others do not matter."""
    said = " ".join(words)
    rewritten = data.draw(st.sampled_from([said.upper(), said.replace(" ", "  "), said + "?!", f" {said}. "]))
    rows = [row(1, traceId="a", input=said), row(2, traceId="b", input=rewritten)]
    rows += [row(3 + place, traceId=f"z{place}", input=f"other{place} thing{place} here{place}") for place in range(2)]
    made, _ = pulled(*rows, sketch=True)
    frame = Frame.of([one.trace_id for one in made], sketch=[one.sketch or -1 for one in made])
    q = distribution("diversity", frame, PolicySettings(), NOON)
    assert q is not None
    np.testing.assert_allclose(q, [1 / 6, 1 / 6, 1 / 3, 1 / 3], rtol=0.05)
