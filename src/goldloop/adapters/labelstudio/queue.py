"""The port TaskQueue on Label Studio Community, 1.20 and later."""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import httpx
from pydantic import SecretStr, ValidationError

from goldloop.adapters.labelstudio.faults import SERVER, MissingError, UnreadableError, unreadable
from goldloop.adapters.labelstudio.http import NO_RETRY, Api
from goldloop.adapters.labelstudio.listing import PAGE_SIZE, Filter, Listing
from goldloop.adapters.labelstudio.projects import Projects
from goldloop.adapters.labelstudio.rows import INCLUDE, emails, origin, reason, snapshot, trace_id
from goldloop.adapters.labelstudio.validation import invalid_predictions
from goldloop.adapters.retries import Retries
from goldloop.errors import ConfigError, FatalError, RejectedError, RetryableError
from goldloop.ports import Page, Peek, TaskDraft
from goldloop.records import TaskOrigin, TaskSnapshot

if TYPE_CHECKING:
    from label_studio_sdk import LabelStudio as Sdk

OLDEST: Final = (1, 20)
NEWEST: Final = (2, 0)
_IDS_A_REQUEST: Final = 50
"""Trace ids in one filter: the query travels in the address, and a server may take no more than 4 KB of that."""
_USERS: Final = "list the users"


class LabelStudio(Projects):
    """One Label Studio, by one account's key."""

    def __init__(self, api: Api, *, page_size: int = PAGE_SIZE, public_url: str | None = None) -> None:
        super().__init__(api, public_url)
        self._page_size = page_size
        self._listing = Listing(api, page_size)

    def close(self) -> None:
        self.api.close()

    def check(self) -> str:
        """One attempt each, so that a wrong setting shows at once. Raises also: RetryableError."""
        nobody = FatalError(SERVER, f"There is no Label Studio at {self.api.url}: check LABEL_STUDIO_URL.")
        try:
            answer = self.api.read_once("tell its version", "api/version", public=True)
        except (MissingError, UnreadableError) as error:
            raise nobody from error
        release = answer.get("release") if isinstance(answer, dict) else None
        found = re.match(r"(\d+)\.(\d+)", release) if isinstance(release, str) else None
        if not isinstance(release, str) or found is None:
            raise nobody
        if not OLDEST <= (int(found[1]), int(found[2])) < NEWEST:
            raise FatalError(
                SERVER,
                f"Label Studio at {self.api.url} is {release}, and goldloop works with 1.20 up to 2.0: install one of "
                "these.",
            )
        self.api.read_once("tell whose key this is", "api/current-user/whoami")
        return release

    def find_tasks(self, project_id: int, trace_ids: Sequence[str]) -> dict[str, int]:
        """The oldest task, where a trace has several."""
        wanted = list(dict.fromkeys(trace_ids))
        if not wanted:
            return {}
        chunks = [wanted[start : start + _IDS_A_REQUEST] for start in range(0, len(wanted), _IDS_A_REQUEST)]
        pages = -(-self._listing.total(project_id) // self._page_size)
        filters = (
            [(Filter("data.trace_id", "in_list", "List", chunk),) for chunk in chunks]
            if len(chunks) < pages
            else [()]  # fewer requests read the whole project
        )
        known = set(wanted)
        found: dict[str, int] = {}
        for one in filters:
            for rows in self._listing.by_id(project_id, "id,data", one):
                for row in rows:
                    trace = trace_id(row.get("data"))
                    if trace in known:
                        found.setdefault(trace, row["id"])
        return found

    def invalid_predictions(self, label_config: str, drafts: Sequence[TaskDraft]) -> dict[str, str]:
        """Checked here, for the server checks nothing. Raises: ConfigError."""
        return invalid_predictions(label_config, drafts)

    def import_tasks(self, project_id: int, drafts: Sequence[TaskDraft]) -> list[int]:
        """One request, so a RejectedError means that none of the drafts was imported; 250 MB is what a server takes.

        Raises:
            RejectedError: RefusedTasksError, with the places, where the server says which drafts are at fault.
            RetryableError, FatalError.
        """
        if not drafts:
            return []
        tasks = b"[" + b",".join(map(_task, drafts)) + b"]"
        try:
            made = self.api.post_once(
                "import the tasks", f"api/projects/{project_id}/import", {"return_task_ids": "true"}, tasks
            )
        except MissingError as error:
            # It was there when the run looked. No trace is at fault: the next run makes the project anew.
            raise RetryableError(
                SERVER, f"{SERVER} at {self.api.url} has no project {project_id} any more: run again, to make it anew."
            ) from error
        ids = made.get("task_ids") if isinstance(made, dict) else None
        if not isinstance(ids, list) or len(ids) != len(drafts) or not all(isinstance(one, int) for one in ids):
            raise RetryableError(
                SERVER,
                f"{SERVER} at {self.api.url} did not say which tasks it made: look them up before importing again.",
            )
        return ids

    def want_annotators(self, task_ids: Sequence[int], annotators: int) -> None:
        """A call a task: no import takes the number. To say it twice is to say it once, so it is tried again."""
        for task_id in task_ids:
            with suppress(MissingError):
                self.api.sdk_read(
                    "set a task's number of annotators",
                    partial(_set_overlap, task_id=str(task_id), annotators=annotators),
                )

    def changed_tasks(self, project_id: int, since: datetime | None) -> Iterator[Page[TaskSnapshot]]:
        annotators = _Annotators(self.api)
        for rows in self._listing.by_change(project_id, since, INCLUDE):
            page: Page[TaskSnapshot] = Page(rows=[], rejected=[])
            for row in rows:
                try:
                    page.rows.append(snapshot(row, project_id, annotators))
                except ValidationError as error:
                    page.rejected.append((str(row["id"]), reason(error)))
            yield page

    def peek(self, project_id: int) -> Peek:
        return self._listing.peek(project_id)

    def task_count(self, project_id: int) -> int:
        return self._listing.total(project_id)

    def task_ids(self, project_id: int) -> set[int]:
        return {row["id"] for rows in self._listing.by_id(project_id, "id") for row in rows}

    def origins(self, project_id: int) -> Iterator[Page[TaskOrigin]]:
        """The payload comes with it, for the server can't give a part of a task's data; none of it is kept."""
        for rows in self._listing.by_id(project_id, "id,created_at,data"):
            page: Page[TaskOrigin] = Page(rows=[], rejected=[])
            for row in rows:
                try:
                    found = origin(row, project_id)
                except ValidationError as error:
                    page.rejected.append((str(row["id"]), reason(error)))
                else:
                    page.rows.extend([found] if found else [])
            yield page


class _Annotators:
    """Who an id stands for: the email, read once, and once more for each id that is new. Deleted users keep an id."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._emails: dict[int, str] = {}

    def __call__(self, user_id: int | None) -> str:
        if user_id is None:
            return "user-unknown"
        if user_id not in self._emails:
            # Plain HTTP: a poll that finds nothing new for the SDK to do need not wait for its import.
            try:
                known = emails(self._api.read(_USERS, "api/users/"))
            except ValidationError as error:
                raise unreadable(self._api.url, _USERS) from error
            self._emails = {user_id: f"user-{user_id}", **self._emails, **known}
        return self._emails[user_id]


def connect(
    url: str,
    api_key: SecretStr,
    *,
    transport: httpx.BaseTransport | None = None,
    retries: Retries | None = None,
    page_size: int = PAGE_SIZE,
    public_url: str | None = None,
) -> LabelStudio:
    """A queue at `url`; nothing is sent yet.

    Args:
        url: the server's address (LABEL_STUDIO_URL).
        api_key: a personal access token, or a legacy token where the server takes these (LABEL_STUDIO_API_KEY).
        transport: takes the network's place in tests.
        retries: when reads are tried again.
        page_size: tasks in one answer.
        public_url: the address that people use, where it is another.

    Raises:
        ConfigError: the url is no http(s) address, or the key no key.
    """
    key = api_key.get_secret_value()
    if not key or not key.isascii() or not key.isprintable():
        raise ConfigError("LABEL_STUDIO_API_KEY is empty or damaged: copy a key from Account & Settings there into it.")
    return LabelStudio(
        Api(url, api_key, transport=transport, retries=retries), page_size=page_size, public_url=public_url
    )


def _set_overlap(sdk: "Sdk", *, task_id: str, annotators: int) -> None:
    sdk.tasks.update(task_id, overlap=annotators, request_options=NO_RETRY)


def _task(draft: TaskDraft) -> bytes:
    """Its JSON."""
    task: dict[str, Any] = {"data": {**draft.data, "trace_id": draft.trace_id}}
    if draft.prediction is not None:
        task["predictions"] = [draft.prediction]
    try:
        return json.dumps(task, ensure_ascii=False, allow_nan=False).encode()
    except ValueError:
        raise RejectedError(
            SERVER,
            f"The task of trace {draft.trace_id} holds a lone surrogate or a number that JSON has not: clean it first.",
            reason="not JSON",
        ) from None
