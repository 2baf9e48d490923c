"""What the learned judge is worth on labelled traces, and how fast it is.

Everything is held out: each trace is judged by a fit that saw no trace of its group. Beside the calibration error
stands what a judge whose probabilities were exactly right would show at this size; beside the speed, a loop that only
finds the words of the texts.
"""

import re
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from benchmarks.judge_table import Row
from goldloop.backtest.judging import as_trace
from goldloop.backtest.traces import HUMAN_REFERENCE, read
from goldloop.codebook.load import load
from goldloop.codebook.schema import Codebook
from goldloop.judge.features import NAMES, trace_features
from goldloop.judge.groups import groups_of
from goldloop.judge.learned import LearnedJudge
from goldloop.judge.learning import Rows, learn, model_of
from goldloop.judge.measures import auroc, expected_ece
from goldloop.numeric import Bools, Floats, Ints
from goldloop.records import BlindLabel, JudgeFit, Trace, TraceFeatures

ROOT = Path(__file__).parents[1]
CODEBOOK = ROOT / "label_configs" / "answer-quality.yaml"
NOW = datetime(2026, 3, 2, tzinfo=UTC)
FEW = 80
RATE = 2000
_WORD = re.compile(r"\w+")
_FEWEST = 10


@dataclass(frozen=True)
class Labelled:
    """n traces with their features, labels (n,) of 0 and 1 (a failure) and groups (n,); `words` for the learner."""

    traces: list[Trace]
    features: dict[str, TraceFeatures]
    words: list[BlindLabel]
    failed: Floats
    groups: Ints

    def rows(self, mine: Ints | Bools) -> Rows:
        places = np.arange(len(self.traces))[mine]
        values = np.array([self.features[self.traces[place].trace_id].values for place in places])
        return Rows(values, [str(self.words[place].value) for place in places], self.groups[mine], ("fail", "pass"))


def labelled(path: Path, codebook: Codebook) -> Labelled:
    """The file's traces of models. Rows of one `group_id`, and those that ask the same, are of one group."""
    read_in = read(path, leave_out=[HUMAN_REFERENCE]).traces
    traces = [as_trace(one) for one in read_in]
    features = {trace.trace_id: trace_features(trace) for trace in traces}
    words = [
        BlindLabel(
            queue=codebook.name,
            trace_id=one.id,
            question=codebook.verdict.name,
            since=codebook.version,
            value="fail" if one.failed else "pass",
            session_id=one.group_id or one.id,
        )
        for one in read_in
    ]
    numbers = groups_of(words, features)
    groups = np.array([numbers[one.id] for one in read_in], dtype=np.int64)
    return Labelled(traces, features, words, np.array([float(bool(one.failed)) for one in read_in]), groups)


def measure(path: Path, subsets: int, *, goals: bool) -> list[Row]:
    """Rows of the table; goals are for human labels."""
    codebook = load(CODEBOOK)
    known = labelled(path, codebook)
    learned = learn(codebook, known.words, known.features, NOW)
    if not learned.fits:
        short = ", ".join(f"{count} {name}" for name, count in learned.short[codebook.verdict.name].items())
        return [Row(what=f"too few to learn from ({short})", reached=len(known.words), unit="labels")]
    (fit,) = learned.fits
    held_out = learned.held_out[codebook.verdict.name]
    risk = np.array([held_out[trace.trace_id]["fail"] for trace in known.traces])
    few = [_with_few(known, seed) for seed in range(subsets)]
    perfect = expected_ece(np.maximum(risk, 1 - risk), np.random.default_rng(1))
    spread = f"{min(few):.3f} to {max(few):.3f} in {subsets} subsets"
    groups = len(np.unique(known.groups))
    simulated = f"one whose probabilities are true: {perfect:.3f}"
    at_least = Row.at_least if goals else _without_goal
    at_most = Row.at_most if goals else _without_goal
    return [
        Row(
            what=f"in {groups} groups, {100 * known.failed.mean():.1f} % failed",
            reached=len(known.traces),
            unit="traces",
        ),
        at_least("AUROC, held out, all labels", 0.86, auroc(risk, known.failed)),
        at_least(f"AUROC with {FEW} labels, on the other groups", 0.80, statistics.mean(few), note=spread),
        Row(what="AUROC of the share of words backed alone, no label", reached=_overlap(known)),
        at_most("ECE, held out", 0.05, fit.quality.ece, note=simulated),
        Row(what="kappa of its answers with people's", reached=fit.quality.kappa),
        Row(what="accuracy of its answers", reached=fit.quality.accuracy, unit="%"),
        Row.at_least(f"abstentions where {FEW} labels are all", 1.0, _abstentions(codebook, known), "%"),
        *_speed(codebook, known, fit),
    ]


def _without_goal(what: str, _goal: float, reached: float, unit: str = "", note: str = "") -> Row:
    return Row(what=what, reached=reached, unit=unit, note=note)


def _with_few(known: Labelled, seed: int) -> float:
    """AUROC on the other groups of what was learned from 80 labels of whole groups, the last one cut."""
    rng = np.random.default_rng(seed)
    while True:
        order = rng.permutation(np.unique(known.groups))
        rows = np.concatenate([np.flatnonzero(known.groups == group) for group in order])
        mine = rows[:FEW]
        others = ~np.isin(known.groups, known.groups[mine])
        if min(known.failed[mine].sum(), (1 - known.failed[mine]).sum()) >= _FEWEST and known.failed[others].any():
            break
    model = model_of(known.rows(mine))
    said = model.probabilities(known.rows(others).values)[:, model.names.index("fail")]
    return auroc(said, known.failed[others])


def _overlap(known: Labelled) -> float:
    """What an answer's words that no source has tell by themselves."""
    place = NAMES.index("words backed by the sources")
    unbacked = [1 - known.features[trace.trace_id].values[place] for trace in known.traces]
    return auroc(np.array(unbacked), known.failed)


def _abstentions(codebook: Codebook, known: Labelled) -> float:
    """The share of all traces that a judge with 80 labels, as settings have it, leaves alone as uncalibrated."""
    mine = np.random.default_rng(1).permutation(len(known.words))[:FEW]
    learned = learn(codebook, [known.words[place] for place in mine], known.features, NOW)
    judge = LearnedJudge(learned.fits, short=learned.short)
    made = judge.judge_features(codebook, [known.features[trace.trace_id] for trace in known.traces])
    return statistics.mean((one.abstained or "").startswith("uncalibrated") for one in made)


def _speed(codebook: Codebook, known: Labelled, fit: JudgeFit) -> list[Row]:
    """Rows a second of one core, the best of three: what else the machine does is no part of it."""
    judge = LearnedJudge([fit])
    traces = known.traces * max(1, RATE // len(known.traces))
    kilobytes = sum(len(text) for trace in traces for text in _texts(trace)) / len(traces) / 1024
    rows = [known.features[trace.trace_id] for trace in traces]
    ours = _seconds(lambda: judge.judge(codebook, traces))
    bare = _seconds(lambda: [len(_WORD.findall(text)) for trace in traces for text in _texts(trace)])
    again = _seconds(lambda: judge.judge_features(codebook, rows))
    return [
        Row.at_least(f"judgements a second, {kilobytes:.1f} KB of text each", RATE, len(traces) / ours, "/s"),
        Row(what="a loop that only finds the words", reached=len(traces) / bare, unit="/s"),
        Row(what="judgements a second from stored features", reached=len(traces) / again, unit="/s"),
    ]


def _texts(trace: Trace) -> Sequence[str]:
    return [trace.output, *(said.content for said in trace.messages), *(document.text for document in trace.documents)]


def _seconds(call: Callable[[], object]) -> float:
    took = []
    for _ in range(3):
        began = time.process_time()
        call()
        took.append(time.process_time() - began)
    return min(took)
