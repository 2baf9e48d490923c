"""The review screen as an annotator has it: keys, follow-ups, what is saved, and what strangers can do to it.

With GOLDLOOP_SCREENSHOTS=FOLDER the pictures of the documentation are taken on the way.
"""

import json
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, Response, expect

from browser.look import assert_looks_right, faults, picture
from browser.review import Chromium, review
from browser.traces import (
    AGENT,
    CHAT,
    MARKER,
    READABLE,
    SNIPPETS,
    UNSAFE_ADVICE,
    from_file,
    hostile,
    judged,
    sample,
    sample_draft,
    task_draft,
)
from builders import NOW, ROOT, codebook
from goldloop.adapters.labelstudio import LabelStudio
from goldloop.codebook.load import load
from goldloop.codebook.result import skip_reason
from goldloop.records import Signal

CORRECTION = (
    "Please don't: batteries can't go by normal post. The pick-up is booked as hazardous goods and costs you nothing. "
    "Give me your order number and I pass it on."
)
NOTE = "Batteries cannot go by normal post! The return article was not found."

pytestmark = [pytest.mark.servers, pytest.mark.browser]


def test_a_suggestion_is_accepted_by_one_key(browser: Chromium, tasks: LabelStudio) -> None:
    address = f"{tasks.api.url}/health?of=1&trace=2"
    first = sample_draft(CHAT, address)
    with review(browser, tasks, codebook(), first, sample_draft(AGENT)) as (reviewer, page, queue):
        expect(page.get_by_text("Pass, 75% sure (uncalibrated: do not lean on the number)")).to_be_visible()
        expect(reviewer.choice("Pass")).to_be_checked()
        assert_looks_right(page)
        picture(page, "review-1280")
        with browser.context.expect_page() as opened:
            page.get_by_text("Open in Langfuse").click()
        assert opened.value.url == address
        assert opened.value.evaluate("window.opener") is None
        opened.value.close()
        reviewer.submit()
        assert reviewer.keys == 1
        expect(page.get_by_text('"street": "Lindenhof 71"')).to_be_visible()  # the next task is there by itself
        assert queue.saved().from_prediction
        assert queue.answers() == {"verdict": "pass"}


def test_noise_is_hidden_and_nothing_else(browser: Chromium, tasks: LabelStudio) -> None:
    with review(browser, tasks, codebook(), sample_draft(AGENT), width=1920, theme="Dark") as (reviewer, page, _):
        for noise in ("00:00:00 - 00:00:00", "Show all authors", "View region details", "(none)"):
            for place in page.get_by_text(noise).all():
                expect(place).to_be_hidden()
        for panel in ("Retrieved documents", "Tool calls and steps", "User feedback", "About this trace"):
            expect(reviewer.fold(panel)).to_be_visible()
        judging = page.locator(".gl-judge").bounding_box()
        assert judging
        assert judging["x"] > 1200  # evidence has a column of its own between the conversation and the questions
        expect(page.get_by_test_id("bottombar-submit-button")).to_be_in_viewport(ratio=1)
        picture(page, "review-1920-dark")


def test_a_failure_is_told_by_keys_and_words(browser: Chromium, tasks: LabelStudio) -> None:
    draft = sample_draft(UNSAFE_ADVICE)
    passed = draft.model_copy(update={"trace_id": "passed"})
    with review(browser, tasks, codebook(), sample_draft(CHAT), draft, passed) as (reviewer, page, queue):
        correction, note = reviewer.text("How should it read?"), reviewer.text("Note for the team")
        expect(correction).to_be_hidden()
        expect(reviewer.choice("Unbacked claim")).to_be_hidden()
        reviewer.press("2")
        expect(correction).to_have_value(str(sample_draft(CHAT).data["output"]))
        reviewer.press("q", "x")
        expect(reviewer.choice("Unbacked claim")).to_be_checked()
        reviewer.tab_to(correction)
        page.keyboard.press("Control+a")
        page.keyboard.insert_text("The swap is free of charge.\n\nA loan bike I can't promise.")
        reviewer.tab_to(note, within=1)
        page.keyboard.insert_text("Promises a loan bike.")
        reviewer.press("Shift+Enter")  # closes the text: inside it, keys are only letters
        reviewer.submit()

        expect(correction).to_have_value(str(draft.data["output"]))
        expect(reviewer.choice("Fail")).to_be_checked()  # as the suggestion has it
        reviewer.press("q", "w", "c")
        correction.fill(CORRECTION)
        note.fill(NOTE)
        note.blur()
        page.locator(".gl-judge").evaluate("column => column.scrollTo(0, 0)")
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

        first, second, third = (queue.answers(place) for place in range(3))
    assert first == {
        "verdict": "fail",
        "error_type": ["ungrounded"],
        "severity": "major",
        "correction": "The swap is free of charge.\n\nA loan bike I can't promise.",
        "note": "Promises a loan bike.",
    }
    assert second == {
        "verdict": "fail",
        "error_type": ["ungrounded", "retrieval"],
        "severity": "critical",
        "correction": CORRECTION,
        "note": NOTE,
    }
    assert third == {"verdict": "pass"}


def test_a_task_is_skipped_with_a_reason_by_two_keys(browser: Chromium, tasks: LabelStudio) -> None:
    drafts = (sample_draft(CHAT), sample_draft(AGENT), sample_draft(UNSAFE_ADVICE))
    with review(browser, tasks, codebook(), *drafts) as (reviewer, page, queue):
        reviewer.press("8")
        expect(reviewer.choice("Trace is broken or cut")).to_be_checked()
        reviewer.skip()
        assert reviewer.keys == 2
        expect(page.get_by_text('"street": "Lindenhof 71"')).to_be_visible()
        reviewer.skip()
        expect(page.locator(".gl-answer")).to_contain_text(str(drafts[2].data["output"])[:40])
        reviewer.press("8")
        expect(reviewer.choice("Trace is broken or cut")).to_be_checked()
        reviewer.press("8")  # taken back
        expect(reviewer.choice("Trace is broken or cut")).not_to_be_checked()
        reviewer.submit()
        with_reason, without = queue.saved(0), queue.saved(1)
        assert (with_reason.skipped, skip_reason(codebook(), with_reason.result)) == (True, "broken_trace")
        assert (without.skipped, skip_reason(codebook(), without.result)) == (True, None)
        assert queue.answers(2)["verdict"] == "fail"


def test_a_blind_project_shows_no_prediction_anywhere(browser: Chromium, tasks: LabelStudio) -> None:
    fetched: list[Response] = []
    draft = task_draft(from_file(sample(CHAT)), "delivery")
    with review(browser, tasks, codebook(), draft, draft.model_copy(update={"trace_id": "second"}), blind=True) as (
        reviewer,
        page,
        queue,
    ):
        page.on("response", lambda answer: fetched.append(answer))  # noqa: PLW0108 - Playwright takes no builtin
        page.reload()
        expect(page.get_by_text("The answer to judge")).to_be_visible()
        assert page.locator(".gl-judge input:checked").count() == 0
        shown = page.locator("body").inner_text().lower()
        reviewer.press("1")
        reviewer.submit()
        page.wait_for_load_state("networkidle")
        answered = [
            (urlsplit(answer.url).path, answer.json())
            for answer in fetched
            if "/api/" in answer.url and "json" in (answer.headers.get("content-type") or "")
        ]
        assert queue.answers() == {"verdict": "pass"}
        assert not queue.saved().from_prediction
    for word in ("suggestion", "machine", "% sure", "uncalibrated", "prediction"):
        assert word not in shown
    served = [task for _, body in answered for task in _tasks(body)]
    assert len(served) >= 2  # the two tasks of the stream, as the page fetched them
    for task in served:
        assert task.get("predictions", []) == []
        data = task["data"]
        assert isinstance(data, dict)
        assert data["prelabel"] == ""
    for path, body in answered:
        if "/projects" not in path:  # a project's settings have fields of that name
            assert "% sure" not in json.dumps(body)


def _tasks(body: object) -> list[dict[str, object]]:
    """Whatever in an answer is a task with its data."""
    if isinstance(body, list):
        return [task for part in body for task in _tasks(part)]
    if not isinstance(body, dict):
        return []
    own = [body] if isinstance(body.get("data"), dict) and "prelabel" in body["data"] else []
    return own + [task for part in body.values() for task in _tasks(part)]


def test_content_of_strangers_is_text_and_nothing_else(browser: Chromium, tasks: LabelStudio) -> None:
    asked = load(ROOT / "label_configs" / "pairwise-preference.yaml")
    one = task_draft(hostile(), SNIPPETS[0], _signals(), asked=codebook(), judgement=judged(codebook(), "fail", _TEXT))
    two = task_draft(hostile(), SNIPPETS[0], _signals(), asked=asked, judgement=judged(asked, "output", _TEXT))
    with review(browser, tasks, codebook(), one) as (reviewer, page, _):
        for panel in ("User feedback", "About this trace", "System prompt"):
            reviewer.fold(panel).click()
        correction = reviewer.text("How should it read?")
        parts = [".gl-answer", ".gl-talk .lsf-paragraphs", ".gl-documents", ".gl-steps", ".gl-about", ".gl-system"]
        told = {part: page.locator(part).inner_text() for part in [*parts, ".gl-machine", ".gl-feedback"]}
        for text in (*SNIPPETS, *READABLE):
            # A table shows white space as a page does; a document and the feedback had the snippets alone.
            assert text in told[".gl-answer"]
            assert text in told[".gl-talk .lsf-paragraphs"]
            assert text in told[".gl-steps"]
            assert text in told[".gl-system"]
            assert text in told[".gl-about"]
            assert text in told[".gl-machine"]
            assert text in correction.input_value()
        for text in SNIPPETS:
            assert text in told[".gl-documents"]
            assert text in told[".gl-feedback"]
        _assert_nothing_ran(browser, page, tasks, links=1)
        link = page.locator(".gl a")
        assert str(link.get_attribute("href")).startswith("https://langfuse.example/project/p/traces/%3Cimg%20src=")
        reviewer.submit()
    with review(browser, tasks, asked, two) as (reviewer, page, _):
        left, right = (answer.inner_text() for answer in page.locator(".gl-answer").all())
        for text in (*SNIPPETS, *READABLE):
            assert text in left
            assert text in right
        _assert_nothing_ran(browser, page, tasks, links=0)


_TEXT = "\n".join((*SNIPPETS, *READABLE))


def _signals() -> list[Signal]:
    names = [Signal(signal_id=text, trace_id="t", name=text, label=text, at=NOW) for text in SNIPPETS]
    return [*names, Signal(signal_id="n", trace_id="t", name="rating", value=0.5, at=NOW)]


def _assert_nothing_ran(browser: Chromium, page: Page, tasks: LabelStudio, *, links: int) -> None:
    for place in (".gl-answer >> nth=0", ".gl-head", ".gl-judge"):
        page.locator(place).hover(position={"x": 5, "y": 5})  # an event handler would now run
    assert [frame.evaluate(f"window.{MARKER} ?? null") for frame in page.frames] == [None]  # the page's own one
    assert page.locator(".gl script, .gl iframe, .gl img, .gl h1, .gl svg[onload], .gl b").count() == 0
    assert page.locator(".gl a").count() == links
    assert faults(page) == []
    assert browser.dialogs == []
    asked = {urlsplit(url).netloc for url in browser.requested if urlsplit(url).scheme not in {"data", "blob"}}
    assert asked == {urlsplit(tasks.api.url).netloc}
    assert not [url for url in browser.requested if "nothing-here" in url]
