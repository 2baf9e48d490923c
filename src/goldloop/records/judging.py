"""What judges say, what it costs, and what people's labels make of it."""

from typing import Literal, Self

from pydantic import Field, JsonValue

from goldloop.records.base import Probability, Record, Utc, Value


class Vote(Record):
    """One opinion that a judgement rests on: a panel's member, or one of several askings of the same model."""

    judge: str
    judge_version: str
    answers: dict[str, Value] = Field(default_factory=dict)
    probability: Probability | None = Field(default=None, description="of the verdict it gave, as the judge says it")
    confidences: dict[str, Probability] = Field(
        default_factory=dict, description="of the answers to other questions than the verdict, as the judge says them"
    )
    risk: Probability | None = Field(default=None, description="that the trace is a failure, as the judge says it")
    method: str
    abstained: str | None = None
    askings: tuple["Vote", ...] = Field(default=(), description="of a model that was asked several times: each of them")


class Judgement(Record):
    """What a judge says of one trace: answers by question, or an abstention with its cause."""

    judge: str
    judge_version: str
    answers: dict[str, Value] = Field(default_factory=dict)
    probability: Probability | None = Field(default=None, description="of the verdict it gave")
    confidences: dict[str, Probability] = Field(
        default_factory=dict, description="of the answers to other questions than the verdict, where they are known"
    )
    risk: Probability | None = Field(default=None, description="that the trace is a failure: what the sampler goes by")
    method: str = Field(
        description="how the probability came about: lexical, learned, logprobs, votes, verbalised, combined"
    )
    calibrated: bool = Field(default=False, description="on people's blind labels")
    threshold: Probability | None = Field(
        default=None, description="from this probability on its calibration calls the verdict confident"
    )
    reason: str = ""
    abstained: str | None = Field(default=None, description="why it gives no answer")
    votes: tuple[Vote, ...] = Field(default=(), description="the opinions that it rests on, one by one")
    usd: float | None = Field(default=None, ge=0, description="what it cost; None where no price is known")
    input_tokens: int = Field(default=0, ge=0)
    output_tokens: int = Field(default=0, ge=0)
    latency_s: float | None = Field(default=None, ge=0)

    def as_vote(self) -> Vote:
        """The same as one opinion of several; what it rests on are its askings."""
        return Vote(
            judge=self.judge,
            judge_version=self.judge_version,
            answers=self.answers,
            probability=self.probability,
            confidences=self.confidences,
            risk=self.risk,
            method=self.method,
            abstained=self.abstained,
            askings=self.votes,
        )

    @property
    def confident(self) -> bool:
        """Whether its calibration says that such a verdict is right often enough; never without one."""
        known = self.calibrated and self.threshold is not None and self.probability is not None
        return known and self.probability >= self.threshold  # type: ignore[operator]  # both are known

    @property
    def dissent(self) -> float | None:
        """The risk of the vote that is farthest from the judgement's own; None where there is nothing to compare."""
        risks = [vote.risk for vote in self.votes if vote.risk is not None]
        if self.risk is None or len(risks) < 2:  # noqa: PLR2004 - one vote is the judgement itself
            return None
        own = self.risk
        return max(risks, key=lambda risk: abs(risk - own))


class Unjudged(Record):
    """A trace that a judge has nothing on, not even an abstention.

    `budget`: what may be spent is spent. `later`: its server could not be reached, the next run asks again.
    `unusable`: its answer was of no use, asked twice: for a person to look at.
    """

    cause: Literal["budget", "later", "unusable"]
    reason: str = Field(description="short, fit for a table")
    detail: str = ""


class Prediction(Record):
    """A judgement of one trace under one codebook: the prelabel."""

    queue: str
    codebook_version: str
    trace_id: str
    judged_at: Utc
    judgement: Judgement


class TraceFeatures(Record):
    """A trace in the numbers that a learned judge learns from; no text can be read back from them.

    `version` is that of the features, `asked` a hash of what the user asked: traces that share it are of one group.
    """

    trace_id: str
    version: str
    asked: str
    values: tuple[float, ...]


class BlindLabel(Record):
    """A person's answer, given without a suggestion in sight: what judges are fitted to and held against.

    `since` is the codebook version since which the question means what it means here.
    """

    queue: str
    trace_id: str
    question: str
    since: str
    value: Value
    session_id: str | None = None
    category: str = ""


class JudgeQuality(Record):
    """A judge against blind labels, each trace judged by a fit that never saw its group."""

    labels: dict[str, int] = Field(description="blind labels, by label")
    groups: int = Field(ge=0, description="groups of traces that were kept together")
    auroc: float = Field(description="how well it tells failures apart (of another question: right answers)")
    kappa: float = Field(description="Cohen's, of its answers with people's")
    ece: float = Field(description="expected calibration error, ten bins of equal size")
    accuracy: float = Field(description="share of its answers that are people's")


class JudgeFit(Record):
    """What blind labels made of one judge, for one question: a learned model, a calibration, or a combination.

    `judge` is whose it is and `judge_version` the version that it holds for (empty where the fit itself is the
    judge). `version` is a hash of what it was fitted to, so the same labels give the same one.
    """

    queue: str
    question: str
    since: str
    judge: str
    judge_version: str = ""
    version: str
    body: dict[str, JsonValue]
    quality: JudgeQuality
    threshold: Probability | None = Field(
        default=None, description="from this probability on its answers are right often enough to be called confident"
    )
    fitted_at: Utc


class Example(Record):
    """A resolved trace that was approved as an example for judges' instructions."""

    queue: str
    trace_id: str
    note: str = ""
    added_at: Utc


class JudgeCall(Record):
    """One call to a model, as the ledger and the cache keep it: `answer` is what it said, and never the trace.

    `key` is a hash of model, prompt version and input; a later call of the same key needs no model.
    """

    key: str
    judge: str
    run: str
    at: Utc
    outcome: Literal["answered", "refused", "unusable", "failed"]
    answer: dict[str, JsonValue] = Field(default_factory=dict)
    input_tokens: int = Field(default=0, ge=0)
    output_tokens: int = Field(default=0, ge=0)
    usd: float | None = Field(default=None, ge=0)
    latency_s: float = Field(default=0.0, ge=0)


class Estimate(Record):
    """What judging some traces would take, before anything is asked.

    `calls` are those that would be made, `cached` those that were answered before and cost nothing. `usd` is None where
    no price is known.
    """

    calls: int = 0
    cached: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    usd: float | None = 0.0

    def __add__(self, other: Self) -> Self:
        return type(self)(
            calls=self.calls + other.calls,
            cached=self.cached + other.cached,
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            usd=None if self.usd is None or other.usd is None else self.usd + other.usd,
        )


class Limits(Record):
    """What judges may spend: None is no limit. A day is one of UTC."""

    calls_per_run: int | None = Field(default=None, ge=0)
    calls_per_day: int | None = Field(default=None, ge=0)
    usd_per_run: float | None = Field(default=None, ge=0)
    usd_per_day: float | None = Field(default=None, ge=0)


class Spent(Record):
    """What judges' calls took: `usd` is of the calls whose price is known, `seconds` adds up how long each took."""

    calls: int = 0
    usd: float = 0.0
    input_tokens: int = 0
    output_tokens: int = 0
    seconds: float = 0.0
