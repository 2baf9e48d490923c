"""A draw as a page: its policies as bars, its sizes, and what was held back."""

from goldloop.pipeline.draw import DrawSummary
from goldloop.sampling.explain import Explanation

_WIDTH = 40
"""Characters of the longest bar."""


def draw_page(queue: str, summary: DrawSummary) -> str:
    """Markdown; the bars are text, in one column that is as wide as the largest expectation."""
    lines = [f"## {queue}: draw", ""]
    explained = summary.explanation
    if explained is None:
        lines.append(f"Nothing was drawn: {summary.left_of_budget} are left of the day's budget.")
    else:
        lines += ["```", *_bars(explained), "```", "", *_table(explained), "", _sizes(summary, explained)]
        if explained.moved:
            lines += ["", f"No slice is a target, so the {explained.moved:.1%} of targeted went to risk."]
        if explained.given_back:
            lines += ["", f"No candidates, so their shares went to the others: {', '.join(explained.given_back)}."]
        lines += [f"\nThe cap of {cap.cap} a {cap.kind} bit {cap.units}." for cap in explained.caps]
    if summary.overflow:
        lines += ["", f"{summary.overflow} are parked as overflow: the queue had no room for them."]
    if summary.expired:
        lines += ["", f"{summary.expired} are parked as expired: they waited longer than the age limit."]
    return "\n".join(lines) + "\n"


def _bars(explained: Explanation) -> list[str]:
    """One bar a policy: how many were drawn for it."""
    drawn = {line.policy: line.drawn or 0 for line in explained.policies}
    most = max([*drawn.values(), 1])
    named = max(len(policy) for policy in drawn)
    return [f"{policy:<{named}} {'█' * round(_WIDTH * number / most)} {number}" for policy, number in drawn.items()]


def _table(explained: Explanation) -> list[str]:
    rows = ["| policy | asked | share | candidates | expected | drawn |", "|---|--:|--:|--:|--:|--:|"]
    rows += [
        f"| {line.policy} | {line.asked:.1%} | {line.share:.1%} | {line.candidates:,} | {line.expected:,.1f} "
        f"| {line.drawn if line.drawn is not None else ''} |"
        for line in explained.policies
    ]
    return rows


def _sizes(summary: DrawSummary, explained: Explanation) -> str:
    size = explained.expected_effective_size if explained.effective_size is None else explained.effective_size
    return (
        f"{explained.frame_size:,} candidates, {summary.drawn:,} drawn of a budget of {explained.budget:,}. Effective "
        f"size {size:,.1f}, design effect {explained.design_effect:.2f}."
    )
