"""An ML backend, made known to Label Studio, which then asks it for predictions."""

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from pydantic import SecretStr

from goldloop.adapters.labelstudio.faults import MissingError
from goldloop.adapters.labelstudio.http import NO_RETRY, Api
from goldloop.adapters.labelstudio.queue import LabelStudio
from goldloop.errors import RejectedError

if TYPE_CHECKING:
    from label_studio_sdk import LabelStudio as Sdk

_CONNECT: Final = "connect the ML backend"


@dataclass(frozen=True)
class Connection:
    """Whether Label Studio reached the backend; `reason` says in one sentence why not. True where it did."""

    connected: bool
    reason: str = ""

    def __bool__(self) -> bool:
        return self.connected


def connect_backend(
    label_studio: LabelStudio, project_id: int, url: str, title: str, username: str, password: SecretStr
) -> Connection:
    """The backend at `url` serves the project, by Basic auth. One that is there already gets the credentials anew.

    Label Studio calls the backend's `/health` and `/setup` before it answers.

    Raises:
        RetryableError, FatalError, RejectedError (no such project).
    """
    api = label_studio.api
    known = _known(api, project_id, url)
    secret = password.get_secret_value()

    def connect(sdk: "Sdk") -> object:
        send = sdk.ml.create if known is None else partial(sdk.ml.update, known)
        return send(
            project=project_id,
            url=url,
            title=title,
            auth_method="BASIC_AUTH",
            basic_auth_user=username,
            basic_auth_pass=secret,
            request_options=NO_RETRY,
        )

    try:
        api.sdk_once(_CONNECT, connect)
    except MissingError:
        raise
    except RejectedError as error:
        return Connection(connected=False, reason=error.reason)
    return Connection(connected=True)


def _known(api: Api, project_id: int, url: str) -> int | None:
    backends = api.sdk_read("list the ML backends", lambda sdk: sdk.ml.list(project=project_id))
    return next((backend.id for backend in backends if backend.url.rstrip("/") == url.rstrip("/")), None)
