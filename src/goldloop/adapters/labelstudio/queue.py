"""The port TaskQueue on Label Studio Community, 1.20 and later."""

import json
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, cast

import httpx
from pydantic import SecretStr, ValidationError

from goldloop.adapters.labelstudio.faults import SERVER, MissingError, unreadable
from goldloop.adapters.labelstudio.http import NO_RETRY, Api, checked
from goldloop.adapters.labelstudio.listing import PAGE_SIZE, Filter, Listing
from goldloop.adapters.labelstudio.rows import INCLUDE, emails, reason, snapshot, trace_id
from goldloop.adapters.labelstudio.validation import invalid_predictions
from goldloop.adapters.retries import Retries
from goldloop.errors import ConfigError, FatalError, RejectedError, RetryableError
from goldloop.ports import Page, ProjectDraft, TaskDraft
from goldloop.records import TaskSnapshot

if TYPE_CHECKING:
    from label_studio_sdk import AllRolesProjectList, ImportApiRequest

OLDEST: Final = (1, 20)
NEWEST: Final = (2, 0)
_IDS_A_REQUEST: Final = 50
"""Trace ids in one filter: the query travels in the address, and a server may take no more than 4 KB of that."""
_CREATE: Final = "create the project"
_USERS: Final = "list the users"


class LabelStudio:
    """One Label Studio, by one account's key."""

    def __init__(self, api: Api, *, page_size: int = PAGE_SIZE, public_url: str | None = None) -> None:
        self.api = api
        self._public_url = checked(public_url) if public_url else api.url
        self._page_size = page_size
        self._listing = Listing(api, page_size)

    def close(self) -> None:
        self.api.close()

    def check(self) -> str:
        """One attempt each, so that a wrong setting shows at once. Raises also: RetryableError."""
        try:
            answer = self.api.read_once("tell its version", "api/version", public=True)
        except MissingError as error:
            raise FatalError(SERVER, f"There is no Label Studio at {self.api.url}: check LABEL_STUDIO_URL.") from error
        release = answer.get("release") if isinstance(answer, dict) else None
        found = re.match(r"(\d+)\.(\d+)", release) if isinstance(release, str) else None
        if not isinstance(release, str) or found is None:
            raise unreadable(self.api.url, "tell its version")
        if not OLDEST <= (int(found[1]), int(found[2])) < NEWEST:
            raise FatalError(
                SERVER,
                f"Label Studio at {self.api.url} is {release}, and goldloop works with 1.20 up to 2.0: install one of "
                "these.",
            )
        self.api.read_once("tell whose key this is", "api/current-user/whoami")
        return release

    def ensure_project(self, draft: ProjectDraft, known: int | None) -> tuple[int, str]:
        """An existing project stays as it is, whatever the draft says."""
        project_id = self._known_project(known) or self._titled_project(draft.title) or self._new_project(draft)
        return project_id, self.project_url(project_id)

    def project_url(self, project_id: int) -> str:
        """Where people find the project."""
        return f"{self._public_url}/projects/{project_id}/data"

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
        request = cast("list[ImportApiRequest]", [_task(draft) for draft in drafts])  # dicts are what it sends anyway
        made = self.api.sdk_once(
            "import the tasks",
            lambda sdk: sdk.projects.import_tasks(
                id=project_id, request=request, return_task_ids=True, request_options=NO_RETRY
            ),
        )
        ids = (made.model_extra or {}).get("task_ids")
        if not isinstance(ids, list) or len(ids) != len(drafts) or not all(isinstance(one, int) for one in ids):
            raise RetryableError(
                SERVER,
                f"{SERVER} at {self.api.url} did not say which tasks it made: look them up before importing again.",
            )
        return ids

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

    def task_count(self, project_id: int) -> int:
        return self._listing.total(project_id)

    def task_ids(self, project_id: int) -> set[int]:
        return {row["id"] for rows in self._listing.by_id(project_id, "id") for row in rows}

    def _known_project(self, known: int | None) -> int | None:
        if known is None:
            return None
        try:
            return self.api.sdk_read("find the project", lambda sdk: sdk.projects.get(known)).id
        except MissingError:
            return None

    def _titled_project(self, title: str) -> int | None:
        """The oldest one, where several have the title; the server's own filter asks only whether it is part of it."""
        projects: list[AllRolesProjectList] = self.api.sdk_read(
            "list the projects",
            lambda sdk: list(sdk.projects.list(title=title, include="id,title", page_size=100)),
        )
        return min((one.id for one in projects if one.title == title and one.id is not None), default=None)

    def _new_project(self, draft: ProjectDraft) -> int:
        made = self.api.sdk_once(
            _CREATE,
            lambda sdk: sdk.projects.create(
                title=draft.title,
                description=draft.description,
                label_config=draft.label_config,
                expert_instruction=draft.instruction,
                show_instruction=False,  # as a dialog at each start, keys would act on the task behind it
                maximum_annotations=draft.annotations_per_task,
                show_collab_predictions=True,
                # Only predictions of this version are shown; without one, the first import sets it.
                model_version=draft.model_version,
                show_skip_button=True,
                # A skip counts as an answer: the task does not come back, to nobody beyond its number of annotations.
                skip_queue="IGNORE_SKIPPED",
                enable_empty_annotation=False,
                sampling="Sequential sampling",
                request_options=NO_RETRY,
            ),
        )
        if made.id is None:
            raise unreadable(self.api.url, _CREATE)
        return made.id


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


def _task(draft: TaskDraft) -> dict[str, Any]:
    task: dict[str, Any] = {"data": {**draft.data, "trace_id": draft.trace_id}}
    if draft.prediction is not None:
        task["predictions"] = [draft.prediction]
    try:
        json.dumps(task, ensure_ascii=False, allow_nan=False).encode()
    except ValueError:
        raise RejectedError(
            SERVER,
            f"The task of trace {draft.trace_id} holds a lone surrogate or a number that JSON has not: clean it first.",
            reason="not JSON",
        ) from None
    return task
