"""What docs/settings.md shows can be copied: here, where the fixtures of the command line are."""

import shlex

import pytest

from cli.terminal import Goldloop
from docs.pages import snippets


def test_the_settings_page_can_be_copied(goldloop: Goldloop, monkeypatch: pytest.MonkeyPatch) -> None:
    exported = [
        assignment
        for snippet in snippets("bash")
        if snippet.page.name == "settings.md"
        for line in snippet.body.splitlines()
        if line.startswith("export ")
        for assignment in shlex.split(line.removeprefix("export "), comments=True)
    ]
    names = {assignment.partition("=")[0] for assignment in exported}
    assert {"LANGFUSE_HOST", "LANGFUSE_PUBLIC_KEY", "LANGFUSE_SECRET_KEY", "LABEL_STUDIO_URL"} < names
    for assignment in exported:
        name, _, value = assignment.partition("=")
        if name != "GOLDLOOP_STORE_URL":
            monkeypatch.setenv(name, value)
    assert goldloop("status").code == 0
