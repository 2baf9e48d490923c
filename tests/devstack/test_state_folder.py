"""What one stack's folder keeps: ports, credentials, and the lock that makes it one."""

import os
import random
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr

from devstack.process_trees import TREE, pids_of
from goldloop.devstack.credentials import Credentials
from goldloop.devstack.local_ports import FIRST_PORT, LAST_PORT, LOOPBACK, LocalPorts, is_free
from goldloop.devstack.locks import one_stack
from goldloop.devstack.stack import ExternalServers
from goldloop.errors import ConfigError, LockedError
from goldloop.settings import Settings

HOLDER = """
import sys, time
from pathlib import Path
from goldloop.devstack.locks import one_stack
from goldloop.devstack.places import base_environment
from goldloop.devstack.processes import Supervisor

folder = Path(sys.argv[1])
with one_stack(folder) as lock, Supervisor(folder / "logs", hold=lock) as supervisor:
    supervisor.start(
        "tree",
        [sys.executable, str(folder / "tree.py"), str(folder), "--stubborn"],
        environment=base_environment(),
        folder=folder,
        grace_seconds=0.5,
    )
    time.sleep(600)
"""


def dice(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 -- a port is no secret


@pytest.mark.enable_socket
def test_a_port_is_remembered_and_given_up_when_busy(tmp_path: Path) -> None:
    file = tmp_path / "ports.json"
    port = LocalPorts(file, dice(1)).take("server")
    assert FIRST_PORT <= port <= LAST_PORT
    assert LocalPorts(file, dice(2)).take("server") == port
    with socket.socket() as occupier:
        occupier.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        occupier.bind((LOOPBACK, port))
        occupier.listen()
        assert not is_free(port)
        assert LocalPorts(file, dice(2)).take("server") != port


@pytest.mark.enable_socket
def test_two_names_never_share_a_port(tmp_path: Path) -> None:
    # The same seed twice would draw the same number for both names.
    first = LocalPorts(tmp_path / "a.json", dice(1)).take("one")
    ports = LocalPorts(tmp_path / "b.json", dice(1))
    assert ports.take("one") == first
    assert ports.take("two") != first


@pytest.mark.enable_socket
@pytest.mark.parametrize("content", ["", "[]", "{", '{"server": "80"}', '{"server": 99999999}'])
def test_a_spoilt_file_of_ports_is_made_anew(tmp_path: Path, content: str) -> None:
    file = tmp_path / "ports.json"
    file.write_text(content, encoding="utf-8")
    assert FIRST_PORT <= LocalPorts(file, dice(1)).take("server") <= LAST_PORT


def test_credentials_are_made_once_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    file = tmp_path / "state" / "credentials.json"
    made = Credentials.load_or_make(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert Credentials.load_or_make(file) == made
    assert Credentials.random() != made
    assert made.label_studio_token.get_secret_value() not in repr(made)


def test_a_spoilt_file_of_credentials_is_named_and_not_quoted(tmp_path: Path) -> None:
    file = tmp_path / "credentials.json"
    file.write_text('{"label_studio_token": "hush"}', encoding="utf-8")
    with pytest.raises(ConfigError, match="to start afresh") as caught:
        Credentials.load_or_make(file)
    assert "hush" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_second_stack_on_a_folder_is_refused_at_once(tmp_path: Path) -> None:
    with (
        one_stack(tmp_path),
        pytest.raises(LockedError, match=f"process {os.getpid()}"),
        one_stack(tmp_path, patience_seconds=60.0),
    ):
        pass
    with one_stack(tmp_path):
        pass


def test_the_servers_of_a_killed_stack_are_waited_for(tmp_path: Path) -> None:
    (tmp_path / "tree.py").write_text(TREE, encoding="utf-8")
    (tmp_path / "holder.py").write_text(HOLDER, encoding="utf-8")
    holder = subprocess.Popen([sys.executable, tmp_path / "holder.py", tmp_path])
    pids = pids_of(tmp_path)
    holder.kill()
    holder.wait()
    with one_stack(tmp_path):
        assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_an_address_without_its_keys_says_what_to_set() -> None:
    with pytest.raises(ConfigError, match="LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY"):
        ExternalServers.from_settings(settings(langfuse_host="http://langfuse"))
    with pytest.raises(ConfigError, match="LABEL_STUDIO_API_KEY"):
        ExternalServers.from_settings(settings(label_studio_url="http://label-studio"))


def test_servers_that_are_named_are_used() -> None:
    found = ExternalServers.from_settings(
        settings(
            langfuse_host="http://langfuse",
            langfuse_public_key=SecretStr("pk"),
            langfuse_secret_key=SecretStr("sk"),
            label_studio_url="http://label-studio",
            label_studio_api_key=SecretStr("token"),
        )
    )
    assert found.langfuse is not None
    assert found.langfuse.public_key == "pk"
    assert found.label_studio is not None
    assert found.label_studio.url == "http://label-studio"
    assert ExternalServers.from_settings(settings()) == ExternalServers()


def settings(**changes: object) -> Settings:
    """Settings that no variable of the shell touches."""
    return Settings.model_construct().model_copy(update=changes)
