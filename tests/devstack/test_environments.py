"""An environment is installed when it is missing or no longer as its lock file says, and only then."""

import sys
from pathlib import Path

import pytest

from goldloop.devstack import environments
from goldloop.devstack.environments import Environment
from goldloop.devstack.places import Places
from goldloop.devstack.processes import StartError, Supervisor
from goldloop.errors import ConfigError

PRETEND_UV = """#!{python}
import os, sys
from pathlib import Path

assert sys.argv[1:3] == ["sync", "--frozen"], sys.argv
assert os.environ["UV_PYTHON_DOWNLOADS"] == "never"
if Path("broken").exists():
    sys.exit("error: no such wheel")
folder = Path(os.environ["UV_PROJECT_ENVIRONMENT"])
folder.mkdir(parents=True, exist_ok=True)
with (folder / "installs").open("a") as file:
    file.write("x")
"""


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Environment:
    uv = tmp_path / "uv"
    uv.write_text(PRETEND_UV.format(python=sys.executable), encoding="utf-8")
    uv.chmod(0o755)
    monkeypatch.setattr(environments, "find_uv", lambda: uv)
    project = tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text("[project]\n", encoding="utf-8")
    (project / "uv.lock").write_text("version = 1\n", encoding="utf-8")
    return Environment("Pretend", tmp_path / "environments" / "pretend", project)


def ensure(environment: Environment, logs: Path) -> int:
    """Ensure it, and count how often it was ever installed."""
    with Supervisor(logs) as supervisor:
        environment.ensure(supervisor, lambda _part, _doing: None)
    return len((environment.folder / "installs").read_text(encoding="utf-8"))


def test_it_is_installed_once_for_each_state_of_its_lock(environment: Environment, tmp_path: Path) -> None:
    assert not environment.is_ready()
    assert ensure(environment, tmp_path / "logs") == 1
    assert environment.is_ready()
    assert ensure(environment, tmp_path / "logs") == 1
    (environment.project / "uv.lock").write_text("version = 2\n", encoding="utf-8")
    assert not environment.is_ready()
    assert ensure(environment, tmp_path / "logs") == 2


def test_a_failed_install_says_why_and_is_tried_again(environment: Environment, tmp_path: Path) -> None:
    broken = environment.project / "broken"
    broken.touch()
    with pytest.raises(StartError, match=r"Pretend environment .* failed: error: no such wheel; its log is"):
        ensure(environment, tmp_path / "logs")
    assert not environment.is_ready()
    broken.unlink()
    assert ensure(environment, tmp_path / "logs") == 1


def test_a_missing_lock_file_is_named(environment: Environment) -> None:
    (environment.project / "uv.lock").unlink()
    with pytest.raises(ConfigError, match=r"uv\.lock is missing"):
        environment.is_ready()


def test_the_committed_projects_are_there() -> None:
    places = Places(Path("unused"))
    for made in (environments.label_studio_environment(places), environments.ml_backend_environment(places)):
        assert (made.project / "pyproject.toml").is_file()
        assert (made.project / "uv.lock").is_file()
