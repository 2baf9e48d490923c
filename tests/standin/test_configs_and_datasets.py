from typing import Any

import pytest

from standin.support import API, StandIn

NOT_FOUND = "LangfuseNotFoundError"


def test_a_numeric_config(server: StandIn) -> None:
    answer = server.post("/score-configs", {"name": "num", "dataType": "NUMERIC", "minValue": 0, "maxValue": 1})
    config = answer.json()
    assert answer.status_code == 200
    assert config == {
        "id": config["id"],
        "name": "num",
        "isArchived": False,
        "description": None,
        "createdAt": "2026-03-01T12:00:00.000Z",
        "updatedAt": "2026-03-01T12:00:00.000Z",
        "projectId": "stand-in",
        "dataType": "NUMERIC",
        "maxValue": 1,
        "minValue": 0,
        "categories": None,
    }
    assert server.get(f"/score-configs/{config['id']}").json() == config


def test_a_boolean_config_gets_its_categories(server: StandIn) -> None:
    config = server.post("/score-configs", {"name": "ok", "dataType": "BOOLEAN"}).json()
    assert config["categories"] == [{"label": "True", "value": 1}, {"label": "False", "value": 0}]


@pytest.mark.parametrize(
    "fields",
    [
        {"dataType": "NUMERIC"},
        {"name": "x", "dataType": "NOPE"},
        {"name": "x" * 36, "dataType": "NUMERIC"},
        {"name": "x", "dataType": "CATEGORICAL"},
        {"name": "x", "dataType": "CATEGORICAL", "categories": []},
        {"name": "x", "dataType": "CATEGORICAL", "categories": [{"label": "a"}]},
        {
            "name": "x",
            "dataType": "CATEGORICAL",
            "categories": [{"label": "a", "value": 1}, {"label": "b", "value": 1}],
        },
        {"name": "x", "dataType": "NUMERIC", "minValue": 2, "maxValue": 1},
        {"name": "x", "dataType": "BOOLEAN", "categories": []},
    ],
)
def test_a_malformed_config_is_refused(server: StandIn, fields: dict[str, Any]) -> None:
    answer = server.post("/score-configs", fields)
    assert answer.status_code == 400
    assert answer.json()["message"] == "Invalid request data"


def test_configs_are_listed_newest_first_and_names_need_not_be_unique(server: StandIn) -> None:
    ids = [server.config(name="num", dataType="NUMERIC") for _ in range(3)]
    page = server.get("/score-configs", limit=2).json()
    assert [config["id"] for config in page["data"]] == [ids[2], ids[1]]
    assert page["meta"] == {"page": 1, "limit": 2, "totalItems": 3, "totalPages": 2}
    assert [config["id"] for config in server.get("/score-configs", limit=2, page=2).json()["data"]] == [ids[0]]
    assert server.get("/score-configs", limit=101).status_code == 400
    assert server.get("/score-configs", page=0).status_code == 400


def test_a_config_is_patched(server: StandIn) -> None:
    config_id = server.config(name="num", dataType="NUMERIC")
    server.advance(1)
    changed = server.client.patch(f"{API}/score-configs/{config_id}", json={"description": "new"}).json()
    assert (changed["description"], changed["name"]) == ("new", "num")
    assert changed["updatedAt"] > changed["createdAt"]
    assert server.client.patch(f"{API}/score-configs/{config_id}", json={"minValue": "x"}).status_code == 400


def test_an_unknown_config(server: StandIn) -> None:
    answer = server.get("/score-configs/nope")
    expected = {"message": "Score config not found within authorized project", "error": NOT_FOUND}
    assert (answer.status_code, answer.json()) == (404, expected)


def test_a_dataset_is_upserted_by_name(server: StandIn) -> None:
    made = server.post("/v2/datasets", {"name": "a b/c", "description": "d", "metadata": {"a": 1}}).json()
    assert made == {
        "id": made["id"],
        "projectId": "stand-in",
        "name": "a b/c",
        "description": "d",
        "metadata": {"a": 1},
        "inputSchema": None,
        "expectedOutputSchema": None,
        "createdAt": "2026-03-01T12:00:00.000Z",
        "updatedAt": "2026-03-01T12:00:00.000Z",
    }
    server.advance(1)
    again = server.post("/v2/datasets", {"name": "a b/c", "description": "d2"}).json()
    assert again == {**made, "description": "d2", "updatedAt": "2026-03-01T12:00:01.000Z"}
    assert server.client.get(f"{API}/v2/datasets/a%20b%2Fc").json() == again
    assert server.get("/v2/datasets").json()["meta"]["totalItems"] == 1


def test_an_unknown_dataset(server: StandIn) -> None:
    answer = server.get("/v2/datasets/nope")
    assert (answer.status_code, answer.json()) == (404, {"message": "Dataset not found", "error": NOT_FOUND})
    item = server.post("/dataset-items", {"datasetName": "nope", "input": 1})
    expected = {"message": "Dataset nope not found for project stand-in", "error": NOT_FOUND}
    assert (item.status_code, item.json()) == (404, expected)


@pytest.fixture
def golden(server: StandIn) -> StandIn:
    server.post("/v2/datasets", {"name": "golden"})
    return server


def test_an_upsert_keeps_what_is_left_out_and_changes_created_at(golden: StandIn) -> None:
    fields = {"input": {"q": 1}, "expectedOutput": "a", "metadata": {"m": 1}, "sourceTraceId": "t1"}
    made = golden.post("/dataset-items", {"datasetName": "golden", "id": "i1", **fields}).json()
    assert made == {
        "id": "i1",
        "datasetId": made["datasetId"],
        "datasetName": "golden",
        "status": "ACTIVE",
        "sourceObservationId": None,
        "createdAt": "2026-03-01T12:00:00.000Z",
        "updatedAt": "2026-03-01T12:00:00.000Z",
        "mediaReferences": [],
        **fields,
    }
    golden.advance(1)
    again = golden.post("/dataset-items", {"datasetName": "golden", "id": "i1", "input": 2, "metadata": None}).json()
    later = "2026-03-01T12:00:01.000Z"
    assert again == {**made, "input": 2, "createdAt": later, "updatedAt": later}
    assert golden.get("/dataset-items/i1").json() == again


def test_an_items_id_is_unique_across_datasets(golden: StandIn) -> None:
    golden.post("/v2/datasets", {"name": "other"})
    golden.post("/dataset-items", {"datasetName": "golden", "id": "i1", "input": 1})
    answer = golden.post("/dataset-items", {"datasetName": "other", "id": "i1", "input": 2})
    assert (answer.status_code, answer.json()["error"]) == (409, "LangfuseConflictError")


def test_items_are_listed_archived_and_deleted(golden: StandIn) -> None:
    for number in range(3):
        golden.post("/dataset-items", {"datasetName": "golden", "id": f"i{number}", "sourceTraceId": f"t{number}"})
        golden.advance(1)
    golden.post("/dataset-items", {"datasetName": "golden", "id": "i1", "status": "ARCHIVED"})
    page = golden.get("/dataset-items", datasetName="golden", limit=2).json()
    assert [(item["id"], item["status"]) for item in page["data"]] == [("i1", "ARCHIVED"), ("i2", "ACTIVE")]
    assert page["meta"] == {"page": 1, "limit": 2, "totalItems": 3, "totalPages": 2}
    assert [item["id"] for item in golden.get("/dataset-items", sourceTraceId="t2").json()["data"]] == ["i2"]
    gone = golden.client.delete(f"{API}/dataset-items/i2")
    assert gone.json() == {"message": "Dataset item successfully deleted"}
    answer = golden.get("/dataset-items/i2")
    assert (answer.status_code, answer.json()) == (404, {"message": "Dataset item not found", "error": NOT_FOUND})


def test_a_malformed_item_is_refused(golden: StandIn) -> None:
    (issue,) = golden.post("/dataset-items", {"input": 1}).json()["error"]
    assert issue["path"] == ["datasetName"]
    bad_status = {"datasetName": "golden", "status": "NOPE"}
    assert golden.post("/dataset-items", bad_status).status_code == 400
    assert golden.get("/dataset-items", version="2026-01-01T00:00:00Z").status_code == 400


def test_a_run_item(golden: StandIn) -> None:
    golden.post("/dataset-items", {"datasetName": "golden", "id": "i1"})
    made = golden.post("/dataset-run-items", {"runName": "run1", "datasetItemId": "i1", "traceId": "t1"}).json()
    assert (made["datasetRunName"], made["datasetItemId"], made["traceId"]) == ("run1", "i1", "t1")
    assert made["observationId"] is None
    other = golden.post("/dataset-run-items", {"runName": "run1", "datasetItemId": "i1", "traceId": "t2"}).json()
    assert other["datasetRunId"] == made["datasetRunId"]
