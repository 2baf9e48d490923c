"""The learned judge: what blind labels taught it, or an abstention as long as they are too few."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from goldloop.codebook.schema import Codebook, Question
from goldloop.codebook.values import shown
from goldloop.judge.basis import version_of
from goldloop.judge.features import VERSION, features
from goldloop.judge.learning import KINDS, NAME
from goldloop.judge.model import Model
from goldloop.judge.reasons import reasons
from goldloop.numeric import Floats
from goldloop.records import JudgeFit, Judgement, Trace, TraceFeatures, Unjudged, Value

_METHOD: Final = "learned"


class LearnedJudge:
    """Answers the questions that it has a fit for; where it has none for the verdict it abstains.

    Args:
        fits: the newest of each question, of what the questions mean now; those of other judges and of another version
            of the features are left aside.
        short: the blind labels there are of each question, by label: what an abstention tells.
        unread: how many more there are on traces that have no features of this version.
        floor: how many of each of two labels it takes.
    """

    name = NAME

    def __init__(
        self,
        fits: Sequence[JudgeFit],
        *,
        short: Mapping[str, Mapping[str, int]] | None = None,
        unread: Mapping[str, int] | None = None,
        floor: int = 50,
    ) -> None:
        read = {fit.question: (fit, Model.from_json(fit.body, VERSION)) for fit in fits if fit.judge == NAME}
        self._fits: dict[str, tuple[JudgeFit, Model]] = {
            name: (fit, model) for name, (fit, model) in read.items() if model is not None
        }
        self._short = short or {}
        self._unread = unread or {}
        self._floor = floor

    def version(self, codebook: Codebook) -> str:
        """The same as long as it abstains, whatever labels come in."""
        return version_of(VERSION, sorted((name, fit.version) for name, (fit, _) in self._of(codebook).items()))

    def judge(self, codebook: Codebook, traces: Sequence[Trace]) -> list[Judgement | Unjudged]:
        cause = self._cause(codebook)
        if cause:
            return [self._abstention(codebook, cause)] * len(traces)
        return [*self._judged(codebook, [features(trace) for trace in traces])]

    def judge_features(self, codebook: Codebook, rows: Sequence[TraceFeatures]) -> list[Judgement]:
        """One for each trace, in order, by its features alone; an abstention where they are of another version."""
        cause = self._cause(codebook)
        if cause:
            return [self._abstention(codebook, cause)] * len(rows)
        fitting = [place for place, row in enumerate(rows) if row.version == VERSION]
        other = self._abstention(codebook, "these features were taken by another version of goldloop")
        made = [other] * len(rows)
        for place, judgement in zip(
            fitting, self._judged(codebook, [rows[place].values for place in fitting]), strict=True
        ):
            made[place] = judgement
        return made

    def _judged(self, codebook: Codebook, rows: Sequence[tuple[float, ...]]) -> list[Judgement]:
        if not rows:
            return []
        fits, version, verdict = self._of(codebook), self.version(codebook), codebook.verdict
        values = np.array(rows, dtype=np.float64)
        said = {name: model.probabilities(values) for name, (_, model) in fits.items()}
        best = {name: said[name][:, : len(model.labels)].argmax(axis=1) for name, (_, model) in fits.items()}
        fit, model = fits[verdict.name]
        risk = _risk(verdict, model, said[verdict.name])
        why = reasons(values, model.pulls(values)[np.arange(len(rows)), best[verdict.name]])
        made = []
        for place in range(len(rows)):
            given: dict[str, Value] = {name: one.labels[best[name][place]] for name, (_, one) in fits.items()}
            answers = shown(codebook, given)
            sure = {name: round(float(said[name][place, best[name][place]]), 6) for name in answers}
            made.append(
                Judgement(
                    judge=NAME,
                    judge_version=version,
                    answers=answers,
                    probability=sure.pop(verdict.name),
                    confidences=sure,
                    risk=round(float(risk[place]), 6),
                    method=_METHOD,
                    calibrated=True,
                    threshold=fit.threshold,
                    reason=why[place],
                )
            )
        return made

    def _of(self, codebook: Codebook) -> dict[str, tuple[JudgeFit, Model]]:
        """Those that this codebook has a place for, in its order."""
        found = {}
        for question in codebook.questions:
            fit, model = self._fits.get(question.name, (None, None))
            if fit and model and set(model.names) <= set(question.label_names):
                found[question.name] = (fit, model)
        return found

    def _cause(self, codebook: Codebook) -> str | None:
        """Why it abstains from all traces of this codebook; None where it has learned the verdict."""
        verdict = codebook.verdict
        if codebook.pairwise:
            return "it judges one answer, and cannot compare two"
        if verdict.kind not in KINDS:
            return f"it has no way to learn a {verdict.kind} question"
        if verdict.name in self._of(codebook):
            return None
        unread = self._unread.get(verdict.name, 0)
        more = f", and {unread} on traces that it has not read (goldloop prelabel --history)" if unread else ""
        return _uncalibrated(self._shortage(verdict), self._floor) + more

    def _shortage(self, verdict: Question) -> dict[str, int]:
        count = self._short.get(verdict.name, {})
        return {name: count.get(name, 0) for name in verdict.label_names}

    def _abstention(self, codebook: Codebook, cause: str) -> Judgement:
        return Judgement(judge=NAME, judge_version=self.version(codebook), method=_METHOD, abstained=cause)


def _uncalibrated(count: Mapping[str, int], floor: int) -> str:
    """`uncalibrated: 12 of 50 blind labels for fail, 61 of 50 for pass`."""
    if sum(labels >= floor for labels in count.values()) > 1:
        return f"uncalibrated: the {sum(count.values())} blind labels are of too few separate questions or sessions"
    fewest = sorted(count.items(), key=lambda one: one[1])
    told = [f"{labels} of {floor} blind labels for {name}" for name, labels in fewest[:1]]
    told += [f"{labels} of {floor} for {name}" for name, labels in fewest[1:]]
    return f"uncalibrated: {', '.join(told)}"


def _risk(verdict: Question, model: Model, said: Floats) -> Floats:
    failing = [name in verdict.failure for name in model.names]
    return np.asarray(np.clip(said[:, failing].sum(axis=1), 0, 1), dtype=np.float64)
