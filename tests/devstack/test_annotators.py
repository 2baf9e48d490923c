"""What a scripted annotator sends to Label Studio."""

import json

import httpx
import pytest

from builders import NOW, ROOT
from goldloop.codebook.controls import swapped
from goldloop.codebook.load import load
from goldloop.codebook.result import from_result
from goldloop.devstack import annotators
from goldloop.devstack.tracefile import Rating
from goldloop.records import TaskSnapshot

PAIR = load(ROOT / "label_configs" / "pairwise-preference.yaml")


@pytest.mark.parametrize("trace_id", ["t1", "t2", "t3", "t4", "t5"])
def test_of_two_answers_it_chooses_the_side_on_which_the_preferred_one_stands(
    monkeypatch: pytest.MonkeyPatch, trace_id: str
) -> None:
    answers = {"preference": "output", "strength": "clearly", "preference_reason": ["truth"]}
    monkeypatch.setattr(annotators, "answers_of", lambda _codebook, _rating: answers)
    sent: list[httpx.Request] = []

    def take(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(201)

    task = TaskSnapshot(task_id=7, project_id=1, trace_id=trace_id, updated_at=NOW)
    with httpx.Client(base_url="http://127.0.0.1", transport=httpx.MockTransport(take)) as client:
        annotators._submit(client, PAIR, task, Rating(rater="ana", verdict="pass"))
    result = json.loads(sent[0].content)["result"]
    swap = swapped(PAIR.name, trace_id)
    # The app's own answer stands on the left, A, unless it is swapped to the right.
    assert result[0]["value"] == {"choices": ["b" if swap else "a"]}
    assert from_result(PAIR, result, swap=swap)["preference"] == "output"
