import json
from typing import Any

import pytest

from goldloop.adapters.langfuse import datasets
from goldloop.errors import RetryableError
from goldloop.records import Document, EvalRow, Message, Receipt
from unit.langfuse_answers import Answers, ok

NOT_FOUND = ok({"message": "not found", "error": "LangfuseNotFoundError"}, 404)
DATASET = ok({"name": "golden/set"})
TAKEN = Receipt(key="r1", accepted=True)


def row(**given: Any) -> EvalRow:
    fields = {
        "row_id": "r1",
        "dataset": "golden/set",
        "trace_id": "t1",
        "input": [Message(role="user", content="Hi\x00")],
        "context": [Document(title="A", text="a", score=float("nan"))],
        "output": "Ho",
        "expected_output": None,
        "labels": {"verdict": "fail"},
        "note": None,
        "provenance": {"pi": 0.5},
    }
    return EvalRow.model_validate(fields | given)


SENT = {
    "datasetName": "golden/set",
    "id": "r1",
    "input": {
        "messages": [{"role": "user", "content": "Hi\u2400"}],
        "context": [{"title": "A", "text": "a", "score": None}],
    },
    "expectedOutput": "",
    "metadata": {
        "labels": {"verdict": "fail"},
        "severity": "",
        "note": "",
        "output": "Ho",
        "provenance": {"pi": 0.5},
    },
    "sourceTraceId": "t1",
    "status": "ACTIVE",
}


def asked(answers: Answers) -> list[str]:
    return [f"{request.method} {request.url.raw_path.decode()}" for request in answers.requests]


def test_a_missing_dataset_is_made_and_a_row_is_sent_with_every_field() -> None:
    answers = Answers(NOT_FOUND, DATASET, NOT_FOUND, ok(SENT))
    assert answers.connect().datasets.put("golden/set", [row()]) == [TAKEN]
    assert asked(answers) == [
        "GET /api/public/v2/datasets/golden%2Fset",
        "POST /api/public/v2/datasets",
        "GET /api/public/dataset-items/r1",
        "POST /api/public/dataset-items",
    ]
    assert json.loads(answers.requests[1].content)["name"] == "golden/set"
    assert json.loads(answers.requests[3].content) == SENT


@pytest.mark.parametrize("read_back", [{}, {"expectedOutput": None}])
def test_a_row_that_is_there_costs_no_write(read_back: dict[str, Any]) -> None:
    answers = Answers(DATASET, ok(SENT | read_back))
    assert answers.connect().datasets.put("golden/set", [row()]) == [TAKEN]
    assert len(answers.requests) == 2


@pytest.mark.parametrize(
    "difference",
    [{"status": "ARCHIVED"}, {"expectedOutput": "x"}, {"sourceTraceId": None}, {"metadata": None}, {"input": "x"}],
)
def test_a_row_that_differs_is_written(difference: dict[str, Any]) -> None:
    answers = Answers(DATASET, ok(SENT | difference), ok(SENT))
    assert answers.connect().datasets.put("golden/set", [row()]) == [TAKEN]
    assert len(answers.requests) == 3


@pytest.mark.parametrize(("status", "reason"), [(409, "409: its id stands in another dataset"), (413, "413")])
def test_a_refused_row_does_not_stop_the_next(status: int, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "_SIDE_BY_SIDE", 1)  # the answers are in this order
    answers = Answers(DATASET, NOT_FOUND, ok({}, status), NOT_FOUND, ok(SENT))
    first, second = answers.connect().datasets.put("golden/set", [row(row_id="r0"), row()])
    assert (first.accepted, first.reason) == (False, reason)
    assert second == TAKEN


def test_a_row_that_was_never_sent_is_not_looked_for() -> None:
    answers = Answers(DATASET, ok(SENT))
    assert answers.connect().datasets.put("golden/set", [row()], new={"r1"}) == [TAKEN]
    assert asked(answers)[1:] == ["POST /api/public/dataset-items"]


def test_nothing_to_put_makes_no_dataset() -> None:
    answers = Answers(NOT_FOUND)
    assert answers.connect().datasets.put("golden/set", []) == []
    assert answers.requests == []


def test_an_answer_of_another_form_is_an_error() -> None:
    with pytest.raises(RetryableError, match="unknown form"):
        Answers(DATASET, ok([])).connect().datasets.put("golden/set", [row()])


def test_removing_archives_what_counts_here() -> None:
    elsewhere, archived = SENT | {"datasetName": "other"}, SENT | {"status": "ARCHIVED"}
    answers = Answers(NOT_FOUND, ok(elsewhere), ok(archived), ok(SENT), ok(SENT))
    answers.connect().datasets.remove("golden/set", ["r1"] * 4)
    assert [request.method for request in answers.requests] == ["GET"] * 4 + ["POST"]
    assert json.loads(answers.requests[-1].content) == {
        "datasetName": "golden/set",
        "id": "r1",
        "status": "ARCHIVED",
    }


def test_row_ids_are_the_active_ones_of_all_pages() -> None:
    def page(number: int, *rows: dict[str, Any]) -> Any:
        return ok({"data": list(rows), "meta": {"page": number, "totalPages": 2}})

    answers = Answers(page(1, SENT, SENT | {"id": "r2", "status": "ARCHIVED"}), page(2, SENT | {"id": "r3"}))
    assert answers.connect().datasets.row_ids("golden/set") == {"r1", "r3"}
    assert [request.url.params["page"] for request in answers.requests] == ["1", "2"]
    assert Answers(NOT_FOUND).connect().datasets.row_ids("golden/set") == set()
