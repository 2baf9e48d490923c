"""What of Label Studio no port asks for: keys, accounts and ML backends, on a real server."""

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from pydantic import SecretStr

from contract.label_studio_server import PASSWORD, PEOPLE, Server, server_of, unique
from goldloop.adapters.labelstudio import LabelStudio, connect
from goldloop.adapters.labelstudio.accounts import personal_access_token, sign_up
from goldloop.adapters.labelstudio.auth import is_refresh_token
from goldloop.adapters.labelstudio.backends import connect_backend
from goldloop.errors import FatalError, RejectedError
from goldloop.ports import ProjectDraft, TaskDraft

pytestmark = pytest.mark.servers

CONFIG = """<View><Text name="output" value="$output"/><Choices name="verdict" toName="output">
<Choice value="pass"/><Choice value="fail"/></Choices></View>"""


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Server:
    return server_of(request)


@pytest.fixture
def queue(server: Server) -> Iterator[LabelStudio]:
    queue = server.connect()
    yield queue
    queue.close()


@pytest.fixture
def project(server: Server, queue: LabelStudio) -> Iterator[int]:
    project_id, _ = queue.ensure_project(
        ProjectDraft(
            title=unique("contract"), description="", instruction="", label_config=CONFIG, annotations_per_task=1
        ),
        None,
    )
    yield project_id
    httpx.delete(f"{server.url}/api/projects/{project_id}/", headers=_token(server.api_key)).raise_for_status()


def _token(key: SecretStr) -> dict[str, str]:
    return {"Authorization": f"Token {key.get_secret_value()}"}


class TestKeys:
    @pytest.mark.parametrize("key", ["0" * 40, "no such key", "a.b.c"])
    def test_a_wrong_one_ends_at_once_and_says_what_to_set(self, server: Server, key: str) -> None:
        queue = connect(server.url, SecretStr(key))
        with pytest.raises(FatalError, match="LABEL_STUDIO_API_KEY") as caught:
            queue.check()
        assert key not in str(caught.value)
        queue.close()

    def test_a_personal_access_token_serves_all_calls(self, server: Server, project: int) -> None:
        queue = connect(server.url, _personal_access_token(server))
        assert queue.check().startswith("1.")
        made = queue.import_tasks(project, [TaskDraft(trace_id="aa", data={"output": "x"})])
        assert queue.find_tasks(project, ["aa"]) == {"aa": made[0]}
        queue.close()

    def test_a_personal_access_token_that_was_tampered_with_is_a_wrong_key(self, server: Server) -> None:
        token = _personal_access_token(server).get_secret_value()
        queue = connect(server.url, SecretStr(token[:-6]))
        with pytest.raises(FatalError, match="LABEL_STUDIO_API_KEY"):
            queue.check()
        queue.close()


def _personal_access_token(server: Server) -> SecretStr:
    sign_up(server.url, server.api_key, PEOPLE[0], PASSWORD)
    token = personal_access_token(server.url, PEOPLE[0], PASSWORD)
    assert is_refresh_token(token.get_secret_value())
    return token


class TestAccounts:
    def test_a_new_one_can_read_projects_and_a_second_time_it_is_the_same(self, server: Server, project: int) -> None:
        email = f"{unique('contract').replace(' ', '-')}@goldloop.local"
        key = sign_up(server.url, server.api_key, email, PASSWORD)
        annotator = connect(server.url, key)
        assert annotator.task_count(project) == 0
        annotator.close()
        assert sign_up(server.url, server.api_key, email, PASSWORD) == key
        users = httpx.get(f"{server.url}/api/users/", headers=_token(server.api_key)).json()
        (user,) = [user["id"] for user in users if user["email"] == email]
        httpx.delete(f"{server.url}/api/users/{user}/", headers=_token(server.api_key)).raise_for_status()

    def test_another_password_is_refused(self, server: Server) -> None:
        sign_up(server.url, server.api_key, PEOPLE[0], PASSWORD)
        with pytest.raises(RejectedError, match=PEOPLE[0]) as caught:
            sign_up(server.url, server.api_key, PEOPLE[0], SecretStr("not-the-password"))
        assert "not-the-password" not in str(caught.value)

    def test_only_a_member_can_invite(self, server: Server) -> None:
        with pytest.raises(FatalError, match="LABEL_STUDIO_API_KEY"):
            sign_up(server.url, SecretStr("0" * 40), f"{unique('x').replace(' ', '-')}@goldloop.local", PASSWORD)


class Backend(BaseHTTPRequestHandler):
    """The least that Label Studio takes for an ML backend; it asks for user `ml` with password `right`."""

    def do_GET(self) -> None:
        self._answer({"status": "UP", "versions": []})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self._answer({"model_version": "lexical-1"})

    def _answer(self, body: object) -> None:
        allowed = self.headers.get("Authorization") == "Basic " + base64.b64encode(b"ml:right").decode()
        content = json.dumps(body).encode()
        self.send_response(200 if allowed else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        """Keeps the test's output clean."""


@pytest.fixture
def backend() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Backend) as httpd:
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_address[1]}"
        httpd.shutdown()
        thread.join()


class TestBackends:
    def test_connected_twice_it_is_one(self, queue: LabelStudio, project: int, backend: str) -> None:
        for title in ("first", "second"):
            assert connect_backend(queue, project, backend, title, "ml", SecretStr("right"))
        known = queue.api.read("list the backends", "api/ml/", {"project": project})
        assert [(one["url"], one["title"]) for one in known] == [(backend, "second")]

    def test_a_wrong_password_says_so(self, queue: LabelStudio, project: int, backend: str) -> None:
        made = connect_backend(queue, project, backend, "lexical", "ml", SecretStr("wrong-one"))
        assert not made
        assert "password" in made.reason
        assert "wrong-one" not in made.reason

    def test_one_that_does_not_run_says_so(self, queue: LabelStudio, project: int) -> None:
        made = connect_backend(queue, project, "http://127.0.0.1:9", "lexical", "ml", SecretStr("right"))
        assert not made
        assert "/health" in made.reason

    def test_no_such_project(self, queue: LabelStudio, backend: str) -> None:
        with pytest.raises(RejectedError):
            connect_backend(queue, 987_654_321, backend, "lexical", "ml", SecretStr("right"))
