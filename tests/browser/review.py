"""A reviewer at the screen: a real Chromium on a real Label Studio, and what was saved."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, Dialog, Locator, Page, expect, sync_playwright

from builders import codebook
from conftest import LabelStudioServer
from goldloop.adapters.labelstudio import LabelStudio
from goldloop.codebook.render import render
from goldloop.codebook.result import MODEL_VERSION, from_result
from goldloop.ports import ProjectDraft, TaskDraft
from goldloop.records import TaskSnapshot, Value

FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
SECONDS = 20_000.0
"""Milliseconds, as Playwright counts: how long anything may take to appear on a busy machine."""

_THEME = "localStorage.setItem('preferred-color-scheme', '{}')"


def chromium() -> str | None:
    """Debian's path, or whatever the PATH has."""
    return shutil.which("/usr/bin/chromium") or shutil.which("chromium")


@dataclass
class Chromium:
    """A browser that is logged in; it notes every address that it asks for, and every dialog."""

    context: BrowserContext
    server: LabelStudioServer
    requested: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    def dismiss(self, dialog: Dialog) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    @contextmanager
    def page(self, width: int = 1280, height: int = 900, theme: str = "Light") -> Iterator[Page]:
        opened = self.context.new_page()
        try:
            opened.set_viewport_size({"width": width, "height": height})
            opened.add_init_script(_THEME.format(theme))
            yield opened
        finally:
            opened.close()


@contextmanager
def logged_in(executable: str, server: LabelStudioServer) -> Iterator[Chromium]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, headless=True, args=[*FLAGS])
        context = browser.new_context()
        context.set_default_timeout(SECONDS)
        started = Chromium(context, server)
        context.on("request", lambda request: started.requested.append(request.url))
        context.on("dialog", started.dismiss)
        page = context.new_page()
        page.goto(f"{server.url}/user/login/")
        page.fill("input[name=email]", server.username)
        page.fill("input[name=password]", server.password.get_secret_value())
        page.click("button[type=submit]")
        page.wait_for_url(lambda url: "/user/login" not in url)
        page.close()
        yield started
        context.close()
        browser.close()


@dataclass(frozen=True)
class Queue:
    """A project of goldloop's with these tasks in it, in their order."""

    tasks: LabelStudio
    project_id: int
    task_ids: Sequence[int]

    @classmethod
    @contextmanager
    def of(cls, tasks: LabelStudio, *drafts: TaskDraft) -> Iterator[Self]:
        """Made for one test, and deleted after it."""
        asked = codebook()
        draft = ProjectDraft(
            title=asked.title,
            description="made by a test",
            instruction=asked.purpose,
            label_config=render(asked),
            annotations_per_task=1,
            model_version=MODEL_VERSION,
        )
        project_id, _ = tasks.ensure_project(draft, None)
        try:
            yield cls(tasks, project_id, tasks.import_tasks(project_id, drafts))
        finally:
            tasks.api.sdk_once("delete the project", lambda sdk: sdk.projects.delete(id=project_id))

    def saved(self, task_id: int) -> TaskSnapshot:
        pages = self.tasks.changed_tasks(self.project_id, None)
        return next(row for page in pages for row in page.rows if row.task_id == task_id)

    def answers(self, task_id: int) -> dict[str, Value]:
        """Those of the task's one annotation."""
        (annotation,) = self.saved(task_id).annotations
        assert not annotation.skipped
        return from_result(codebook(), annotation.result)


@dataclass
class Reviewer:
    """Sits at the label stream; `keys` counts what was pressed."""

    page: Page
    queue: Queue
    keys: int = 0

    def sit_down(self) -> None:
        self.page.goto(f"{self.queue.tasks.api.url}/projects/{self.queue.project_id}/data?labeling=1")
        expect(self.page.get_by_text("The answer to judge")).to_be_visible()
        # A dialog over it would take no keys: they would act on the task that nobody can read yet.
        expect(self.page.get_by_text("Labeling Instructions")).to_be_hidden()

    def press(self, key: str) -> None:
        self.page.keyboard.press(key)
        self.keys += 1

    def submit(self) -> None:
        self._leave_by("Control+Enter")

    def skip(self) -> None:
        self._leave_by("Control+Space")

    def choice(self, label: str) -> Locator:
        return self.page.locator(".gl-part label").filter(has_text=label).locator("input")

    def text(self, question: str) -> Locator:
        return self.page.locator(".gl-part").filter(has_text=question).locator("textarea")

    def _leave_by(self, key: str) -> None:
        """A skip is an annotation too."""
        with self.page.expect_response(
            lambda answer: answer.request.method == "POST" and urlsplit(answer.url).path.endswith("/annotations")
        ) as answered:
            self.press(key)
        assert answered.value.ok
