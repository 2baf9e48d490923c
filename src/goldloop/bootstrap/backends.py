"""The ML backend and a queue's projects: which of them it serves, and which it only hears of."""

from dataclasses import dataclass
from typing import Final

from pydantic import SecretStr

from goldloop.adapters.labelstudio import LabelStudio
from goldloop.adapters.labelstudio.backends import Connection, connect_backend, watch_annotations
from goldloop.adapters.labelstudio.webhooks import PROJECT_HEADER, SECRET_HEADER
from goldloop.errors import RejectedError
from goldloop.records import Project, Record
from goldloop.settings import MlBackendSettings, needed

__all__ = ["PROJECT_HEADER", "SECRET_HEADER", "TITLE", "ConnectedProject", "MlBackend"]

_SETTING: Final = "GOLDLOOP_ML_BACKEND__"
_ITS_OWN: Final = "the one that the ML backend was started with"
TITLE: Final = "goldloop judge"
"""What Label Studio calls the backend. Not the model version: see `connect_backend`."""


class ConnectedProject(Record):
    """What became of one project. `served`: it is asked for predictions; `heard`: told of annotations."""

    project_id: int
    purpose: str
    url: str
    served: bool
    heard: bool
    reason: str = ""


@dataclass(frozen=True)
class MlBackend:
    """An ML backend as Label Studio reaches it."""

    url: str
    username: str
    password: SecretStr
    webhook_secret: SecretStr | None = None

    @classmethod
    def of(cls, settings: MlBackendSettings) -> "MlBackend":
        """`ConfigError` where a setting is missing."""
        return cls(
            url=needed(f"{_SETTING}URL", settings.url, "the address at which Label Studio reaches the ML backend"),
            username=needed(f"{_SETTING}USERNAME", settings.username, _ITS_OWN),
            password=needed(f"{_SETTING}PASSWORD", settings.password, _ITS_OWN),
            webhook_secret=settings.webhook_secret,
        )

    def connect(self, label_studio: LabelStudio, projects: list[Project]) -> list[ConnectedProject]:
        """Review projects are served and heard of. Blind ones are only heard of: nothing may suggest an answer there.

        Projects for second looks are left alone. What is connected already is connected anew, with these credentials.

        Raises:
            RetryableError, FatalError.
        """
        by_id = {project.project_id: project for project in projects if project.purpose != "relabel"}
        return [self._connected(label_studio, project) for project in by_id.values()]

    def _connected(self, label_studio: LabelStudio, project: Project) -> ConnectedProject:
        served, heard = Connection(connected=False), Connection(connected=False)
        gone = ""
        try:
            # A project that is gone is a 404 here, and a fault of the call's elsewhere.
            label_studio.task_count(project.project_id)
            if project.purpose == "review":
                served = connect_backend(
                    label_studio, project.project_id, self.url, TITLE, self.username, self.password
                )
            if served or project.purpose == "blind":
                heard = watch_annotations(label_studio, project.project_id, self.url, self.webhook_secret)
        except RejectedError:
            gone = "the project is not there any more"
        return ConnectedProject(
            project_id=project.project_id,
            purpose=project.purpose,
            url=project.url,
            served=served.connected,
            heard=heard.connected,
            reason=gone or served.reason or heard.reason,
        )
