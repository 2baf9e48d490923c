"""docker/make-env.py writes an .env that the stack for a team starts with."""

import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def values_of(path: Path) -> dict[str, str]:
    """Name -> value of an .env file's lines."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def make_env(output: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "docker" / "make-env.py"), "--output", str(output)],
        capture_output=True,
        text=True,
        check=False,
    )


EXAMPLE = values_of(ROOT / ".env.example")
SECRETS = {name for name, value in EXAMPLE.items() if not value}


@pytest.fixture(scope="module")
def values(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    output = tmp_path_factory.mktemp("env") / ".env"
    result = make_env(output)
    assert result.returncode == 0, result.stderr
    return values_of(output)


def test_it_fills_every_secret_with_a_value_of_its_own_and_keeps_the_rest(values: dict[str, str]) -> None:
    assert list(values) == list(EXAMPLE)
    assert all(values[name] == EXAMPLE[name] for name in values if name not in SECRETS)
    filled = [values[name] for name in SECRETS]
    assert len(set(filled)) == len(SECRETS)
    assert all(re.fullmatch(r"[A-Za-z0-9-]{32,}", value) for value in filled), "safe in a URL, a shell and YAML"


def test_it_gives_the_shapes_that_the_servers_want(values: dict[str, str]) -> None:
    assert re.fullmatch(r"[0-9a-f]{64}", values["LANGFUSE_ENCRYPTION_KEY"])
    assert re.fullmatch(r"[0-9a-f]{40}", values["LABEL_STUDIO_API_KEY"])
    assert values["LANGFUSE_PUBLIC_KEY"].startswith("pk-lf-")
    assert values["LANGFUSE_SECRET_KEY"].startswith("sk-lf-")


def test_it_never_writes_the_same_secret_twice(values: dict[str, str], tmp_path: Path) -> None:
    assert make_env(tmp_path / ".env").returncode == 0
    again = values_of(tmp_path / ".env")
    assert not [name for name in SECRETS if values[name] == again[name]]


def test_it_writes_for_the_owner_only_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        assert make_env(tmp_path / ".env").returncode == 0
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600


def test_it_shows_no_secret_on_the_terminal(tmp_path: Path) -> None:
    result = make_env(tmp_path / ".env")
    written = values_of(tmp_path / ".env")
    assert not [name for name in SECRETS if written[name] in result.stdout + result.stderr]


def test_it_leaves_a_file_that_exists_alone(tmp_path: Path) -> None:
    output = tmp_path / ".env"
    output.write_text("mine\n", encoding="utf-8")
    result = make_env(output)
    assert result.returncode == 1
    assert "exists and was left alone" in result.stderr
    assert "Traceback" not in result.stderr
    assert output.read_text(encoding="utf-8") == "mine\n"


def test_it_says_when_it_cannot_write(tmp_path: Path) -> None:
    result = make_env(tmp_path / "absent" / ".env")
    assert result.returncode == 1
    assert "name a folder" in result.stderr
    assert "Traceback" not in result.stderr


def test_git_ignores_what_it_writes() -> None:
    assert "/.env" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
