"""Accounts for annotators, made the way a person makes one: by an invitation and the sign-up form.

`POST /api/users` would make users without an organization, whom Label Studio then shows nothing.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, Final

import httpx
from pydantic import SecretStr

from goldloop.adapters.labelstudio.faults import SERVER, failure, unreachable, unreadable
from goldloop.adapters.labelstudio.http import Api, checked, client
from goldloop.errors import FatalError, RejectedError

_LOGIN: Final = "user/login/"
_TOKENS: Final = "api/token/"


def sign_up(
    url: str,
    admin_api_key: SecretStr,
    email: str,
    password: SecretStr,
    *,
    transport: httpx.BaseTransport | None = None,
) -> SecretStr:
    """The key of the account `email`, which is made where it does not exist.

    Its legacy token where the server takes these, always the same; else a `personal_access_token`.

    Raises:
        RejectedError: the email or the password is not accepted, or the account has another password.
        RetryableError, FatalError.
    """
    with _session(url, transport) as session:
        if not session.send_form(_LOGIN, email, password):
            invitation = f"user/signup/?token={_invitation(session.url, admin_api_key, transport)}"
            if not session.send_form(invitation, email, password):
                raise _refused(session.url, email)
        legacy = SecretStr(session.text_of("token", session.ask("GET", "api/current-user/token")))
        with closing(Api(url, legacy, transport=transport)) as api:
            try:
                api.read_once("use the legacy token", "api/current-user/whoami")
            except FatalError:
                return session.new_token()
        return legacy


def personal_access_token(
    url: str, email: str, password: SecretStr, *, transport: httpx.BaseTransport | None = None
) -> SecretStr:
    """A new personal access token of the account; the one before, which the server no longer tells, ends.

    Raises:
        RejectedError: there is no such account, or it has another password.
        RetryableError, FatalError.
    """
    with _session(url, transport) as session:
        if not session.send_form(_LOGIN, email, password):
            raise _refused(session.url, email)
        return session.new_token()


class _Session:
    """A browser's way in: forms with their protection, then calls by cookie."""

    def __init__(self, url: str, http: httpx.Client) -> None:
        self.url = url
        self._http = http

    def send_form(self, path: str, email: str, password: SecretStr) -> bool:
        """Whether the form was accepted: then it redirects, else it comes again with what is wrong."""
        shown = self._http.get(path)
        token = self._http.cookies.get("csrftoken")
        if not shown.is_success or token is None:
            raise failure(self.url, "show its form", shown.status_code, shown.headers, shown.text)
        fields = {"email": email, "password": password.get_secret_value(), "allow_newsletters": "false"}
        sent = self._http.post(path, data={"csrfmiddlewaretoken": token, **fields})
        if not (sent.is_success or sent.is_redirect):
            raise failure(self.url, "take its form", sent.status_code, sent.headers, sent.text)
        return sent.is_redirect

    def new_token(self) -> SecretStr:
        # An account has one token at most, told in full only when it is made.
        for old in self.ask("GET", _TOKENS):
            self.ask("POST", f"{_TOKENS}blacklist/", {"refresh": self.text_of("token", old)})
        return SecretStr(self.text_of("token", self.ask("POST", _TOKENS)))

    def ask(self, method: str, path: str, body: dict[str, str] | None = None) -> Any:
        headers = {"X-CSRFToken": self._http.cookies.get("csrftoken") or ""}
        answer = self._http.request(method, path, json=body, headers=headers)
        if not answer.is_success:
            raise failure(self.url, "give a key", answer.status_code, answer.headers, answer.text)
        try:
            return answer.json() if answer.content else None
        except ValueError as error:
            raise unreadable(self.url, "give a key") from error

    def text_of(self, field: str, answer: Any) -> str:
        text = answer.get(field) if isinstance(answer, dict) else None
        if not isinstance(text, str):
            raise unreadable(self.url, "give a key")
        return text


@contextmanager
def _session(url: str, transport: httpx.BaseTransport | None) -> Iterator[_Session]:
    url = checked(url)
    with client(url, transport=transport) as http:
        http.headers["Referer"] = f"{url}/"  # the forms' protection asks for it behind TLS
        try:
            yield _Session(url, http)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise unreachable(url, error) from error


def _invitation(url: str, admin_api_key: SecretStr, transport: httpx.BaseTransport | None) -> str:
    with closing(Api(url, admin_api_key, transport=transport)) as api:
        answer = api.read("invite an annotator", "api/invite")
    token = answer.get("token") if isinstance(answer, dict) else None
    if not isinstance(token, str):
        raise unreadable(url, "invite an annotator")
    return token


def _refused(url: str, email: str) -> RejectedError:
    return RejectedError(
        SERVER,
        f"{SERVER} at {url} takes no account {email} with this password: choose one of 8 characters or more, or give "
        "the password that the account has.",
        reason="account refused",
    )
