"""What a person learns from the command line itself."""

import subprocess
import sys

import pytest

from cli.terminal import Goldloop, commands
from goldloop import __version__
from goldloop.bootstrap import VERBS


def test_every_verb_is_a_command() -> None:
    assert {(verb,) for verb in VERBS} < set(commands())


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_explains_itself_with_an_example(goldloop: Goldloop, words: tuple[str, ...]) -> None:
    ended = goldloop(*words, "--help")
    assert ended.code == 0
    lines = [line.strip() for line in ended.out.splitlines()]
    (example,) = [line for line in lines if line.startswith("Example:")]
    assert example.startswith(f"Example: goldloop {' '.join(words)}")
    assert "--json" in ended.out


def test_the_version(goldloop: Goldloop) -> None:
    assert goldloop("--version").out == f"goldloop {__version__}\n"


@pytest.mark.parametrize("words", [["nosuch"], ["draw", "--nope"], ["draw", "--seed", "x"], ["codebook", "nosuch"]])
def test_a_wrong_call_is_told_with_where_the_help_is(goldloop: Goldloop, words: list[str]) -> None:
    ended = goldloop(*words)
    assert ended.code == 2
    assert "--help" in ended.err
    assert "Traceback" not in ended.err


def test_help_waits_for_nothing_that_it_does_not_need() -> None:
    heavy = {"alembic", "httpx", "label_studio_sdk", "numpy", "pydantic", "sqlalchemy"}
    asked = f"import sys, goldloop.cli; sys.stdout.write(','.join({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout == ""
