"""Judges that say what a test has them say."""

from collections.abc import Callable, Mapping, Sequence

from goldloop.codebook.schema import Codebook
from goldloop.records import Estimate, Judgement, Trace, Unjudged, Value

Said = Judgement | Unjudged


class ScriptedJudge:
    """Says of each trace what the script has: a risk of failure, an outcome, or an abstention's cause (a text).

    Attributes:
        breaks_with: raised by `judge` while it is set.
        asked: the trace ids of each page.
        closed: how often it was closed.
    """

    def __init__(
        self,
        name: str,
        script: Mapping[str, float | str | Said] | Callable[[Trace], float | str | Said],
        *,
        version: str = "1",
        **more: object,
    ) -> None:
        self.name = name
        self._version = version
        self._script = script
        self._more = more
        self.breaks_with: BaseException | None = None
        self.asked: list[list[str]] = []
        self.closed = 0

    def version(self, codebook: Codebook) -> str:
        return self._version

    def judge(self, codebook: Codebook, traces: Sequence[Trace]) -> list[Said]:
        self.asked.append([trace.trace_id for trace in traces])
        if self.breaks_with is not None:
            raise self.breaks_with
        return [self._said(codebook, trace) for trace in traces]

    def estimate(self, codebook: Codebook, traces: Sequence[Trace]) -> Estimate:
        return Estimate(calls=len(traces), input_tokens=100 * len(traces), usd=0.5)

    def close(self) -> None:
        self.closed += 1

    def _said(self, codebook: Codebook, trace: Trace) -> Said:
        said = self._script(trace) if callable(self._script) else self._script[trace.trace_id]
        if isinstance(said, Judgement | Unjudged):
            return said
        return opinion(codebook, said, judge=self.name, judge_version=self._version, **self._more)


def opinion(codebook: Codebook, said: float | str, **more: object) -> Judgement:
    """A judgement with this risk of failure, on a verdict of two labels; a text is an abstention's cause."""
    fields: dict[str, object] = {"judge": "j", "judge_version": "1", "method": "votes"}
    if isinstance(said, str):
        return Judgement.model_validate(fields | {"abstained": said} | _named(more))
    question = codebook.verdict
    (fails,) = question.failure
    (passes,) = set(question.label_names) - {fails}
    answers: dict[str, Value] = {question.name: fails if said >= 0.5 else passes}
    fields |= {"answers": answers, "probability": max(said, 1 - said), "risk": said}
    return Judgement.model_validate(fields | more)


def _named(more: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in more.items() if name in {"judge", "judge_version", "method"}}
