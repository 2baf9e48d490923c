"""The command line as a caller sees it, run inside the test: what it printed, and the code that it ended with."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
import typer.main

from goldloop.cli.app import app, main

SECRET = "sk-lf-never-to-be-seen"


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str

    @property
    def sentence(self) -> str:
        """What stands on stderr: one line that starts with the program's name, no traceback and no secret."""
        (line,) = [line for line in self.err.splitlines() if line.strip()]
        assert line.startswith("goldloop: ")
        assert "Traceback" not in line
        return line


Goldloop = Callable[..., Ended]


def goldloop(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> Ended:
    """`goldloop ARGUMENTS...` as its entry point runs it."""
    monkeypatch.setattr(sys, "argv", ["goldloop", *arguments])
    capsys.readouterr()
    code = 0
    try:
        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    told = capsys.readouterr()
    assert SECRET not in told.out + told.err
    return Ended(code, told.out, told.err)


def commands() -> list[tuple[str, ...]]:
    """Every command by the words that call it."""

    def below(group: object, words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        for name, command in getattr(group, "commands", {}).items():
            yield from below(command, (*words, name)) if hasattr(command, "commands") else [(*words, name)]

    return list(below(typer.main.get_command(app), ()))
