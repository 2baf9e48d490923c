"""The receiver of webhooks, and a queue's projects: Label Studio tells it of changes, and it wakes the next poll."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pydantic import SecretStr

from goldloop.adapters.labelstudio import LabelStudio
from goldloop.adapters.labelstudio.webhooks import (
    CHANGED,
    QUEUE_HEADER,
    SECRET_HEADER,
    Webhook,
    drop_webhooks,
    projects_told,
    set_webhook,
)
from goldloop.codebook.schema import Codebook
from goldloop.errors import GoldloopError, RejectedError
from goldloop.ports import Store
from goldloop.records import Project, Record
from goldloop.settings import WebhookSettings, needed

__all__ = ["PATH", "QUEUE_HEADER", "SECRET_HEADER", "ToldProject", "WebhookReceiver", "connect_new", "disconnect"]

PATH: Final = "/label-studio"
"""Where the receiver takes Label Studio's webhooks."""
_GONE: Final = "the project is not there any more"
_log = logging.getLogger(__name__)


class ToldProject(Record):
    """What became of one project. `told`: Label Studio tells the receiver of its changes."""

    project_id: int
    purpose: str
    url: str
    told: bool
    reason: str = ""


@dataclass(frozen=True)
class WebhookReceiver:
    """The receiver as Label Studio reaches it."""

    url: str
    secret: SecretStr

    @classmethod
    def of(cls, settings: WebhookSettings) -> "WebhookReceiver":
        """`ConfigError` where a setting is missing."""
        url = needed("GOLDLOOP_WEBHOOK__URL", settings.url, "the address at which Label Studio reaches the receiver")
        secret = needed("GOLDLOOP_WEBHOOK__SECRET", settings.secret, "the one that the receiver was started with")
        return cls(url.rstrip("/"), secret)

    def connect(self, label_studio: LabelStudio, projects: list[Project]) -> list[ToldProject]:
        """Each project's changes are told; where they are already, address and secret are made new.

        All purposes are: people answer in each.

        Raises:
            RetryableError, FatalError.
        """

        def told(project: Project) -> bool:
            set_webhook(label_studio, project.project_id, self._webhook(project.queue))
            return True

        return _of_each(projects, told)

    def _webhook(self, queue: str) -> Webhook:
        headers = {QUEUE_HEADER: queue, SECRET_HEADER: self.secret.get_secret_value()}
        return Webhook(f"{self.url}{PATH}", QUEUE_HEADER, headers, CHANGED)


def disconnect(label_studio: LabelStudio, projects: list[Project]) -> list[ToldProject]:
    """No project's changes are told any more, at whichever address they were. Raises: RetryableError, FatalError."""

    def told(project: Project) -> bool:
        drop_webhooks(label_studio, project.project_id, QUEUE_HEADER)
        return False

    return _of_each(projects, told)


def connect_new(
    settings: WebhookSettings, label_studio: Callable[[], LabelStudio], store: Store, codebook: Codebook
) -> None:
    """Where changes of the queue's projects are told, so are those of the projects that this version has got since.

    It costs one request; without the receiver's settings none. What fails is logged, and ends nothing: without a
    webhook the poll comes later.
    """
    if not settings.url or settings.secret is None:
        return
    projects = store.projects(codebook.name)
    current = [one for one in projects if one.codebook_version == codebook.version]
    if not current:
        return
    try:
        told = projects_told(label_studio(), QUEUE_HEADER)
        new = [one for one in current if one.project_id not in told]
        if new and told & {one.project_id for one in projects}:
            for one in WebhookReceiver.of(settings).connect(label_studio(), new):
                if one.reason:
                    _log.warning("Project %d was not connected: %s.", one.project_id, one.reason)
    except GoldloopError as error:
        _log.warning("Whether new projects have their webhook is not known: %s", error)


def _of_each(projects: list[Project], told: Callable[[Project], bool]) -> list[ToldProject]:
    made = []
    for project in {one.project_id: one for one in projects}.values():
        now, reason = False, ""
        try:
            now = told(project)
        except RejectedError as error:
            # In a list of webhooks, and for a new one, Label Studio calls a project that is gone a wrong field.
            reason = _GONE if error.reason in ("not found", "HTTP 400, project") else error.reason
        made.append(
            ToldProject(
                project_id=project.project_id, purpose=project.purpose, url=project.url, told=now, reason=reason
            )
        )
    return made
