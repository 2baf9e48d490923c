"""Rows of the listing that are not as they should be, and who stands behind an id."""

import json
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from goldloop.adapters.labelstudio import LabelStudio, connect
from goldloop.errors import RetryableError

AT = "2026-01-02T03:04:05Z"
SECRET = "what a user wrote"


def annotation(**changes: Any) -> dict[str, Any]:
    row = {"id": 9, "result": [], "completed_by": 1, "was_cancelled": False, "created_at": AT, "updated_at": AT}
    return {**row, "lead_time": None, "parent_prediction": None, **changes}


def task(task_id: int, *annotations: dict[str, Any], **changes: Any) -> dict[str, Any]:
    row = {"id": task_id, "updated_at": AT, "data": {"trace_id": "aa", "output": "x"}, "total_predictions": 0}
    return {**row, "annotations": list(annotations), **changes}


class Server:
    def __init__(self, *rows: Any, users: Any = ()) -> None:
        self.asked: list[httpx.Request] = []
        self._rows, self._users = rows, users

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        if request.url.path == "/api/users/":
            return httpx.Response(200, json=self._users)
        return httpx.Response(200, json={"tasks": self._rows, "total": len(self._rows)})

    def queue(self) -> LabelStudio:
        return connect("http://labels.test", SecretStr("key"), transport=httpx.MockTransport(self))


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (task(2, annotation(result=SECRET)), "annotations.0.result: list_type"),
        (task(2, annotation(result=[SECRET])), "annotations.0.result.0: dict_type"),
        (task(2, annotation(created_at="2026-01-02T03:04:05")), "annotations.0.created_at: value_error"),
        (task(2, annotation(was_cancelled=None)), "annotations.0.was_cancelled: bool_type"),
        (task(2, data=SECRET), "data: dict_type"),
    ],
)
def test_a_row_that_can_not_be_read_is_rejected_alone(broken: dict[str, Any], reason: str) -> None:
    (page,) = Server(task(1), broken, task(3)).queue().changed_tasks(5, None)
    assert [row.task_id for row in page.rows] == [1, 3]
    assert page.rejected == [("2", reason)]


@pytest.mark.parametrize("data", [{}, {"trace_id": 5}, {"trace_id": ""}, {"trace_id": None}])
def test_a_task_of_nobody_knows_what_has_no_trace(data: dict[str, Any]) -> None:
    (page,) = Server(task(1, data=data)).queue().changed_tasks(5, None)
    assert (page.rows[0].trace_id, page.rows[0].shown_output) == (None, "")


@pytest.mark.parametrize("rows", [["x"], [{}], [{"id": "1"}]])
def test_an_answer_that_is_no_listing_ends_the_run(rows: list[Any]) -> None:
    with pytest.raises(RetryableError):
        list(Server(*rows).queue().changed_tasks(5, None))


def test_a_listing_without_anybody_is_no_listing_of_users() -> None:
    """Whoever asks is a user; and an annotator without a name would be another voice."""
    with pytest.raises(RetryableError):
        list(Server(task(1, annotation(completed_by=7)), users=[]).queue().changed_tasks(5, None))


def test_people_are_looked_up_once_and_the_deleted_ones_keep_their_number() -> None:
    users = [{"id": 1, "email": "one@example.org"}, {"id": 2, "email": ""}, {"id": 3}]
    people = [1, 1, 2, 3, 4, None, {"id": 1, "email": "elsewhere@example.org"}]
    server = Server(*(task(place, annotation(completed_by=who)) for place, who in enumerate(people, 1)), users=users)
    (page,) = server.queue().changed_tasks(5, None)
    assert [row.annotations[0].annotator for row in page.rows] == [
        "one@example.org",
        "one@example.org",
        "user-2",
        "user-3",
        "user-4",
        "user-unknown",
        "one@example.org",
    ]


def test_nobody_is_looked_up_where_nothing_was_annotated() -> None:
    server = Server(task(1))
    list(server.queue().changed_tasks(5, None))
    assert [request.url.path for request in server.asked] == ["/api/tasks/"]


def test_the_listing_is_asked_for_the_fields_it_needs_alone() -> None:
    server = Server()
    list(server.queue().changed_tasks(5, None))
    params = server.asked[0].url.params
    assert (params["project"], params["page_size"], params["fields"]) == ("5", "500", "all")
    assert "predictions" not in params["include"].split(",")
    assert json.loads(params["query"]) == {
        "filters": {"conjunction": "and", "items": []},
        "ordering": ["tasks:updated_at"],
    }
