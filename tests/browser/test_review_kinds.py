"""The codebooks that ship, each rendered, put into Label Studio, answered on the screen and read back."""

import pytest
from playwright.sync_api import expect

from browser.look import assert_looks_right, faults, picture
from browser.review import Chromium, Queue, review
from browser.traces import CHAT, agent, from_file, judged, sample, task_draft
from builders import ROOT
from goldloop.adapters.labelstudio import LabelStudio
from goldloop.codebook.controls import swapped
from goldloop.codebook.load import load
from goldloop.codebook.schema import Codebook
from goldloop.records import Value

OWN = "Yes, 14 days from the day it was delivered, unused and in its box. We collect it free of charge."
SECOND = "You can return it."

pytestmark = [pytest.mark.servers, pytest.mark.browser]


def _given(queue: Queue) -> dict[str, Value]:
    """The first task's answers without a correction that was left as it was: it counts as none later on."""
    answers = queue.answers()
    untouched = answers.pop("correction", None)
    assert untouched in {None, from_file(sample(CHAT)).output}
    return answers


def shipped(name: str) -> Codebook:
    return load(ROOT / "label_configs" / f"{name}.yaml")


def test_every_step_of_an_agent_can_be_read_and_its_number_told(browser: Chromium, tasks: LabelStudio) -> None:
    asked = shipped("agent-trajectory")
    draft = task_draft(
        agent(), "delivery", asked=asked, judgement=judged(asked, "reached", "The last step ended well.")
    )
    with review(browser, tasks, asked, draft) as (reviewer, page, queue):
        assert_looks_right(page)
        steps = page.locator(".gl-steps [class*='phrase--']")
        assert steps.count() == 12
        for number, (step, logged) in enumerate(zip(steps.all(), agent().steps, strict=True), start=1):
            step.scroll_into_view_if_needed()
            expect(step).to_be_in_viewport()
            assert step.inner_text().split("\n", 1) == [
                f"{number}. tool {logged.name}",
                f"{logged.input}\n→ {logged.output}",
            ]
        long = steps.nth(11)
        assert long.evaluate("step => step.scrollHeight > step.clientHeight + 100")
        long.evaluate("step => step.scrollTo(0, step.scrollHeight)")
        assert long.evaluate("step => step.scrollTop") > 100

        fold, prompt = reviewer.fold("System prompt"), page.locator(".gl-system")
        expect(prompt).to_be_hidden()
        reviewer.tab_to(fold)
        expect(prompt).to_be_visible()  # what the keyboard comes to is open
        reviewer.press("Tab")
        expect(prompt).to_be_hidden()
        fold.click()
        expect(prompt).to_be_visible()
        fold.click()
        expect(prompt).to_be_hidden()
        page.locator(".gl-head").scroll_into_view_if_needed()
        reviewer.press("2", "w")
        picture(page, "review-agent")

        reviewer.tab_to(reviewer.text(asked.questions[2].text))
        page.keyboard.type("7")
        # Within a field no other key works: on, past the text, to the fold.
        reviewer.tab_to(reviewer.fold("What the labels mean"), within=2)
        expect(reviewer.choice("Wrong argument")).to_be_checked()
        reviewer.submit()
        assert queue.answers() == {"goal": "partly", "step_error": ["wrong_argument"], "first_wrong_step": 7}


def test_a_tone_is_rated_by_one_key(browser: Chromium, tasks: LabelStudio) -> None:
    asked = shipped("support-tone")
    draft = task_draft(from_file(sample(CHAT)), "delivery", asked=asked, judgement=judged(asked, "breach"))
    with review(browser, tasks, asked, draft, draft.model_copy(update={"trace_id": "next"})) as (reviewer, page, queue):
        points = page.locator(".gl-rating label")
        assert [point.inner_text().split("[")[0].strip() for point in points.all()] == [
            "Hostile",
            "Cold",
            "Businesslike",
            "Attentive",
        ]
        assert len({round(point.bounding_box()["y"]) for point in points.all()}) == 1  # type: ignore[index]  # visible
        reviewer.press("1")
        assert_looks_right(page)
        reviewer.press("2", "w", "s", "z")
        assert faults(page) == []
        expect(reviewer.choice("Cold")).to_be_checked()
        reviewer.submit()
        rules = ["secret_data", "licensed_advice"]
        assert _given(queue) == {"conduct": "breach", "tone": "cold", "policy_broken": rules}
        expect(reviewer.choice("Cold")).not_to_be_checked()
        reviewer.press("1", "e", "r")  # the last one holds
        reviewer.submit()
        assert queue.answers(1) == {"conduct": "stands", "tone": "attentive"}


def test_what_the_labels_mean_is_one_fold_away(browser: Chromium, tasks: LabelStudio) -> None:
    asked = shipped("rag-groundedness")
    draft = task_draft(from_file(sample(CHAT)), "delivery", asked=asked, judgement=judged(asked, "grounded"))
    with review(browser, tasks, asked, draft) as (reviewer, page, queue):
        assert_looks_right(page)
        expect(reviewer.fold("Retrieved documents")).to_be_visible()
        for nothing in ("Tool calls and steps", "User feedback"):
            expect(page.get_by_text(nothing)).to_be_hidden()
        fold, inside = reviewer.fold("What the labels mean"), page.locator(".gl-meaning .ant-collapse-content")
        expect(fold).to_be_in_viewport(ratio=1)
        expect(inside).to_be_hidden()
        reviewer.press("2", "q", "x")
        reviewer.tab_to(fold)
        expect(inside).to_be_visible()
        reviewer.press("PageDown")
        page.wait_for_function("document.querySelector('.gl-meaning .ant-collapse-item').scrollTop > 50")
        assert page.locator(".gl-judge input:checked").count() == 3  # keys that scroll choose nothing
        reviewer.press("Tab")
        expect(inside).to_be_hidden()
        fold.click()
        expect(inside).to_be_visible()
        for scrolled in (".gl-judge", ".lsf-main-content"):
            page.locator(scrolled).evaluate("element => element.scrollTo(0, 0)")
        picture(page, "review-definitions")
        told = inside.inner_text()
        for question in asked.questions:
            for label in question.labels:
                for text in (label.definition, label.positive, label.negative, label.edge):
                    assert text
                    assert text in told
        scroller = page.locator(".gl-meaning .ant-collapse-item")
        page.wait_for_function("item => item.scrollHeight > item.clientHeight + 100", arg=scroller.element_handle())
        expect(fold).to_be_in_viewport(ratio=1)
        fold.click()
        expect(inside).to_be_hidden()
        reviewer.submit()
        given = _given(queue)
    verdict, error, searched = asked.questions[:3]
    assert given == {
        verdict.name: verdict.labels[1].name,
        error.name: [error.labels[0].name],
        searched.name: searched.labels[1].name,
    }


def test_two_answers_are_compared_by_one_key(browser: Chromium, tasks: LabelStudio) -> None:
    asked = shipped("pairwise-preference")
    trace = from_file(sample(CHAT)).model_copy(update={"output": OWN, "alternative": SECOND})
    by_side = {swapped(asked.name, f"t{n}"): trace.model_copy(update={"trace_id": f"t{n}"}) for n in range(9)}
    judgement = judged(asked, "alternative", "The app's own is longer.")
    drafts = [task_draft(by_side[swap], "returns", asked=asked, judgement=judgement) for swap in (False, True)]
    third = trace.model_copy(update={"trace_id": "tie", "alternative": "| size | fits |\n|---|---|\n| M | all |"})
    tie = task_draft(third, "returns", asked=asked)
    with review(browser, tasks, asked, *drafts, tie) as (reviewer, page, queue):
        answers = page.locator(".gl-answer")
        expect(answers).to_have_text([f"A{OWN}", f"B{SECOND}"])
        left, right = (answer.bounding_box() for answer in answers.all())
        assert left
        assert right
        assert [round(left[side]) for side in ("width", "y", "height")] == [
            round(right[side]) for side in ("width", "y", "height")
        ]
        assert left["width"] > 300
        assert "monospace" not in answers.first.evaluate("answer => getComputedStyle(answer).fontFamily")
        expect(page.get_by_text("B is better, 80% sure")).to_be_visible()
        shown = page.locator(".gl").inner_text().lower()
        for telling in ("langfuse", "app's own", "feedback", "unusual"):
            assert telling not in shown
        reviewer.press("3")
        expect(reviewer.choice("Clearly")).to_be_hidden()
        assert_looks_right(page)
        reviewer.press("1")
        expect(reviewer.choice("Clearly")).to_be_visible()
        reviewer.press("q", "d")
        picture(page, "review-pairwise")
        assert faults(page) == []
        reviewer.submit()

        expect(answers).to_have_text([f"A{SECOND}", f"B{OWN}"])
        expect(page.get_by_text("A is better, 80% sure")).to_be_visible()
        expect(reviewer.choice("A is better")).to_be_checked()  # as the suggestion has it
        reviewer.press("w", "z")
        reviewer.submit()

        expect(page.get_by_text("| M | all |")).to_be_visible()
        letters = "line => getComputedStyle(line).fontFamily"
        lines = [answer.locator(".lsf-richtext__line").first for answer in answers.all()]
        assert ["monospace" in line.evaluate(letters) for line in lines] == [True, True]  # alike, for one is a table
        expect(page.locator(".gl-machine")).to_be_hidden()  # nobody judged this one
        reviewer.press("3")
        expect(reviewer.choice("No difference")).to_be_checked()
        reviewer.submit()
        given = [queue.answers(place) for place in range(3)]
    assert given == [
        {"preference": "output", "strength": "clearly", "preference_reason": ["coverage"]},
        {"preference": "alternative", "strength": "slightly", "preference_reason": ["ease"]},
        {"preference": "tie"},
    ]
