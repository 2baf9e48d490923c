"""How `goldloop backtest --effort` shows what it found."""

from goldloop.backtest.effort import EffortReport
from goldloop.cli.output import out, plain, table

_BAR = 30


def print_effort(made: EffortReport) -> None:
    """What it rests on, the curve, and what each accuracy takes."""
    left_out = f", {made.left_out:,} left out" if made.left_out else ""
    out.print(
        plain(
            f"{made.rows:,} rows in {made.groups:,} groups{left_out}; judge: {made.judge}; people: {made.human}. The "
            "judge labels everything, people take what it is least certain of, and are right by definition."
        ),
        soft_wrap=True,
    )
    shares = ("by people", "accuracy", "judge expects")
    curve = table(*shares, "wrong labels left", title="Accuracy of all labels", numbers=shares)
    mark = "█" if out.encoding.startswith("utf") else "#"
    most = max(1 - made.accuracy, 1e-9)
    for point in made.curve:
        bar = mark * round(_BAR * (1 - point.accuracy) / most)
        curve.add_row(f"{100 * point.share:.0f} %", _percent(point.accuracy), _percent(point.expected), bar)
    out.print(curve)
    columns = ("accuracy", "by people", "95 % interval", "at random", "at best", "judge stops", "and has")
    takes = table(*columns, title="What an accuracy takes: labels by people", numbers=columns)
    for target in made.targets:
        takes.add_row(
            f"{100 * target.accuracy:g} %",
            _percent(target.share),
            f"{100 * target.low:.0f}-{100 * target.high:.0f} %",
            _percent(target.random),
            _percent(target.best),
            _percent(target.stopped),
            _percent(target.accuracy_there),
        )
    out.print(takes)
    out.print(
        "at random: people take rows as they come; at best: only what is wrong. judge stops: where its own "
        "probabilities say that the accuracy is reached, all that one knows in practice; and has: what it was there.",
        soft_wrap=True,
    )


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
