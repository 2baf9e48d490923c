"""What a soak has seen, as verdicts, a table, a picture, and the section of the page on reliability."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from benchmarks.soak_plot import Line, Panel, svg
from benchmarks.soak_probe import FlowRun, Sample
from benchmarks.soak_verdict import RULE, Series, Verdict, judged, markdown
from goldloop.records import Record

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "soak.json"
PICTURE = ROOT / "docs" / "images" / "soak.svg"
PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- soak: begin -->\n", "<!-- soak: end -->"
_SECTION = "\n## Soak\n\n" + BEGIN + END + "\n"
_DONE = "Completed"
_SKIPPED = ("Skipped", "Cancelled")
_KB = 1e3  # in a MB
_LOG_MB = 1000 * 4096 / 1e6
"""SQLite begins its log anew once it has 1000 pages (wal_autocheckpoint), and leaves the file as long as it was."""


class Soak(Record):
    """One soak; `acts` counts what the annotators did, `tables` the store's bytes at the end, `broken` what failed."""

    made_at: datetime
    seed: int
    ended: float
    every_seconds: float
    traces_per_minute: float
    annotators: int
    samples: list[Sample]
    runs: list[FlowRun]
    acts: dict[str, int]
    tables: dict[str, int]
    broken: list[str]


class Results(Record):
    """What the results file holds."""

    verdicts: list[Verdict]
    soak: Soak


def verdicts(soak: Soak) -> list[Verdict]:
    """Each series with what became of it."""
    return [judged(one, soak.ended) for one in series(soak)]


def failed(soak: Soak) -> list[FlowRun]:
    """Runs that ended otherwise than done; one that left the queue to another run is not among them."""
    return [run for run in soak.runs if run.state != _DONE and run.state not in _SKIPPED]


def series(soak: Soak) -> list[Series]:
    """All that is judged, with the growth of each that means nothing."""
    return [*_of_parts(soak), *_of_runs(soak), *_of_store(soak)]


def _of_parts(soak: Soak) -> Iterator[Series]:
    for part in soak.samples[0].memory:
        points = [(one.at, one.memory[part]) for one in soak.samples]
        yield Series(name=f"memory, {part}", unit="MB", points=points, spare=2)
    for part in soak.samples[0].handles:
        yield Series(
            name=f"handles, {part}",
            unit="",
            points=[(one.at, float(one.handles[part])) for one in soak.samples],
            spare=2,
        )


def _of_runs(soak: Soak) -> Iterator[Series]:
    runs = _done(soak)
    yield Series(
        name="memory, a run's peak",
        unit="MB",
        points=[(run.ended, run.memory) for run in runs if run.memory is not None],
        spare=2,
    )
    yield Series(
        name="handles, a run's peak",
        unit="",
        points=[(run.ended, float(run.handles)) for run in runs if run.handles is not None],
        spare=2,
    )
    took = [(run.ended, run.seconds) for run in runs]
    yield Series(name="time of a run", unit="s", points=took, spare=2, told=True)


def _of_store(soak: Soak) -> Iterator[Series]:
    def over(of: Callable[[Sample], float]) -> list[tuple[float, float]]:
        return [(one.at, of(one)) for one in soak.samples]

    tooth = soak.every_seconds / 2  # ages climb from one run to the next, and fall with each
    yield Series(name="store, per annotation", unit="kB", points=per_annotation(soak), spare=0.1)
    yield Series(name="store's write-ahead log", unit="MB", points=over(lambda one: one.write_ahead), spare=_LOG_MB)
    yield Series(name="age of the queue", unit="s", points=over(lambda one: one.queue_age), spare=tooth)
    yield Series(name="age of the outbox", unit="s", points=over(lambda one: one.outbox_age), spare=tooth)
    yield Series(name="parked", unit="", points=over(lambda one: float(one.parked)), spare=0)


def per_annotation(soak: Soak) -> list[tuple[float, float]]:
    """What the store's content has grown by since the start, in kB, for each change of an annotation since then.

    Content: pages in use, wherever SQLite keeps them, so that it is no matter when it last moved its log.
    """
    first = soak.samples[0]
    return [
        (one.at, _KB * (one.content - first.content) / (one.changes - first.changes))
        for one in soak.samples
        if one.changes > first.changes
    ]


def _done(soak: Soak) -> list[FlowRun]:
    return [run for run in soak.runs if (run.flow, run.state) == ("run", _DONE)]


def picture(soak: Soak) -> str:
    """Nine small charts over the time."""
    runs, samples = _done(soak), soak.samples
    by_name = {one.name: one.points for one in series(soak)}

    def over(name: str, of: Callable[[Sample], float]) -> Line:
        return Line(name=name, points=[(one.at, of(one)) for one in samples])

    def named(name: str, *, dots: bool = False) -> Line:
        return Line(name=name, points=by_name[name], dots=dots)

    def parts(what: str) -> list[Line]:
        return [
            Line(
                name=name.removeprefix(f"{what}, ").replace("Prefect server", "Prefect").removeprefix("Prefect "),
                points=points,
            )
            for name, points in by_name.items()
            if name.startswith(f"{what}, ") and not name.endswith("peak")
        ]

    others = [run for run in soak.runs if run not in runs]
    panels = [
        Panel(title="Memory of the servers", unit="MB", lines=parts("memory")),
        Panel(title="Memory of a run, its peak", unit="MB", lines=[named("memory, a run's peak", dots=True)]),
        Panel(
            title="Open file handles",
            unit="",
            lines=[*parts("handles"), Line(name="a run", points=by_name["handles, a run's peak"], dots=True)],
        ),
        Panel(
            title="The store's files",
            unit="MB",
            lines=[over("database", lambda one: one.database), over("log", lambda one: one.write_ahead)],
        ),
        Panel(title="Growth of the store per annotation", unit="kB", lines=[named("store, per annotation")]),
        Panel(
            title="What went through",
            unit="",
            lines=[
                over("traces drawn", lambda one: float(one.drawn)),
                over("annotations", lambda one: float(one.annotations)),
                over("undecided", lambda one: float(one.undecided)),
            ],
        ),
        Panel(title="Oldest trace that nobody has judged", unit="s", lines=[named("age of the queue")]),
        Panel(title="Oldest score not yet sent", unit="s", lines=[named("age of the outbox")]),
        Panel(
            title="Time of a run",
            unit="s",
            lines=[
                named("time of a run", dots=True),
                Line(name="reconcile, skipped, failed", points=[(run.ended, run.seconds) for run in others], dots=True),
            ]
            if others
            else [named("time of a run", dots=True)],
        ),
    ]
    return svg("The loop under load, its schedules on", _said(soak), panels, soak.ended)


def _said(soak: Soak) -> str:
    last = soak.samples[-1]
    return (
        f"{soak.ended / 60:.0f} minutes, a run every {soak.every_seconds:.0f} s ({len(soak.runs)} runs, "
        f"{len(failed(soak))} failed), {last.drawn} traces, {last.annotations} annotations by {soak.annotators} "
        "scripted annotators. The shaded half is judged."
    )


def report(soak: Soak) -> str:
    """The verdicts with what they rest on, in Markdown."""
    acts = ", ".join(f"{count} {act}" for act, count in sorted(soak.acts.items()))
    states = Counter(f"{run.flow} {run.state.lower()}" for run in soak.runs)
    largest = list(soak.tables.items())[:5]
    return "\n".join(
        [
            f"{soak.made_at:%Y-%m-%d}, seed {soak.seed}: {_said(soak)}",
            "",
            f"- {soak.traces_per_minute:g} traces a minute came in, at random moments. Annotators: {acts or 'none'}.",
            f"- Runs: {', '.join(f'{count} {state}' for state, count in sorted(states.items())) or 'none'}.",
            "- Largest tables of the store with their indexes: "
            + (", ".join(f"`{name}` {size / _KB:,.0f} kB" for name, size in largest) or "not known")
            + ".",
            f"- {RULE}",
            "",
            markdown(verdicts(soak)),
        ]
    )


def write(soak: Soak, results: Path = RESULTS, shown: Path = PICTURE, page: Path | None = PAGE) -> None:
    """The figures first: what was measured for half an hour is not to be lost to a flaw in a picture."""
    results.parent.mkdir(parents=True, exist_ok=True)
    results.write_text(Results(verdicts=verdicts(soak), soak=soak).model_dump_json(indent=1) + "\n", encoding="utf-8")
    shown.parent.mkdir(parents=True, exist_ok=True)
    shown.write_text(picture(soak), encoding="utf-8")
    if page is not None:
        page.write_text(renewed(_read(page), soak), encoding="utf-8")


def renewed(page: str, soak: Soak) -> str:
    """The page with its section on the soak as measured, which is made where there is none."""
    if BEGIN not in page:
        page = (page or "# Reliability\n") + _SECTION
    before, _, rest = page.partition(BEGIN)
    told = f"\n![The soak as a plot](images/{PICTURE.name})\n\n{report(soak)}\n"
    return f"{before}{BEGIN}{told}{END}{rest.partition(END)[2]}"


def _read(page: Path) -> str:
    return page.read_text(encoding="utf-8") if page.exists() else ""
