"""The vendors' Python packages bring `requests` along; what strangers write must never make one of them call out."""

import responses

from builders import codebook, draw, trace
from goldloop.adapters.labelstudio.validation import invalid_predictions
from goldloop.codebook.render import render
from goldloop.codebook.result import to_result
from goldloop.codebook.task import task_data
from goldloop.ports import TaskDraft

LINK = "http://attacker.example/pixel.png"


@responses.activate
def test_addresses_in_a_trace_are_text_to_the_validation() -> None:
    data = task_data(codebook(), trace(output=LINK, name=LINK), draw(), (), None, LINK)
    answers = to_result(codebook(), {"verdict": "fail", "correction": LINK, "note": LINK})
    draft = TaskDraft(
        trace_id="t1",
        data=data.model_dump(mode="json"),
        prediction={"model_version": "m", "score": 0.5, "result": [*answers]},
    )
    assert invalid_predictions(render(codebook()), [draft]) == {}
    assert len(responses.calls) == 0  # any call would have raised: no address is registered
