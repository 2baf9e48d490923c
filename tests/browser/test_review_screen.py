"""The review screen as an annotator has it: keys, follow-ups, what is saved, and what strangers can do to it.

With GOLDLOOP_SCREENSHOTS=FOLDER the pictures of the documentation are taken on the way.
"""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from browser.review import Chromium, Queue, Reviewer, chromium, logged_in
from browser.traces import (
    AGENT,
    CHAT,
    MARKER,
    READABLE,
    SNIPPETS,
    UNSAFE_ADVICE,
    from_file,
    hostile,
    sample,
    sample_draft,
    task_draft,
)
from conftest import LabelStudioServer
from goldloop.adapters.labelstudio import LabelStudio, connect
from goldloop.ports import TaskDraft

EXECUTABLE = chromium()
CORRECTION = (
    "Please don't: batteries can't go by normal post. The pick-up is booked as hazardous goods and costs you nothing. "
    "Give me your order number and I pass it on."
)
NOTE = "Batteries cannot go by normal post! The return article was not found."

pytestmark = [
    pytest.mark.servers,
    pytest.mark.browser,
    pytest.mark.skipif(EXECUTABLE is None, reason="there is no Chromium: install one, for instance Debian's chromium"),
]


@pytest.fixture(scope="module")
def browser(label_studio: LabelStudioServer) -> Iterator[Chromium]:
    assert EXECUTABLE
    with logged_in(EXECUTABLE, label_studio) as started:
        yield started


@pytest.fixture(scope="module")
def tasks(label_studio: LabelStudioServer) -> Iterator[LabelStudio]:
    with closing(connect(label_studio.url, label_studio.api_key)) as connected:
        yield connected


@contextmanager
def review(
    browser: Chromium, tasks: LabelStudio, *drafts: TaskDraft, width: int = 1280, theme: str = "Light"
) -> Iterator[tuple[Reviewer, Page, Queue]]:
    """A reviewer before the first of these tasks."""
    with Queue.of(tasks, *drafts) as queue, browser.page(width, 900, theme) as page:
        reviewer = Reviewer(page, queue)
        reviewer.sit_down()
        yield reviewer, page, queue


def picture(page: Page, name: str) -> None:
    folder = os.environ.get("GOLDLOOP_SCREENSHOTS")
    if folder:
        expect(page.get_by_text("Annotation saved successfully", exact=True)).to_be_hidden(timeout=15_000)
        page.screenshot(path=Path(folder) / f"{name}.png", animations="disabled", caret="hide")


def test_a_suggestion_is_accepted_by_one_key(browser: Chromium, tasks: LabelStudio) -> None:
    with review(browser, tasks, sample_draft(CHAT), sample_draft(AGENT)) as (reviewer, page, queue):
        expect(page.get_by_text("Pass, 75% sure (uncalibrated: do not lean on the number)")).to_be_visible()
        expect(reviewer.choice("Pass")).to_be_checked()
        picture(page, "review-1280")
        reviewer.submit()
        assert reviewer.keys == 1
        expect(page.get_by_text('"street": "Lindenhof 71"')).to_be_visible()  # the next task is there by itself
        (annotation,) = queue.saved(queue.task_ids[0]).annotations
        assert annotation.from_prediction
        assert queue.answers(queue.task_ids[0]) == {"verdict": "pass"}


def test_noise_is_hidden_and_nothing_else(browser: Chromium, tasks: LabelStudio) -> None:
    with review(browser, tasks, sample_draft(AGENT), width=1920, theme="Dark") as (_, page, _queue):
        for noise in ("00:00:00 - 00:00:00", "Show all authors", "View region details", "(none)"):
            for place in page.get_by_text(noise).all():
                expect(place).to_be_hidden()
        for panel in ("Retrieved documents", "Tool calls and steps", "User feedback", "About this trace"):
            expect(page.get_by_role("button", name=panel)).to_be_visible()
        judging = page.locator(".gl-judge").bounding_box()
        assert judging
        assert judging["x"] > 1200  # evidence has a column of its own between the conversation and the questions
        expect(page.get_by_test_id("bottombar-submit-button")).to_be_in_viewport(ratio=1)
        picture(page, "review-1920-dark")
    with review(browser, tasks, task_draft(from_file(sample(CHAT)), "delivery")) as (_, page, _queue):
        expect(page.get_by_role("button", name="Retrieved documents")).to_be_visible()
        for nothing in ("Tool calls and steps", "User feedback"):
            expect(page.get_by_text(nothing)).to_be_hidden()


def test_a_failure_is_told_by_keys_and_words(browser: Chromium, tasks: LabelStudio) -> None:
    draft = sample_draft(UNSAFE_ADVICE)
    passed = draft.model_copy(update={"trace_id": "passed"})
    with review(browser, tasks, sample_draft(CHAT), draft, passed) as (reviewer, page, queue):
        correction, note = reviewer.text("How should it read?"), reviewer.text("Note for the team")
        expect(correction).to_be_hidden()
        expect(reviewer.choice("Unbacked claim")).to_be_hidden()
        reviewer.press("2")
        expect(correction).to_have_value(str(sample_draft(CHAT).data["output"]))
        reviewer.press("q")
        expect(reviewer.choice("Unbacked claim")).to_be_checked()
        correction.fill("The swap is free of charge.\n\nA loan bike I can't promise.")
        note.fill("Promises a loan bike.")
        reviewer.press("Shift+Enter")  # closes the text: inside it, keys are only letters
        reviewer.submit()

        expect(correction).to_have_value(str(draft.data["output"]))
        expect(reviewer.choice("Fail")).to_be_checked()  # as the suggestion has it
        reviewer.press("q")
        reviewer.press("w")
        correction.fill(CORRECTION)
        note.fill(NOTE)
        note.blur()
        picture(page, "review-fail")
        reviewer.submit()

        expect(note).to_have_value("")
        reviewer.press("q")
        note.fill("on second thoughts")
        note.blur()
        reviewer.press("1")
        expect(correction).to_be_hidden()
        expect(reviewer.choice("Unbacked claim")).to_be_hidden()
        reviewer.submit()

        first, second, third = (queue.answers(task_id) for task_id in queue.task_ids)
    assert first == {
        "verdict": "fail",
        "error_type": ["ungrounded"],
        "correction": "The swap is free of charge.\n\nA loan bike I can't promise.",
        "note": "Promises a loan bike.",
    }
    assert second == {
        "verdict": "fail",
        "error_type": ["ungrounded", "retrieval"],
        "correction": CORRECTION,
        "note": NOTE,
    }
    assert third == {"verdict": "pass"}


def test_a_task_is_skipped_by_one_key(browser: Chromium, tasks: LabelStudio) -> None:
    with review(browser, tasks, sample_draft(CHAT)) as (reviewer, _page, queue):
        reviewer.skip()
        assert reviewer.keys == 1
        (annotation,) = queue.saved(queue.task_ids[0]).annotations
        assert annotation.skipped


def test_content_of_strangers_is_text_and_nothing_else(browser: Chromium, tasks: LabelStudio) -> None:
    with review(browser, tasks, task_draft(hostile(), SNIPPETS[0])) as (reviewer, page, _queue):
        for panel in ("About this trace", "System prompt"):
            page.get_by_role("button", name=panel).click()
        correction = reviewer.text("How should it read?")
        if not correction.is_visible():
            reviewer.press("2")
        answer = page.locator(".gl-answer").inner_text()
        evidence = page.locator(".gl-evidence").inner_text()
        for text in (*SNIPPETS, *READABLE):
            assert text in answer
            assert text in evidence
            assert text in correction.input_value()
        page.locator(".gl-answer").hover()  # an event handler would now run
        reviewer.submit()
        assert [frame.evaluate(f"window.{MARKER} ?? null") for frame in page.frames] == [None]  # the page's own one
        assert page.locator(".gl script, .gl iframe, .gl img, .gl h1, .gl a").count() == 0
    assert browser.dialogs == []
    asked = {urlsplit(url).netloc for url in browser.requested if urlsplit(url).scheme not in {"data", "blob"}}
    assert asked == {urlsplit(tasks.api.url).netloc}
    assert not [url for url in browser.requested if "nothing-here" in url]
