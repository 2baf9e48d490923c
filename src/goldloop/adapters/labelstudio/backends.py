"""An ML backend, made known to Label Studio, which then asks it for predictions and tells it of annotations."""

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from pydantic import SecretStr

from goldloop.adapters.labelstudio.faults import MissingError
from goldloop.adapters.labelstudio.http import NO_RETRY, Api
from goldloop.adapters.labelstudio.queue import LabelStudio
from goldloop.adapters.labelstudio.webhooks import ANNOTATED, PROJECT_HEADER, SECRET_HEADER, Webhook, set_webhook
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
    """The backend at `url` serves the project, by Basic auth.

    One that is there already, by its address or else by its title, gets address and credentials anew: a second one at
    an address that nobody answers any more would keep each page waiting.

    Label Studio calls the backend's `/health` and `/setup` before it answers. The title must not be the project's
    model version: each task that an annotator asks for would wait for the backend then.

    Raises:
        RetryableError, FatalError, RejectedError (no such project).
    """
    api = label_studio.api
    known = _known(api, project_id, url, title)
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


def watch_annotations(label_studio: LabelStudio, project_id: int, url: str, secret: SecretStr | None) -> Connection:
    """Label Studio tells the backend at `url` that annotations of the project changed, and nothing of what they say.

    Connecting a backend makes it add a webhook for everything, with the payload and without credentials: that one is
    changed to the few actions, without a payload, with the secret in a header. Without a secret it is switched off. One
    that was set here before, for another address, goes.

    Raises:
        RetryableError, FatalError, RejectedError (no such project).
    """
    headers = {PROJECT_HEADER: str(project_id)} | ({SECRET_HEADER: secret.get_secret_value()} if secret else {})
    wanted = Webhook(f"{url.rstrip('/')}/webhook", PROJECT_HEADER, headers, ANNOTATED, active=secret is not None)
    try:
        set_webhook(label_studio, project_id, wanted)
    except MissingError:
        raise
    except RejectedError as error:
        return Connection(connected=False, reason=error.reason)
    return Connection(connected=secret is not None)


def _known(api: Api, project_id: int, url: str, title: str) -> int | None:
    backends = api.sdk_read("list the ML backends", lambda sdk: sdk.ml.list(project=project_id))
    here = [backend.id for backend in backends if backend.url.rstrip("/") == url.rstrip("/")]
    return next(iter([*here, *(backend.id for backend in backends if backend.title == title)]), None)
