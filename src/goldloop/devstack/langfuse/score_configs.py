"""Score configs: create, list, get, patch. Names need not be unique, and nothing is deleted."""

import json
import uuid
from typing import Any

from goldloop.devstack.langfuse import answers, times
from goldloop.devstack.langfuse.answers import MISSING, Issue
from goldloop.devstack.langfuse.call import Call, paged
from goldloop.devstack.langfuse.score_bodies import is_number

_DATA_TYPES = ("NUMERIC", "BOOLEAN", "CATEGORICAL", "TEXT")
_NAME_MAX = 35
_BOOLEAN_CATEGORIES = [{"label": "True", "value": 1}, {"label": "False", "value": 0}]
_PATCHABLE = {
    "name": "string",
    "description": "string",
    "isArchived": "boolean",
    "minValue": "number",
    "maxValue": "number",
    "categories": "array",
}
_KINDS: dict[str, type | tuple[type, ...]] = {"string": str, "boolean": bool, "array": list}


def create(call: Call) -> dict[str, Any]:
    fields = call.fields()
    issues = _new_issues(fields)
    if issues:
        raise answers.invalid(issues)
    data_type = fields["dataType"]
    now = times.iso(call.now_ms)
    config = {
        "id": str(uuid.uuid4()),
        "name": fields["name"],
        "isArchived": False,
        "description": fields.get("description"),
        "createdAt": now,
        "updatedAt": now,
        "projectId": call.settings.project_id,
        "dataType": data_type,
        "maxValue": fields.get("maxValue"),
        "minValue": fields.get("minValue"),
        "categories": _BOOLEAN_CATEGORIES if data_type == "BOOLEAN" else fields.get("categories"),
    }
    with call.store.transaction() as connection:
        connection.execute("INSERT INTO score_configs (id, body) VALUES (?, ?)", (config["id"], json.dumps(config)))
    return config


def get(call: Call) -> dict[str, Any]:
    row = call.store.row("SELECT body FROM score_configs WHERE id = ?", (call.path["config_id"],))
    if row is None:
        raise answers.not_found("Score config not found within authorized project")
    config: dict[str, Any] = json.loads(row["body"])
    return config


def list_many(call: Call) -> dict[str, Any]:
    page, limit = call.page()
    rows = call.store.rows(
        "SELECT body FROM score_configs ORDER BY seq DESC LIMIT ? OFFSET ?", (limit, (page - 1) * limit)
    )
    total = call.store.count("SELECT count(*) FROM score_configs")
    return paged([json.loads(row["body"]) for row in rows], page=page, limit=limit, total=total)


def patch(call: Call) -> dict[str, Any]:
    """Change the named fields; what is not a field of a config counts for nothing."""
    fields = call.fields()
    changes = {name: fields[name] for name in _PATCHABLE if fields.get(name) is not None}
    issues = [
        answers.wrong_type([name], _PATCHABLE[name], value)
        for name, value in changes.items()
        if not _is(_PATCHABLE[name], value)
    ]
    with call.store.transaction() as connection:
        config = get(call)
        if issues:
            raise answers.invalid(issues)
        changed = {**config, **changes, "updatedAt": times.iso(call.now_ms)}
        problems = _fit_issues(changed)
        if problems:
            raise answers.invalid(problems)
        connection.execute("UPDATE score_configs SET body = ? WHERE id = ?", (json.dumps(changed), config["id"]))
    return changed


def _is(kind: str, value: Any) -> bool:
    return is_number(value) if kind == "number" else isinstance(value, _KINDS[kind])


def _new_issues(fields: dict[str, Any]) -> list[Issue]:
    name, data_type = fields.get("name", MISSING), fields.get("dataType", MISSING)
    issues: list[Issue] = []
    if not isinstance(name, str):
        issues.append(answers.wrong_type(["name"], "string", name))
    if data_type not in _DATA_TYPES:
        issues.append(answers.not_one_of(["dataType"], _DATA_TYPES))
    issues.extend(
        answers.wrong_type([bound], "number", fields[bound])
        for bound in ("minValue", "maxValue")
        if fields.get(bound) is not None and not is_number(fields[bound])
    )
    categories = fields.get("categories", MISSING)
    if data_type == "CATEGORICAL" and not isinstance(categories, list):
        issues.append(_no_categories(categories))
    if data_type == "BOOLEAN" and categories not in (MISSING, None):
        issues.append(answers.custom(["categories"], "Categories of a BOOLEAN config are generated"))
    return issues or _fit_issues({"minValue": None, "maxValue": None, "categories": None, **fields})


def _fit_issues(config: dict[str, Any]) -> list[Issue]:
    issues: list[Issue] = []
    if not config["name"]:
        issues.append(answers.too_small(["name"], 1, of="string"))
    if len(config["name"]) > _NAME_MAX:
        issues.append(answers.too_big(["name"], _NAME_MAX, of="string"))
    low, high = config["minValue"], config["maxValue"]
    if low is not None and high is not None and low >= high:
        issues.append(answers.custom(["maxValue"], "Maximum value must be greater than Minimum value."))
    if config["dataType"] == "CATEGORICAL":
        issues.extend(_category_issues(config["categories"]))
    return issues


def _category_issues(categories: list[Any]) -> list[Issue]:
    if not categories:
        return [answers.too_small(["categories"], 1, of="array")]
    issues = [
        answers.wrong_type(["categories", place, field], kind, category.get(field, MISSING))
        for place, each in enumerate(categories)
        for category in [each if isinstance(each, dict) else {}]
        for field, kind in (("label", "string"), ("value", "number"))
        if not _is(kind, category.get(field))
    ]
    if issues:
        return issues
    return [
        answers.custom(["categories"], f"Duplicate category {field}s are not allowed")
        for field in ("label", "value")
        if len({category[field] for category in categories}) < len(categories)
    ]


def _no_categories(given: Any) -> Issue:
    """The server takes categories in several forms, and says of each that it is not there."""
    leaves = [[answers.wrong_type([], kind, given)] for kind in ("string", "number", "boolean")]
    branches = [
        [answers.wrong_type([], "array", given)],
        [answers.wrong_type([], "record", given)],
        [answers.union([], leaves)],
    ]
    return answers.union(["categories"], branches)
