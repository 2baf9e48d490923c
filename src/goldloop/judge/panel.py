"""Several judges as one: each one's opinion is kept as a vote, and people's labels say what they come to."""

import logging
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Self

from goldloop.codebook.schema import Codebook, Question
from goldloop.errors import ConfigError, FatalError
from goldloop.judge.basis import two_sides, version_of
from goldloop.judge.combination import NAME, Combination, members_version
from goldloop.judge.protocol import Estimating, Judge
from goldloop.judge.recalibration import by_risk, holds, recalibrated
from goldloop.records import Estimate, JudgeFit, Judgement, Trace, Unjudged

_log = logging.getLogger(__name__)
_COMBINED: Final = "combined"
_TURNED: Final = "The judge itself said the opposite; by people's labels, with such a number it is mostly wrong."

Said = Judgement | Unjudged
Combined = tuple[JudgeFit, Combination]
"""A fit, and what its body says."""


class Panel:
    """The judges of a queue as they are at one moment; one member is a panel too.

    Its answer is the members' combination where one was fitted for just these members, else that of the first member
    that does not abstain, corrected by that member's own calibration where there is one. Votes hold what each member
    said itself, uncorrected: that is what the next fit starts from.

    Args:
        members: in the order of who goes first where nothing else decides.
        fits: of what the questions mean now, the newest for each judge, version of the judge, and question.
        close: called when the panel is closed.
    """

    def __init__(
        self, members: Sequence[Judge], fits: Iterable[JudgeFit] = (), *, close: Callable[[], None] = lambda: None
    ) -> None:
        if not members:
            raise ConfigError("no judge is set: name some in GOLDLOOP_JUDGE__MEMBERS")
        self.members = tuple(members)
        self._close = close
        self._fits: dict[tuple[str, str], dict[str, JudgeFit]] = {}
        for fit in fits:
            self._fits.setdefault((fit.judge, fit.judge_version), {})[fit.question] = fit

    @property
    def name(self) -> str:
        return "+".join(member.name for member in self.members)

    def version(self, codebook: Codebook) -> str:
        members = self._who(codebook)
        used = [fit for key in (*members, _combined(members)) for fit in self._fits.get(key, {}).values()]
        return version_of(members, sorted((fit.question, fit.judge, fit.version) for fit in used))

    def calibrations(self, codebook: Codebook) -> dict[str, JudgeFit]:
        """The fits to the verdict that hold now, by member's name; the combination's by its own."""
        members, verdict = self._who(codebook), codebook.verdict
        # A fit that is the judge itself holds for no version of it: the version is made of it.
        themselves = [(name, "") for name, _ in members]
        combined = [_combined(members)] if two_sides(verdict) else []
        found = [
            (key, fit)
            for key in [*members, *themselves, *combined]
            if (fit := self._fits.get(key, {}).get(verdict.name)) is not None
        ]
        return {key[0]: fit for key, fit in found if key not in members or holds(verdict, fit)}

    def judge(self, codebook: Codebook, traces: Sequence[Trace]) -> list[Judgement | Unjudged]:
        """One for each trace, in order. A member that breaks has no opinion; the others' count.

        Raises:
            FatalError, ConfigError: a member's, for it would come again with every page.
        """
        # Side by side: a member is mostly waiting for its server.
        with ThreadPoolExecutor(len(self.members)) as threads:
            said = list(threads.map(lambda member: _asked(member, codebook, traces), self.members))
        who = {"judge": self.name, "judge_version": self.version(codebook)}
        fit = self.calibrations(codebook).get(NAME)
        combination = (fit, Combination.model_validate(fit.body)) if fit else None
        return [
            merged.model_copy(update=who) if isinstance(merged, Judgement) else merged
            for merged in (self._merged(codebook, combination, opinions) for opinions in zip(*said, strict=True))
        ]

    def estimate(self, codebook: Codebook, traces: Sequence[Trace]) -> Estimate:
        """What judging these would take, of all members that ask somebody else; nothing is asked."""
        parts = [member.estimate(codebook, traces) for member in self.members if isinstance(member, Estimating)]
        return sum(parts, Estimate())

    def close(self) -> None:
        """What its members hold open; a panel that is closed judges no more."""
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _who(self, codebook: Codebook) -> list[tuple[str, str]]:
        return [(member.name, member.version(codebook)) for member in self.members]

    def _merged(self, codebook: Codebook, combination: Combined | None, said: Sequence[Said]) -> Said:
        opinions = [one for one in said if isinstance(one, Judgement)]
        answered = [one for one in opinions if one.abstained is None]
        missing = [one for one in said if isinstance(one, Unjudged)]
        if not answered and missing:
            # Whoever has nothing yet may have an answer next time; an abstention would be kept as the last word.
            return next((one for one in missing if one.cause != "unusable"), missing[0])
        own = self._answer(codebook, combination, answered) if answered else _abstention(opinions)
        return own.model_copy(update={"votes": tuple(one.as_vote() for one in opinions), **_cost(opinions)})

    def _answer(self, codebook: Codebook, combination: Combined | None, answered: Sequence[Judgement]) -> Judgement:
        """The verdict by what was fitted; the rest is what the first member says that has this verdict."""
        verdict = codebook.verdict
        corrected = [
            recalibrated(codebook, one, self._fits.get((one.judge, one.judge_version), {})) for one in answered
        ]
        own = (_combination(verdict, *combination, answered, corrected[0]) if combination else None) or corrected[0]
        label = own.answers.get(verdict.name)
        speaker = next((one for one in answered if one.answers.get(verdict.name) == label), None)
        if speaker is None:
            return own.model_copy(update={"confidences": {}, "reason": _TURNED})
        confidences = corrected[answered.index(speaker)].confidences
        return own.model_copy(update={"answers": speaker.answers, "confidences": confidences, "reason": speaker.reason})


def _combination(
    verdict: Question, fit: JudgeFit, combination: Combination, answered: Sequence[Judgement], first: Judgement
) -> Judgement | None:
    """The first one's judgement with the combined risk; None where these members' opinions were not fitted."""
    risk = combination.risk({one.judge: one.risk for one in answered if one.risk is not None})
    if risk is None:
        return None
    known = {"method": _COMBINED, "calibrated": True, "threshold": fit.threshold}
    return by_risk(verdict, first, risk).model_copy(update=known)


def _combined(members: Sequence[tuple[str, str]]) -> tuple[str, str]:
    """Whose a combination's fits are."""
    return NAME, members_version(members)


def _asked(member: Judge, codebook: Codebook, traces: Sequence[Trace]) -> list[Said]:
    try:
        said = member.judge(codebook, traces)
        if len(said) != len(traces):
            why = f"{len(said)} answers to {len(traces)} traces"
        elif all(isinstance(one, Judgement | Unjudged) for one in said):
            return said
        else:
            why = "an answer is no judgement"
    except (FatalError, ConfigError):
        raise
    except Exception as error:  # noqa: BLE001 - whatever a judge breaks by, the others have judged the page
        why = type(error).__name__
    # An exception's text may quote a trace.
    _log.warning("the judge %s has no opinion on a page of %d: %s", member.name, len(traces), why)
    return [Unjudged(cause="later", reason=f"{member.name} broke: {why}")] * len(traces)


def _abstention(opinions: Sequence[Judgement]) -> Judgement:
    causes = list(dict.fromkeys(one.abstained or "" for one in opinions))
    return opinions[0].model_copy(update={"abstained": "; ".join(causes)})


def _cost(opinions: Sequence[Judgement]) -> dict[str, object]:
    """What all members took together: no sum of money where a part of it is not known; the time of the slowest."""
    unknown = any(one.usd is None and one.input_tokens + one.output_tokens for one in opinions)
    usd = [one.usd for one in opinions if one.usd is not None]
    times = [one.latency_s for one in opinions if one.latency_s is not None]
    return {
        "usd": sum(usd) if usd and not unknown else None,
        "input_tokens": sum(one.input_tokens for one in opinions),
        "output_tokens": sum(one.output_tokens for one in opinions),
        "latency_s": max(times, default=None),
    }
