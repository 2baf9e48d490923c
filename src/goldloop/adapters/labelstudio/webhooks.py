"""Webhooks of Label Studio's projects: it tells an address that something changed, and nothing of what.

One belongs to one project: its API makes none for the whole organization.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from goldloop.adapters.labelstudio.faults import MissingError
from goldloop.adapters.labelstudio.http import NO_RETRY
from goldloop.adapters.labelstudio.queue import LabelStudio

if TYPE_CHECKING:
    from label_studio_sdk import ActionsEnum
    from label_studio_sdk import LabelStudio as Sdk
    from label_studio_sdk import Webhook as Known

SECRET_HEADER: Final = "X-Goldloop-Secret"  # noqa: S105 - the name of a header
PROJECT_HEADER: Final = "X-Goldloop-Project"
"""Which project the ML backend hears of: goldloop has Label Studio send no annotation, only the news."""
QUEUE_HEADER: Final = "X-Goldloop-Queue"
"""Which queue the receiver hears of, that wakes the next poll."""
ANNOTATED: Final[tuple["ActionsEnum", ...]] = (
    "ANNOTATION_CREATED",
    "ANNOTATIONS_CREATED",
    "ANNOTATION_UPDATED",
    "ANNOTATIONS_DELETED",
)
CHANGED: Final[tuple["ActionsEnum", ...]] = (*ANNOTATED, "TASKS_DELETED")
"""What a poll finds. That a whole project was deleted, Label Studio tells none of its webhooks."""


@dataclass(frozen=True)
class Webhook:
    """What Label Studio is to send where. `mark` is that one of its headers by which it is known as ours."""

    url: str
    mark: str
    headers: Mapping[str, str]
    actions: tuple["ActionsEnum", ...]
    active: bool = True


def set_webhook(label_studio: LabelStudio, project_id: int, wanted: Webhook) -> None:
    """Make the project's webhook, or renew the one at this address or with this mark; others with this mark go.

    Raises:
        RetryableError, FatalError, RejectedError (no such project; an address that Label Studio does not take).
    """
    api, action = label_studio.api, "set a webhook"
    ours = _ours(label_studio, project_id, wanted.mark, wanted.url)

    def write(sdk: "Sdk") -> object:
        send = partial(sdk.webhooks.update, ours[0]) if ours else partial(sdk.webhooks.create, project=project_id)
        return send(
            url=wanted.url,
            actions=wanted.actions,
            headers=dict(wanted.headers),
            send_payload=False,
            send_for_all_actions=False,
            is_active=wanted.active,
            request_options=NO_RETRY,
        )

    api.sdk_once(action, write)
    for number in ours[1:]:
        _remove(label_studio, number)


def drop_webhooks(label_studio: LabelStudio, project_id: int, mark: str) -> int:
    """Remove the project's webhooks with this mark; how many there were.

    Raises:
        RetryableError, FatalError, RejectedError (no such project).
    """
    ours = _ours(label_studio, project_id, mark)
    for number in ours:
        _remove(label_studio, number)
    return len(ours)


def projects_told(label_studio: LabelStudio, mark: str) -> set[int]:
    """The projects that have a webhook with this mark. Raises: RetryableError, FatalError."""
    listed = label_studio.api.sdk_read("list the webhooks", lambda sdk: sdk.webhooks.list())
    return {one.project for one in listed if one.project is not None and _marked(one, mark)}


def _ours(label_studio: LabelStudio, project_id: int, mark: str, url: str | None = None) -> list[int]:
    listed = label_studio.api.sdk_read("list the webhooks", lambda sdk: sdk.webhooks.list(project=str(project_id)))
    return [one.id for one in listed if one.id is not None and (_marked(one, mark) or one.url.rstrip("/") == url)]


def _marked(one: "Known", mark: str) -> bool:
    return mark in (one.headers or {})


def _remove(label_studio: LabelStudio, number: int) -> None:
    def remove(sdk: "Sdk") -> None:
        sdk.webhooks.delete(number, request_options=NO_RETRY)

    try:
        label_studio.api.sdk_once("remove a webhook", remove)
    except MissingError:
        return  # somebody else was quicker
