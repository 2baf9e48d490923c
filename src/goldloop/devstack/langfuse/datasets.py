"""Datasets, their items and run items: at once readable, by pages, newest first."""

import hashlib
import json
import secrets
import uuid
from typing import Any

from goldloop.devstack.langfuse import answers, times
from goldloop.devstack.langfuse.answers import MISSING
from goldloop.devstack.langfuse.call import Call, paged

_STATUSES = ("ACTIVE", "ARCHIVED")
_DATASET_FIELDS = ("description", "metadata", "inputSchema", "expectedOutputSchema")
_ITEM_FIELDS = ("input", "expectedOutput", "metadata", "sourceTraceId", "sourceObservationId", "status")


def create(call: Call) -> dict[str, Any]:
    """Make a dataset, or change the one of that name; what is left out stays."""
    fields = call.fields()
    name = _required(fields, "name")
    now = times.iso(call.now_ms)
    with call.store.transaction() as connection:
        found = call.store.row("SELECT body FROM datasets WHERE name = ?", (name,))
        dataset = (
            json.loads(found["body"])
            if found
            else {
                "id": _new_id(),
                "projectId": call.settings.project_id,
                "name": name,
                **dict.fromkeys(_DATASET_FIELDS),
                "createdAt": now,
            }
        )
        changes = {field: fields[field] for field in _DATASET_FIELDS if fields.get(field) is not None}
        dataset = {**dataset, **changes, "updatedAt": now}
        connection.execute(
            "INSERT INTO datasets (id, name, body) VALUES (?, ?, ?)"
            " ON CONFLICT (name) DO UPDATE SET body = excluded.body",
            (dataset["id"], name, json.dumps(dataset)),
        )
    return dataset


def get(call: Call) -> dict[str, Any]:
    return _named(call, call.path["name"], "Dataset not found")


def list_many(call: Call) -> dict[str, Any]:
    page, limit = call.page()
    rows = call.store.rows("SELECT body FROM datasets ORDER BY seq DESC LIMIT ? OFFSET ?", (limit, (page - 1) * limit))
    total = call.store.count("SELECT count(*) FROM datasets")
    return paged([json.loads(row["body"]) for row in rows], page=page, limit=limit, total=total)


def put_item(call: Call) -> dict[str, Any]:
    """Make an item, or change the one of that id: what is left out or null stays, its createdAt does not."""
    fields = call.fields()
    name = _required(fields, "datasetName")
    status = fields.get("status")
    if status is not None and status not in _STATUSES:
        raise answers.invalid([answers.not_one_of(["status"], _STATUSES)])
    missing = f"Dataset {name} not found for project {call.settings.project_id}"
    with call.store.transaction() as connection:
        dataset = _named(call, name, missing)
        item_id = str(fields.get("id") or uuid.uuid4())
        found = call.store.row("SELECT * FROM dataset_items WHERE id = ?", (item_id,))
        if found and found["dataset_id"] != dataset["id"]:
            raise _elsewhere(item_id, found["dataset_id"])
        before = json.loads(found["body"]) if found else {**dict.fromkeys(_ITEM_FIELDS), "status": "ACTIVE"}
        changes = {field: fields[field] for field in _ITEM_FIELDS if fields.get(field) is not None}
        now = times.iso(call.now_ms)
        item = {
            **before,
            **changes,
            "id": item_id,
            "datasetId": dataset["id"],
            "datasetName": name,
            "createdAt": now,
            "updatedAt": now,
            "mediaReferences": [],
        }
        connection.execute(
            "INSERT OR REPLACE INTO dataset_items (id, dataset_id, created_ms, body) VALUES (?, ?, ?, ?)",
            (item_id, dataset["id"], call.now_ms, json.dumps(item)),
        )
    return item


def get_item(call: Call) -> dict[str, Any]:
    return _item(call, call.path["item_id"])


def delete_item(call: Call) -> dict[str, Any]:
    with call.store.transaction() as connection:
        item = get_item(call)
        connection.execute("DELETE FROM dataset_items WHERE id = ?", (item["id"],))
    return {"message": "Dataset item successfully deleted"}


def list_items(call: Call) -> dict[str, Any]:
    """A page of items, of one dataset and of one source where the call names them."""
    if "version" in call.query:
        raise answers.not_simulated("dataset items as of an earlier version")
    page, limit = call.page()
    where, parameters = ["1"], []
    name = call.query.get("datasetName")
    if name is not None:
        where.append("dataset_id = ?")
        parameters.append(_named(call, name, "Dataset not found")["id"])
    for field in ("sourceTraceId", "sourceObservationId"):
        if field in call.query:
            where.append(f"json_extract(body, '$.{field}') = ?")
            parameters.append(call.query[field])
    chosen = f"FROM dataset_items WHERE {' AND '.join(where)}"
    rows = call.store.rows(
        f"SELECT body {chosen} ORDER BY created_ms DESC, id DESC LIMIT ? OFFSET ?",
        (*parameters, limit, (page - 1) * limit),
    )
    total = call.store.count(f"SELECT count(*) {chosen}", parameters)
    return paged([json.loads(row["body"]) for row in rows], page=page, limit=limit, total=total)


def create_run_item(call: Call) -> dict[str, Any]:
    """Link an item's run to a trace."""
    fields = call.fields()
    run_name = _required(fields, "runName")
    item = _item(call, _required(fields, "datasetItemId"))
    now = times.iso(call.now_ms)
    run = f"{item['datasetId']}/{run_name}".encode()
    run_item = {
        "id": str(uuid.uuid4()),
        "datasetRunId": hashlib.sha256(run).hexdigest()[:16],
        "datasetRunName": run_name,
        "datasetItemId": item["id"],
        "traceId": fields.get("traceId"),
        "observationId": fields.get("observationId"),
        "createdAt": now,
        "updatedAt": now,
    }
    with call.store.transaction() as connection:
        connection.execute(
            "INSERT INTO dataset_run_items (id, body) VALUES (?, ?)", (run_item["id"], json.dumps(run_item))
        )
    return run_item


def _required(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name, MISSING)
    if not isinstance(value, str):
        raise answers.invalid([answers.wrong_type([name], "string", value)])
    return value


def _new_id() -> str:
    """In the form of the ids that the server gives to datasets."""
    return "c" + secrets.token_hex(12)


def _named(call: Call, name: str, missing: str) -> dict[str, Any]:
    row = call.store.row("SELECT body FROM datasets WHERE name = ?", (name,))
    if row is None:
        raise answers.not_found(missing)
    dataset: dict[str, Any] = json.loads(row["body"])
    return dataset


def _item(call: Call, item_id: str) -> dict[str, Any]:
    row = call.store.row("SELECT body FROM dataset_items WHERE id = ?", (item_id,))
    if row is None:
        raise answers.not_found("Dataset item not found")
    item: dict[str, Any] = json.loads(row["body"])
    return item


def _elsewhere(item_id: str, dataset_id: str) -> answers.AnswerError:
    return answers.refused(
        f"Dataset item id {item_id} already exists in another dataset (id {dataset_id}) in this project; "
        "item ids are unique per project across datasets. Use a different id or target dataset "
        f"{dataset_id}.",
        status=409,
        name="LangfuseConflictError",
    )
