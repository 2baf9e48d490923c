"""The judge that asks a model."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Final, Self

from goldloop.adapters.llm.asking import Reply, Told
from goldloop.adapters.llm.costs import Prices
from goldloop.adapters.llm.line import Came, Line
from goldloop.adapters.llm.models import NamedModel
from goldloop.adapters.llm.opinions import judgement, opinion
from goldloop.adapters.llm.outcomes import Found, later, outcome_of, traced
from goldloop.adapters.llm.pace import Waits
from goldloop.adapters.llm.page import Asking, askings, second_key
from goldloop.adapters.llm.tracing import Tracer
from goldloop.adapters.llm.way import way_of
from goldloop.codebook.answer import answer_schema
from goldloop.codebook.prompt import judge_prompt, prompt_version
from goldloop.codebook.schema import Codebook
from goldloop.judge.examples import ShownExample
from goldloop.judge.settings import JudgeSettings
from goldloop.ports import Clock, Ledger
from goldloop.records import Estimate, JudgeCall, Judgement, Trace, Unjudged

_CHARACTERS: Final = 4
"""A token, about, in English; less in code and in other scripts. Good enough for a budget's first guess."""
_ANSWERED: Final = 250
"""Tokens of an answer, about: three sentences, and labels."""


class LlmJudge:
    """Asks one model about each trace, as often as there are votes; a context manager.

    Answers are remembered in the ledger, so that what was asked before costs nothing. It may be used from several
    threads.

    Raises:
        ConfigError: the settings ask for what the model cannot do, or money is limited and it has no price.
    """

    def __init__(
        self,
        settings: JudgeSettings,
        named: NamedModel,
        ledger: Ledger,
        *,
        run: str,
        clock: Clock,
        examples: Sequence[ShownExample],
        tracer: Tracer | None,
        waits: Waits,
    ) -> None:
        self.name = f"llm:{named.name}"
        self._named = named
        self._settings = settings
        self._way = way_of(settings, named.name, named.can)
        self._prices = Prices(settings, named)
        self._ledger = ledger
        self._run = run
        self._clock = clock
        self._examples = tuple(examples) if settings.examples else ()
        self._tracer = tracer
        self._limits = settings.limits
        self._line = Line(
            named,
            self._way,
            self._prices,
            concurrency=settings.concurrency,
            attempts=settings.attempts,
            waits=waits,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections; nothing can be asked after."""
        self._line.close()

    def version(self, codebook: Codebook) -> str:
        way = self._way
        prompt = prompt_version(codebook, confidence=way.says_sure, examples=bool(self._examples))
        shown = [example.trace.trace_id for example in self._examples]
        whole = [prompt, self._named.name, way.method, way.votes, way.output, self._settings.examples, shown]
        return hashlib.sha256(json.dumps(whole).encode()).hexdigest()[:12]

    def judge(self, codebook: Codebook, traces: Sequence[Trace]) -> list[Judgement | Unjudged]:
        """One for each trace, in order.

        Raises:
            FatalError: the server refuses whatever it is asked: a wrong key, an unknown model, no API.
        """
        version = self.version(codebook)
        asked = [self._askings(codebook, version, trace) for trace in traces]
        found = self._known(asked)
        try:
            every = [each for page in asked for each in page]
            self._ask(codebook, version, found, every)
            misfits = [(each, found[each.key].misfit) for each in every]
            self._ask(
                codebook, version, found, [each.again(wrong.told) for each, wrong in misfits if wrong is not None]
            )
        finally:
            if self._tracer is not None:
                self._tracer.flush()
        return [self._judgement(codebook, version, page, found) for page in asked]

    def estimate(self, codebook: Codebook, traces: Sequence[Trace]) -> Estimate:
        """What judging them would take: tokens by about four characters each, an answer of about 250 tokens.

        Nothing is asked and nothing set aside.
        """
        version, told = self.version(codebook), self._told(codebook)
        asked = [self._askings(codebook, version, trace) for trace in traces]
        found = self._known(asked)
        every = {each.key: each for page in asked for each in page}
        open_ones = [each for key, each in every.items() if found[key].answer is None]
        tokens = [self._tokens(told, each) for each in open_ones]
        output = _ANSWERED * len(open_ones)
        return Estimate(
            calls=len(open_ones),
            cached=len(every) - len(open_ones),
            input_tokens=sum(tokens),
            output_tokens=output,
            usd=self._prices.estimate(sum(tokens), output),
        )

    def _askings(self, codebook: Codebook, version: str, trace: Trace) -> list[Asking]:
        return askings(
            codebook, trace, self._examples, version=version, votes=self._way.votes, most=self._settings.examples
        )

    def _told(self, codebook: Codebook) -> Told:
        sure = self._way.says_sure
        return Told(
            prompt=judge_prompt(codebook, confidence=sure, examples=bool(self._examples)),
            schema=answer_schema(codebook, confidence=sure),
            labels=len(codebook.verdict.labels),
        )

    def _tokens(self, told: Told, asking: Asking) -> int:
        return (len(told.prompt) + len(json.dumps(told.schema)) + asking.characters) // _CHARACTERS

    def _known(self, asked: Iterable[Sequence[Asking]]) -> dict[str, Found]:
        """By key, what was answered before: at the first asking, or at the second."""
        keys = {each.key for page in asked for each in page}
        known = self._ledger.known_calls(keys | {second_key(key) for key in keys}) if keys else {}
        calls = {key: known.get(key) or known.get(second_key(key)) for key in keys}
        return {key: Found(answer=None if call is None else call.answer) for key, call in calls.items()}

    def _ask(self, codebook: Codebook, version: str, found: dict[str, Found], wanted: Iterable[Asking]) -> None:
        """Ask what is not answered yet, as far as the budget goes, and note in `found` what came of it."""
        open_ones = [*{each.key: each for each in wanted if found[each.first].answer is None}.values()]
        if not open_ones:
            return
        told = self._told(codebook)
        mean = sum(self._tokens(told, each) for each in open_ones) // len(open_ones)
        usd_each = self._prices.estimate(mean, _ANSWERED) or 0.0
        reserved = self._ledger.reserve(self._run, len(open_ones), usd_each, self._limits, self._clock())
        for each in open_ones[reserved.calls :]:
            found[each.first].unjudged = Unjudged(
                cause="budget",
                reason="budget spent",
                detail="what judges may spend is spent: see GOLDLOOP_JUDGE__*_PER_*",
            )
        try:
            for together in self._line.ask(told, open_ones[: reserved.calls]) if reserved.calls else ():
                made = [
                    self._noted(codebook, version, found[came.asking.first], came) for came in together if came.made
                ]
                self._ledger.settle(reserved.reservation, made, done=False)
                for came in together:
                    if not came.made:
                        found[came.asking.first].unjudged = later(came)
        finally:
            self._ledger.settle(reserved.reservation, [])

    def _noted(self, codebook: Codebook, version: str, known: Found, came: Came) -> JudgeCall:
        """A call that was made, for the ledger; what came of it is noted in `known`."""
        reply = came.what if isinstance(came.what, Reply) else None
        outcome = outcome_of(codebook, came, known, says_sure=self._way.says_sure)
        call = JudgeCall(
            key=came.asking.key,
            judge=self.name,
            run=self._run,
            at=self._clock(),
            outcome=outcome,
            answer=known.answer or {},
            input_tokens=reply.input_tokens if reply else 0,
            output_tokens=reply.output_tokens if reply else 0,
            usd=reply.usd if reply else 0.0,
            latency_s=came.seconds,
        )
        known.made.append(call)
        if self._tracer is not None:
            self._tracer.call(traced(codebook, call, version, self._named.model, came))
        return call

    def _judgement(
        self, codebook: Codebook, version: str, page: Sequence[Asking], found: dict[str, Found]
    ) -> Judgement | Unjudged:
        known = [found[each.first] for each in page]
        # A trace with a vote missing is not judged by the others: the next run has them for nothing.
        for one in known:
            if one.unjudged is not None and one.unjudged.cause != "unusable":
                return one.unjudged
        opinions = [
            opinion(codebook, one.answer, swap=each.swap, says_sure=self._way.says_sure)
            for each, one in zip(page, known, strict=True)
            if one.answer is not None
        ]
        if not opinions:
            return next(one.unjudged for one in known if one.unjudged is not None)
        given = judgement(codebook, opinions, judge=self.name, version=version, method=self._way.method)
        # What the same input of another trace was asked for counts once.
        made = [call for one in known for call in one.made]
        latency = max((sum(call.latency_s for call in one.made) for one in known), default=0.0) if made else None
        for one in known:
            one.made = []
        costs = [call.usd for call in made]
        return given.model_copy(
            update={
                "usd": None if None in costs else sum(cost for cost in costs if cost),
                "input_tokens": sum(call.input_tokens for call in made),
                "output_tokens": sum(call.output_tokens for call in made),
                "latency_s": latency,
            }
        )
