"""Stores as they are before a verb runs: drawn traces with predictions, tasks, annotations."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.sync_traces import trace_id
from goldloop.adapters.store import SqlStore, open_store
from goldloop.codebook.load import load
from goldloop.codebook.queue import QueueSettings
from goldloop.codebook.schema import Codebook
from goldloop.records import Candidate, Draw, DrawRun, Judgement, Prediction

CODEBOOK = Path(__file__).parents[1] / "label_configs" / "answer-quality.yaml"
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def codebook(number: int = 1, budget: int = 1) -> Codebook:
    """The one that ships, as its version `number`: each version has a project of its own. One annotator a trace."""
    asked = load(CODEBOOK)
    queue = QueueSettings(budget=budget, mix={"random": 1.0})
    return asked.model_copy(update={"version": f"{number}.0.0", "queue": queue})


def store_at(folder: Path, name: str) -> SqlStore:
    return open_store(f"sqlite:///{folder / name}.db")


def candidates(numbers: Sequence[int], at: datetime) -> list[Candidate]:
    return [
        Candidate(trace_id=trace_id(number), environment="production", name="answer", category="returns", timestamp=at)
        for number in numbers
    ]


def a_draw(asked: Codebook, number: int, place: int, run: str = "run") -> Draw:
    return Draw(
        run_id=run,
        queue=asked.name,
        codebook_version=asked.version,
        trace_id=trace_id(number),
        policy="random",
        mixture={"random": 1.0},
        pi=0.5,
        stratum="returns",
        priority=place,
    )


def draw(store: SqlStore, asked: Codebook, numbers: Sequence[int], at: datetime, run: str = "run") -> list[Draw]:
    """These traces, as candidates that one run drew."""
    store.save_codebook(asked, at)
    store.save_candidates(candidates(numbers, at - timedelta(hours=1)), at)
    run_row = DrawRun(
        run_id=run,
        queue=asked.name,
        codebook_version=asked.version,
        drawn_at=at,
        window_start=at - timedelta(days=14),
        window_end=at,
        frame_size=len(numbers),
        budget=len(numbers),
        seed=1,
        mix={"random": 1.0},
        settings_hash="",
        code_version="",
    )
    draws = [a_draw(asked, number, place, run) for place, number in enumerate(numbers)]
    store.save_draw(run_row, draws)
    return draws


def predict(store: SqlStore, asked: Codebook, numbers: Sequence[int], at: datetime) -> None:
    """A judgement of each: every seventh a failure."""
    first, *others = asked.verdict.label_names
    store.save_predictions(
        [
            Prediction(
                queue=asked.name,
                codebook_version=asked.version,
                trace_id=trace_id(number),
                judged_at=at,
                judgement=Judgement(
                    judge="bench",
                    judge_version="1",
                    answers={asked.verdict.name: others[0] if number % 7 == 0 else first},
                    probability=0.9,
                    risk=0.9 if number % 7 == 0 else 0.1,
                    method="lexical",
                    reason="It says what the question asks for.",
                ),
            )
            for number in numbers
        ]
    )
