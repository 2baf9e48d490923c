"""A reviewer at the screen: a real Chromium on a real Label Studio, and what was saved."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, Dialog, Locator, Page, expect, sync_playwright

from conftest import LabelStudioServer
from goldloop.adapters.labelstudio import LabelStudio
from goldloop.codebook.controls import swapped
from goldloop.codebook.render import render
from goldloop.codebook.result import MODEL_VERSION, from_result
from goldloop.codebook.schema import Codebook
from goldloop.ports import ProjectDraft, TaskDraft
from goldloop.records import AnnotationSnapshot, Value

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
    asked: Codebook
    project_id: int
    task_ids: Sequence[int]
    trace_ids: Sequence[str]

    @classmethod
    @contextmanager
    def of(cls, tasks: LabelStudio, asked: Codebook, *drafts: TaskDraft, blind: bool = False) -> Iterator[Self]:
        """Made for one test, and deleted after it."""
        draft = ProjectDraft(
            title=asked.title,
            description="made by a test",
            instruction=asked.purpose,
            label_config=render(asked, blind=blind),
            annotations_per_task=1,
            model_version=MODEL_VERSION,
            show_predictions=not blind,
        )
        project_id, _ = tasks.ensure_project(draft, None)
        try:
            task_ids = tasks.import_tasks(project_id, drafts)
            yield cls(tasks, asked, project_id, task_ids, [draft.trace_id for draft in drafts])
        finally:
            tasks.api.sdk_once("delete the project", lambda sdk: sdk.projects.delete(id=project_id))

    def saved(self, place: int = 0) -> AnnotationSnapshot:
        """The one annotation of that task."""
        pages = self.tasks.changed_tasks(self.project_id, None)
        (snapshot,) = (row for page in pages for row in page.rows if row.task_id == self.task_ids[place])
        (annotation,) = snapshot.annotations
        return annotation

    def answers(self, place: int = 0) -> dict[str, Value]:
        """Those of the task's one annotation."""
        annotation = self.saved(place)
        assert not annotation.skipped
        return from_result(self.asked, annotation.result, swap=swapped(self.asked.name, self.trace_ids[place]))


@dataclass
class Reviewer:
    """Sits at the label stream; `keys` counts what was pressed."""

    page: Page
    queue: Queue
    keys: int = 0

    def sit_down(self) -> None:
        self.page.goto(f"{self.queue.tasks.api.url}/projects/{self.queue.project_id}/data?labeling=1")
        expect(self.page.locator(".gl-judge").get_by_text(self.queue.asked.verdict.text).first).to_be_visible()
        # A dialog over it would take no keys: they would act on the task that nobody can read yet.
        expect(self.page.get_by_text("Labeling Instructions")).to_be_hidden()

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)
            self.keys += 1

    def tab_to(self, place: Locator, within: int = 30) -> None:
        """By the keyboard alone."""
        for _ in range(within):
            self.press("Tab")
            if place.evaluate("element => element === document.activeElement"):
                return
        raise AssertionError(f"Tab does not come to {place} within {within} presses")

    def submit(self) -> None:
        self._leave_by("Control+Enter")

    def skip(self) -> None:
        self._leave_by("Control+Space")

    def choice(self, label: str) -> Locator:
        return self.page.locator(".gl-part label, .gl-skip label").filter(has_text=label).locator("input")

    def text(self, question: str) -> Locator:
        return self.page.locator(".gl-part").filter(has_text=question).locator("textarea, input[type=number]")

    def fold(self, title: str) -> Locator:
        return self.page.get_by_role("button", name=title)

    def _leave_by(self, key: str) -> None:
        """A skip is an annotation too."""
        with self.page.expect_response(
            lambda answer: answer.request.method == "POST" and urlsplit(answer.url).path.endswith("/annotations")
        ) as answered:
            self.press(key)
        assert answered.value.ok


@contextmanager
def review(
    browser: Chromium,
    tasks: LabelStudio,
    asked: Codebook,
    *drafts: TaskDraft,
    width: int = 1280,
    theme: str = "Light",
    blind: bool = False,
) -> Iterator[tuple[Reviewer, Page, Queue]]:
    """A reviewer before the first of these tasks."""
    with Queue.of(tasks, asked, *drafts, blind=blind) as queue, browser.page(width, 900, theme) as page:
        reviewer = Reviewer(page, queue)
        reviewer.sit_down()
        yield reviewer, page, queue
