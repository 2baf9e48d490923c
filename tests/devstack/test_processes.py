"""No process outlives the command that started it, however that ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from devstack.process_trees import TREE, is_gone, pids_of, wait_until_gone
from goldloop.devstack.places import base_environment
from goldloop.devstack.processes import Process, StartError, Supervisor, gist

STARTER = """
import sys, time
from pathlib import Path
from goldloop.devstack.interrupts import end_with_parent, orderly_end
from goldloop.devstack.places import base_environment
from goldloop.devstack.processes import Supervisor

folder = Path(sys.argv[1])
end_with_parent()
with orderly_end(), Supervisor(folder / "logs") as supervisor:
    supervisor.start(
        "tree",
        [sys.executable, str(folder / "tree.py"), str(folder), "--stubborn"],
        environment=base_environment(),
        folder=folder,
        grace_seconds=0.2,
    )
    time.sleep(600)
"""
MAKE = "import subprocess, sys; p = subprocess.Popen(sys.argv[1:]); print(p.pid, flush=True); p.wait()"


@pytest.fixture
def supervisor(tmp_path: Path) -> Supervisor:
    return Supervisor(tmp_path / "logs")


def start_tree(supervisor: Supervisor, folder: Path, *options: str) -> tuple[Process, list[int]]:
    (folder / "tree.py").write_text(TREE, encoding="utf-8")
    process = supervisor.start(
        "tree",
        [sys.executable, folder / "tree.py", folder, *options],
        environment=base_environment(),
        folder=folder,
        grace_seconds=0.2,
    )
    return process, pids_of(folder)


def start_starter(folder: Path) -> tuple[subprocess.Popen[bytes], list[int]]:
    (folder / "tree.py").write_text(TREE, encoding="utf-8")
    (folder / "starter.py").write_text(STARTER, encoding="utf-8")
    starter = subprocess.Popen([sys.executable, folder / "starter.py", folder])
    return starter, pids_of(folder)


def nothing(_part: str, _doing: str) -> None:
    """Progress for nobody."""


def test_stop_returns_when_every_descendant_is_gone(supervisor: Supervisor, tmp_path: Path) -> None:
    with supervisor:
        process, pids = start_tree(supervisor, tmp_path)
        process.stop()
        assert all(is_gone(pid) for pid in pids)
        assert process.exit_code == 128 + signal.SIGTERM


def test_a_command_that_ignores_termination_is_killed(supervisor: Supervisor, tmp_path: Path) -> None:
    with supervisor:
        _, pids = start_tree(supervisor, tmp_path, "--stubborn")
    assert all(is_gone(pid) for pid in pids)


def test_descendants_end_with_a_command_that_dies(supervisor: Supervisor, tmp_path: Path) -> None:
    with supervisor:
        process, pids = start_tree(supervisor, tmp_path)
        os.kill(pids[-1], signal.SIGKILL)
        assert process.wait(10.0) == 128 + signal.SIGKILL
        assert all(is_gone(pid) for pid in pids)


def test_a_kill_of_the_starter_ends_everything(tmp_path: Path) -> None:
    starter, pids = start_starter(tmp_path)
    starter.kill()
    starter.wait()
    wait_until_gone(pids, within_seconds=10.0)


@pytest.mark.parametrize(
    ("number", "exit_code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, -signal.SIGINT)]
)
def test_a_terminated_starter_ends_after_its_servers(tmp_path: Path, number: signal.Signals, exit_code: int) -> None:
    starter, pids = start_starter(tmp_path)
    starter.send_signal(number)
    time.sleep(0.1)
    starter.send_signal(number)  # impatience changes nothing
    assert starter.wait(20.0) == exit_code
    assert all(is_gone(pid) for pid in pids)


def test_a_starter_ends_with_the_program_that_started_it(tmp_path: Path) -> None:
    (tmp_path / "tree.py").write_text(TREE, encoding="utf-8")
    (tmp_path / "starter.py").write_text(STARTER, encoding="utf-8")
    make = subprocess.Popen(
        [sys.executable, "-c", MAKE, sys.executable, tmp_path / "starter.py", tmp_path], stdout=subprocess.PIPE
    )
    with make:
        assert make.stdout is not None
        starter = int(make.stdout.readline())
        pids = pids_of(tmp_path)
        make.kill()
    wait_until_gone([starter, *pids], within_seconds=15.0)


def test_the_exit_code_and_the_output_are_the_commands_own(supervisor: Supervisor, tmp_path: Path) -> None:
    with supervisor:
        process = supervisor.start(
            "Small Talk", ["sh", "-c", "echo hello; exit 7"], environment=base_environment(), folder=tmp_path
        )
        assert process.wait(10.0) == 7
        assert process.log.name == "small-talk.log"
        assert process.log.read_text(encoding="utf-8") == "hello\n"


def test_the_log_of_the_start_before_is_kept(supervisor: Supervisor, tmp_path: Path) -> None:
    with supervisor:
        for word in ("first", "second"):
            process = supervisor.start("talk", ["echo", word], environment=base_environment(), folder=tmp_path)
            process.wait(10.0)
    assert (tmp_path / "logs" / "talk.log").read_text(encoding="utf-8") == "second\n"
    assert (tmp_path / "logs" / "talk.previous.log").read_text(encoding="utf-8") == "first\n"


def test_a_server_that_ends_by_itself_is_named_with_its_reason_and_log(supervisor: Supervisor, tmp_path: Path) -> None:
    command = ["sh", "-c", "echo 'Error: the port is in use.'; echo bye; exit 1"]
    with supervisor:
        process = supervisor.start("Parrot", command, environment=base_environment(), folder=tmp_path)
        with pytest.raises(StartError, match=r"Parrot could not be started: .*the port is in use; .*parrot\.log\."):
            supervisor.wait_until(lambda: False, process=process, within_seconds=20.0, progress=nothing)


def test_a_program_that_is_not_there_is_a_start_error(supervisor: Supervisor, tmp_path: Path) -> None:
    with supervisor, pytest.raises(StartError, match="No such file"):
        supervisor.run(
            "Ghost",
            [tmp_path / "ghost"],
            environment=base_environment(),
            folder=tmp_path,
            within_seconds=20.0,
            progress=nothing,
            doing="haunting",
        )


def test_a_server_that_never_answers_is_a_start_error(supervisor: Supervisor, tmp_path: Path) -> None:
    with supervisor:
        process = supervisor.start("Mute", ["sleep", "60"], environment=base_environment(), folder=tmp_path)
        with pytest.raises(StartError, match=r"no answer within 0 s, last line: nothing was written"):
            supervisor.wait_until(lambda: False, process=process, within_seconds=0.3, progress=nothing)


def test_nothing_starts_while_the_stack_is_being_stopped(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.close()
    with pytest.raises(StartError, match="being stopped"):
        supervisor.start("Late", ["true"], environment=base_environment(), folder=tmp_path)


def test_the_shell_s_own_variables_do_not_reach_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEBUG", "true")
    monkeypatch.setenv("PREFECT_API_URL", "http://elsewhere")
    assert not {"DEBUG", "PREFECT_API_URL"} & base_environment().keys()


def test_the_gist_prefers_a_line_that_tells_of_an_error(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    log.write_text("starting\n\x1b[31mValueError: no port\x1b[0m\nbye\n\n", encoding="utf-8")
    assert gist(log) == "ValueError: no port"
    log.write_text("  File\nModuleNotFoundError: No module\n[ERROR] Reason: failed to boot.\n", encoding="utf-8")
    assert gist(log) == "ModuleNotFoundError: No module"
    log.write_text("no codebook here\n[2026-11-21] [7] [ERROR] Reason: App failed.\n", encoding="utf-8")
    assert gist(log) == "no codebook here"
    log.write_text("starting\nbye\n", encoding="utf-8")
    assert gist(log) == "bye"
