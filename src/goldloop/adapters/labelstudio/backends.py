"""An ML backend, made known to Label Studio, which then asks it for predictions and tells it of annotations."""

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from pydantic import SecretStr

from goldloop.adapters.labelstudio.faults import MissingError
from goldloop.adapters.labelstudio.http import NO_RETRY, Api
from goldloop.adapters.labelstudio.queue import LabelStudio
from goldloop.errors import RejectedError

if TYPE_CHECKING:
    from label_studio_sdk import ActionsEnum
    from label_studio_sdk import LabelStudio as Sdk

SECRET_HEADER: Final = "X-Goldloop-Secret"  # noqa: S105 - the name of a header
PROJECT_HEADER: Final = "X-Goldloop-Project"
"""Which project a webhook without a payload is about: goldloop has Label Studio send no annotation, only the news."""
ACTIONS: Final[tuple["ActionsEnum", ...]] = (
    "ANNOTATION_CREATED",
    "ANNOTATIONS_CREATED",
    "ANNOTATION_UPDATED",
    "ANNOTATIONS_DELETED",
)
"""What a backend is told of. START_TRAINING is no action of a webhook: Label Studio sends it by Basic auth."""
_CONNECT: Final = "connect the ML backend"
_WATCH: Final = "set the ML backend's webhook"


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
    api, webhook = label_studio.api, f"{url.rstrip('/')}/webhook"
    listed = api.sdk_read("list the webhooks", lambda sdk: sdk.webhooks.list(project=str(project_id)))
    ours = [one for one in listed if one.url.rstrip("/") == webhook or PROJECT_HEADER in (one.headers or {})]
    known, *old = [one.id for one in ours if one.id is not None] or [None]
    headers = {PROJECT_HEADER: str(project_id)} | ({SECRET_HEADER: secret.get_secret_value()} if secret else {})

    def write(sdk: "Sdk") -> object:
        send = (
            partial(sdk.webhooks.create, project=project_id) if known is None else partial(sdk.webhooks.update, known)
        )
        return send(
            url=webhook,
            actions=ACTIONS,
            headers=headers,
            send_payload=False,
            send_for_all_actions=False,
            is_active=secret is not None,
            request_options=NO_RETRY,
        )

    def remove(sdk: "Sdk", number: int | None) -> None:
        if number is not None:
            sdk.webhooks.delete(number, request_options=NO_RETRY)

    try:
        api.sdk_once(_WATCH, write)
        for number in old:
            api.sdk_once(_WATCH, partial(remove, number=number))
    except MissingError:
        raise
    except RejectedError as error:
        return Connection(connected=False, reason=error.reason)
    return Connection(connected=secret is not None)


def _known(api: Api, project_id: int, url: str, title: str) -> int | None:
    backends = api.sdk_read("list the ML backends", lambda sdk: sdk.ml.list(project=project_id))
    here = [backend.id for backend in backends if backend.url.rstrip("/") == url.rstrip("/")]
    return next(iter([*here, *(backend.id for backend in backends if backend.title == title)]), None)
