"""The soak's rule and its picture; the soak itself takes half an hour and servers."""

import random
import threading
import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta

import pytest

from benchmarks.soak_load import AT_ONCE, Inflow
from benchmarks.soak_plot import COLUMNS, HEIGHT, PANEL_HEIGHT, Line, Panel, round_step, svg
from benchmarks.soak_probe import FlowRun, Sample
from benchmarks.soak_report import BEGIN, END, Soak, failed, per_annotation, picture, renewed, series
from benchmarks.soak_verdict import Series, judged, markdown, slope
from goldloop.devstack.sample import sample_path
from goldloop.devstack.tracefile import read

SVG = "{http://www.w3.org/2000/svg}"


def line(*values: float, spare: float = 0.0) -> Series:
    """A value every ten seconds, the first at 0."""
    return Series(name="s", unit="MB", points=[(10.0 * at, value) for at, value in enumerate(values)], spare=spare)


def soak() -> Soak:
    """100 seconds: a sample every ten, two runs that were done and one that failed."""
    samples = [
        Sample(
            at=10.0 * step,
            memory={"Label Studio": 300.0, "Prefect worker": 100.0},
            handles={"Label Studio": 20, "Prefect worker": 30},
            database=0.5,
            write_ahead=4.0,
            content=0.5 + 0.02 * step,
            drawn=12 + step,
            changes=10 * step,
            annotations=9 * step,
            undecided=1,
            parked=0,
            queue_age=40.0,
            outbox_age=0.0,
        )
        for step in range(11)
    ]
    runs = [
        FlowRun(flow="run", state="Completed", ended=30, seconds=12, memory=200, handles=25),
        FlowRun(flow="run", state="Skipped", ended=40, seconds=2),
        FlowRun(flow="run", state="Failed", ended=60, seconds=9, memory=190, handles=25),
        FlowRun(flow="run", state="Completed", ended=90, seconds=13, memory=201, handles=26),
    ]
    return Soak(
        made_at=datetime(2026, 3, 2, 12, tzinfo=UTC),
        seed=1,
        ended=100.0,
        every_seconds=30,
        traces_per_minute=6,
        annotators=3,
        samples=samples,
        runs=runs,
        acts={"submit": 90, "edit": 10},
        tables={"annotations": 90_000},
        broken=[],
    )


def test_the_slope_is_the_median_of_all_pairs_so_that_a_peak_does_not_move_it() -> None:
    # Pairs of (0, 0), (1, 1), (2, 50), (3, 3): 1, 25, 1, 49, 1, -47. Their median is 1.
    assert slope([(0, 0), (1, 1), (2, 50), (3, 3)]) == 1
    assert slope([(0, 5), (0, 6)]) == 0  # at one time: nothing to say


def test_growth_is_that_of_the_second_half() -> None:
    # Up to 50 s it climbs to 100; from 50 s on 1 every 10 s: 5 in 50 s, of a median of 102.5 (100 to 105).
    one = judged(line(0, 20, 40, 60, 80, 100, 101, 102, 103, 104, 105), ended=100)

    assert (one.points, one.least, one.level, one.most) == (6, 100, 102.5, 105)
    assert one.growth == pytest.approx(5)
    assert one.allowed == pytest.approx(5.125)  # 5 % of 102.5
    assert one.verdict == "flat"


@pytest.mark.parametrize(
    ("step", "spare", "verdict"),
    [
        (1.1, 0.0, "grows"),  # 5.5 in 50 s, of 102.75: 5.14 are allowed
        (1.1, 0.4, "flat"),  # 5.54 are allowed
        (-1.2, 0.0, "falls"),  # 6 in 50 s
    ],
)
def test_a_series_grows_beyond_its_share_and_its_spare(step: float, spare: float, verdict: str) -> None:
    values = [100.0] * 5 + [100 + step * place for place in range(6)]

    assert judged(line(*values, spare=spare), ended=100).verdict == verdict


def test_a_count_that_should_stay_nothing_may_not_grow_at_all() -> None:
    assert judged(line(*[0.0] * 11), ended=100).verdict == "flat"
    # Theil-Sen of 0, 0, 1, 1, 2, 2: the median of the fifteen slopes is 0.04 a second, and 2 in 50 s.
    grown = judged(line(*[0.0] * 5, 0, 0, 1, 1, 2, 2), ended=100)
    assert grown.growth == pytest.approx(2.0, abs=0.5)
    assert grown.verdict == "grows"


def test_three_points_say_nothing() -> None:
    assert judged(line(1, 2, 3, 4, 5, 6), ended=60).verdict == "too short"  # of them at 30 s and later: 4, 5, 6


def test_the_table_is_aligned() -> None:
    lines = markdown([judged(line(*[1.0] * 11), 100), judged(line(*[123_456.0] * 11), 100)]).splitlines()

    assert len({len(one) for one in lines}) == 1
    assert lines[3] == "| s      | MB   | 123,456 | 123,456 | 123,456 |    0.0 |   6,173 | flat    |"


@pytest.mark.parametrize(
    ("highest", "step"), [(0, 1.0), (3.9, 1.0), (4.0, 1.0), (4.1, 2.0), (9, 2.5), (520, 200.0), (0.7, 0.2)]
)
def test_axes_have_round_steps(highest: float, step: float) -> None:
    assert round_step(highest) == pytest.approx(step)  # four of them reach up to the highest


def test_the_picture_holds_each_point_where_it_belongs() -> None:
    panels = [
        Panel(title="A & B", unit="MB", lines=[Line(name="x", points=[(0, 0), (60, 4)])]),
        Panel(title="Runs", unit="s", lines=[Line(name="y", points=[(30, 2)], dots=True)]),
    ]

    drawn = ET.fromstring(svg("soak", "under it", panels, ended=60))

    # One row of panels. A panel is 400 x 240; its plot is 324 x 150 and begins at (58, 46). So 0 MB at 0 s is at
    # (58, 196), 4 MB, the top of the axis, at 60 s at (382, 46); 2 of 2 s (steps of 0.5) at half the time at (220, 46).
    assert drawn.get("height") == str(HEIGHT + PANEL_HEIGHT)
    assert [one.get("points") for one in drawn.iter(f"{SVG}polyline")] == ["58.0,196.0 382.0,46.0"]
    assert [(one.get("cx"), one.get("cy")) for one in drawn.iter(f"{SVG}circle")] == [("220.0", "46.0")]
    words = [one.text for one in drawn.iter(f"{SVG}text")]
    assert {"soak", "under it", "A & B (MB)", "0", "1 min", "Runs (s)"} <= set(words)
    assert "prefers-color-scheme: dark" in (drawn.findtext(f"{SVG}style") or "")


def test_a_soak_as_a_picture_and_a_section() -> None:
    seen = soak()

    drawn = ET.fromstring(picture(seen))
    assert len(list(drawn.iter(f"{SVG}g"))) == 3 * COLUMNS
    once = renewed("# Reliability\n\nBefore.\n", seen)
    assert renewed(once, seen) == once
    assert once.startswith("# Reliability\n\nBefore.\n\n## Soak\n")
    assert "4 runs, 1 failed" in once
    assert once.index(BEGIN) < once.index("| age of the queue") < once.index(END)


def test_what_is_judged() -> None:
    seen = soak()

    # 0.02 MB for 10 changes: 2 kB each, from the first that came.
    assert [at for at, _ in per_annotation(seen)] == [10.0 * step for step in range(1, 11)]
    assert [kb for _, kb in per_annotation(seen)] == pytest.approx([2.0] * 10)
    assert [run.ended for run in failed(seen)] == [60]
    of_runs = {one.name: one.points for one in series(seen)}["memory, a run's peak"]
    assert of_runs == [(30, 200), (90, 201)]  # the skipped one did nothing, and the failed one not all


def test_traces_come_at_moments_that_the_seed_gives() -> None:
    rows, stop = read(sample_path()), threading.Event()
    one, other = (Inflow(rows, 6, 60, random.Random(7), stop) for _ in range(2))  # noqa: S311 - a load, no secret

    traces = [*one.traces]
    assert [trace.id for trace in traces] == [trace.id for trace in other.traces]
    assert len({trace.id for trace in traces}) == len(one)
    assert traces[0].timestamp == traces[AT_ONCE - 1].timestamp < traces[AT_ONCE].timestamp
    # 360 are expected beside those at once, with a standard deviation of 19: five of them.
    assert abs(len(one) - AT_ONCE - 360) < 95
    assert traces[-1].timestamp - traces[0].timestamp < timedelta(minutes=61)
    # The first are due at once and come without a wait; once stopped, none comes any more.
    stop.set()
    assert list(one) == []
