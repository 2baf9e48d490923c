"""What blind labels make of a queue's judges: learned models, calibrations, and what the judges come to together.

It goes by the store alone, and only adds rows that are the same for the same labels, so it takes no lock.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TypeVar

from pydantic import Field

from goldloop.codebook.lineage import CodebookVersion, Since
from goldloop.codebook.schema import Codebook
from goldloop.errors import GoldloopError
from goldloop.judge import learning
from goldloop.judge.basis import LEAST, Asked, People
from goldloop.judge.combination import combination_of
from goldloop.judge.features import VERSION
from goldloop.judge.groups import groups_of
from goldloop.judge.learned import LearnedJudge
from goldloop.judge.lexical import LexicalJudge
from goldloop.judge.model import Model
from goldloop.judge.recalibration import calibration_of
from goldloop.judge.settings import JudgeSettings
from goldloop.ports import Store
from goldloop.records import BlindLabel, JudgeFit, Prediction, Record, TraceFeatures, Vote

_log = logging.getLogger(__name__)
_LEARNED = learning.NAME
ResultT = TypeVar("ResultT")


class LearnSummary(Record):
    """What was fitted; `kept` counts what was fitted to the same labels before."""

    fitted: int
    kept: int
    labels: dict[str, dict[str, int]] = Field(description="blind labels of what is asked now: question, label, count")
    short: dict[str, dict[str, int]] = Field(description="those of them that are too few to learn from")
    floor: int = Field(description="how many of each of two labels are enough")
    failed: dict[str, str] = Field(description="what could not be fitted, and why")
    fits: tuple[JudgeFit, ...] = Field(description="the fits that hold now, by question and judge")


@dataclass(frozen=True)
class Labels:
    """The blind labels that mean what their questions mean now, and the numbers of the traces that they are on."""

    version: CodebookVersion
    labels: tuple[BlindLabel, ...]
    features: Mapping[str, TraceFeatures]

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """By question and label, those with none too."""
        questions = [question for question in self.version.codebook.questions if question.chooses]
        given = Counter((label.question, label.value) for label in self.labels if isinstance(label.value, str))
        return {one.name: {name: given[one.name, name] for name in one.label_names} for one in questions}

    def people(self, question: str, groups: Mapping[str, int]) -> People:
        mine = [label for label in self.labels if label.question == question]
        return People({one.trace_id: one.value for one in mine if isinstance(one.value, str)}, groups)


@dataclass(frozen=True)
class Heard:
    """One version of a judge, and its votes by trace id."""

    name: str
    version: str
    votes: Mapping[str, Vote]

    @property
    def risks(self) -> dict[str, float]:
        said = self.votes.items()
        return {trace_id: vote.risk for trace_id, vote in said if vote.risk is not None and vote.abstained is None}


def labels_of(store: Store, queue: str) -> Labels | None:
    """None before any version of the codebook was saved."""
    lineage = store.lineage(queue)
    if not lineage.versions:
        return None
    now = lineage.newest
    labels = [label for label in store.blind_labels(queue) if now.since.get(label.question) == label.since]
    features = store.features(VERSION, sorted({label.trace_id for label in labels}))
    return Labels(now, tuple(labels), features)


def current_fits(store: Store, queue: str, floor: int = 0) -> list[JudgeFit]:
    """The newest for each judge, version of the judge and question, of what the questions mean now.

    Without those that hold no more: their labels were taken back, so that too few are left (of a learned judge two
    labels need `floor` each), or they read features of another version.
    """
    lineage = store.lineage(queue)
    since: Since = lineage.newest.since if lineage.versions else {}
    fits = [fit for fit in store.fits(queue) if since.get(fit.question) == fit.since]
    labels = store.blind_labels(queue) if fits else []
    given = Counter((one.question, str(one.value)) for one in labels if since.get(one.question) == one.since)
    return [
        fit for fit in fits if _holds(fit, [n for (question, _), n in given.items() if question == fit.question], floor)
    ]


def _holds(fit: JudgeFit, given: Sequence[int], floor: int) -> bool:
    """Whether there still is what it was fitted to; `given` is how often each label was, blind."""
    if fit.judge != _LEARNED:
        return sum(given) >= LEAST
    enough = sum(count >= max(floor, 1) for count in given) > 1
    return enough and Model.from_json(fit.body, VERSION) is not None


def learned_judge(store: Store, queue: str, fits: Sequence[JudgeFit], floor: int) -> LearnedJudge:
    """The learned judge by `fits`, those that hold now; what it lacks it says when it abstains."""
    held = labels_of(store, queue)
    if held is None:
        return LearnedJudge(fits, floor=floor)
    read = replace(held, labels=tuple(label for label in held.labels if label.trace_id in held.features))
    unread = {name: sum(count.values()) - sum(read.counts[name].values()) for name, count in held.counts.items()}
    return LearnedJudge(fits, short=read.counts, unread=unread, floor=floor)


def learn(codebook: Codebook, store: Store, settings: JudgeSettings, now: datetime) -> LearnSummary:
    """Fit what there are labels enough for, and save it; the same labels give what is there already.

    What cannot be fitted stops nothing else.
    """
    held = labels_of(store, codebook.name)
    return _Learning(held, store, settings, now).summary() if held else _nothing(settings)


class _Learning:
    def __init__(self, held: Labels, store: Store, settings: JudgeSettings, now: datetime) -> None:
        self.held = held
        self.codebook = held.version.codebook
        self.queue = self.codebook.name
        self.store = store
        self.settings = settings
        self.now = now
        self.groups = groups_of(held.labels, held.features)
        self.known = {fit.version: fit for fit in store.fit_history(self.queue)}
        self.failed: dict[str, str] = {}
        self.said: dict[str, dict[str, dict[str, float]]] = {}

    def summary(self) -> LearnSummary:
        learned = (
            self._tried(_LEARNED, partial(self._learned, self.known)) if _LEARNED in self.settings.judges else None
        )
        votes = newest_votes(self.store, self.held)
        self.said = learned.held_out if learned else {}
        made = list(learned.fits) if learned else []
        made += self._calibrations(votes)
        # The learned judge's version is that of its fits, so these are saved before it is asked for.
        self.store.save_fits(made)
        combination = self._tried("combination", partial(self._combination, votes))
        if combination:
            self.store.save_fits([combination])
            made.append(combination)
        fitted = {fit.version for fit in made} - set(self.known)
        return LearnSummary(
            fitted=len(fitted),
            kept=len(made) - len(fitted),
            labels=self.held.counts,
            short=learned.short if learned else {},
            floor=self.settings.floor,
            failed=self.failed,
            fits=tuple(sorted(made, key=lambda fit: (fit.question, fit.judge, fit.judge_version))),
        )

    def _learned(self, known: Mapping[str, JudgeFit]) -> learning.Learned:
        return learning.learn(
            self.codebook,
            self.held.labels,
            self.held.features,
            self.now,
            floor=self.settings.floor,
            confident=self.settings.confident,
            known=known,
        )

    def _calibrations(self, votes: Mapping[str, Heard]) -> Iterator[JudgeFit]:
        for question in self.codebook.questions:
            if not question.chooses or question.name not in self.held.version.since:
                continue
            asked = self._asked(question.name)
            people = self.held.people(question.name, self.groups)
            for judge in votes.values():
                call = partial(calibration_of, asked, (judge.name, judge.version), judge.votes, people, self.known)
                fit = self._tried(f"{question.name}, {judge.name}", call)
                if fit:
                    yield fit

    def _combination(self, votes: Mapping[str, Heard]) -> JudgeFit | None:
        """Of all members that the settings name; None where one was never heard, so that nobody knows its version."""
        question = self.codebook.verdict.name
        members = {name: heard.version for name, heard in votes.items()}
        if _LEARNED in self.settings.judges:
            floor = self.settings.floor
            judge = learned_judge(self.store, self.queue, current_fits(self.store, self.queue, floor), floor)
            members[_LEARNED] = judge.version(self.codebook)
        wanted = members_of(self.settings)
        if len(wanted) == 1 or not members.keys() >= set(wanted):
            return None
        return combination_of(
            self._asked(question),
            [(name, members[name]) for name in wanted],
            {name: votes[name].risks for name in wanted if name != _LEARNED},
            self.held.people(question, self.groups),
            self.known,
            {_LEARNED: self._held_out} if _LEARNED in wanted else {},
        )

    def _held_out(self) -> dict[str, float]:
        """The learned judge's risks, of models that never saw the trace's group."""
        verdict = self.codebook.verdict
        # What is known was not fitted again, so nothing was held out.
        said = self.said.get(verdict.name) or self._learned({}).held_out.get(verdict.name, {})
        return {trace_id: sum(labels.get(name, 0.0) for name in verdict.failure) for trace_id, labels in said.items()}

    def _asked(self, question: str) -> Asked:
        found = self.codebook.question(question)
        assert found
        return Asked(self.queue, found, self.held.version.since[question], self.settings.confident, self.now)

    def _tried(self, what: str, fit: Callable[[], ResultT]) -> ResultT | None:
        """None where it failed: `failed` says why, and never by an exception's text of unknown origin."""
        try:
            return fit()
        except GoldloopError as error:
            self.failed[what] = str(error)
        except Exception as error:  # noqa: BLE001 - the other fits do not depend on this one
            self.failed[what] = f"a fault in goldloop itself ({type(error).__name__}): report it"
        _log.warning("%s could not be fitted: %s", what, self.failed[what])
        return None


def members_of(settings: JudgeSettings) -> list[str]:
    """The names of the judges that the settings ask for, in order."""
    names = {"learned": [_LEARNED], "lexical": [LexicalJudge.name], "llm": [f"llm:{model}" for model in settings.model]}
    return list(dict.fromkeys(name for kind in settings.judges for name in names[kind]))


def newest_votes(store: Store, held: Labels) -> dict[str, Heard]:
    """By judge's name, the newest votes on labelled traces of the version that was heard last.

    Only votes to a verdict that means what it means now, and of them only answers to questions that do; the learned
    judge's own are left out, for its fit is its calibration.
    """
    lineage = store.lineage(held.version.codebook.name)
    verdict, asked = held.version.codebook.verdict.name, held.version.since
    trace_ids = sorted({label.trace_id for label in held.labels})
    by_version: dict[tuple[str, str], dict[str, Vote]] = {}
    last: dict[str, str] = {}
    for prediction in store.all_predictions(held.version.codebook.name, trace_ids):
        since = lineage.since(prediction.codebook_version)
        if since.get(verdict) != asked[verdict]:
            continue
        for vote in _votes(prediction):
            if vote.judge != _LEARNED:
                kept = {name: one for name, one in vote.answers.items() if since.get(name) == asked.get(name)}
                heard = vote.model_copy(update={"answers": kept})
                by_version.setdefault((vote.judge, vote.judge_version), {})[prediction.trace_id] = heard
                last[vote.judge] = vote.judge_version
    return {name: Heard(name, last[name], by_version[name, last[name]]) for name in sorted(last)}


def _votes(prediction: Prediction) -> Sequence[Vote]:
    """A panel's votes; a judgement without any is a vote itself."""
    said = prediction.judgement
    return said.votes or (said.as_vote(),)


def _nothing(settings: JudgeSettings) -> LearnSummary:
    return LearnSummary(fitted=0, kept=0, labels={}, short={}, floor=settings.floor, failed={}, fits=())
