"""The draw's page: bars, figures, and what was held back."""

from goldloop.pipeline.draw_page import draw_page
from pipeline.loop import Loop, revised

NAMES = [f"t{place:02}" for place in range(30)]


def test_a_draw_is_shown_with_bars_and_figures(loop: Loop) -> None:
    loop.log(*NAMES)
    loop.click("t03")
    loop.pull()
    mix = {"random": 0.5, "negative": 0.25, "targeted": 0.25}
    loop.use(revised(budget=9, mix=mix, queue_cap=6, caps={"user": 1}))
    page = draw_page("quality", loop.draw())
    bars = page.split("```")[1].strip().splitlines()
    assert [bar.split()[0] for bar in bars] == ["negative", "random", "targeted"]
    assert bars[1].count("█") == 40  # the longest
    assert bars[0] == "negative █████ 1"  # 1 of 8: 40 / 8
    assert "| random | 50.0% | 66.7% | 30 |" in page
    assert "30 candidates, 6 drawn of a budget of 9." in page
    assert "their shares went to the others: targeted." in page
    assert "3 are parked as overflow" in page


def test_a_quiet_day_is_told(loop: Loop) -> None:
    loop.log(*NAMES)
    loop.pull()
    loop.use(revised(budget=9, mix="balanced", relabel_share=0.5))
    # A tenth is targeted's, of the half that is not for second looks.
    assert "No slice is a target, so the 5.0% of targeted went to risk." in draw_page("quality", loop.draw())


def test_a_draw_of_nothing_says_so(loop: Loop) -> None:
    assert "Nothing was drawn: 80 are left" in draw_page("quality", loop.draw())
