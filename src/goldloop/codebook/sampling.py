"""The sampler's settings as a codebook's queue holds them: policies, slices, caps, and what users' signals mean."""

from typing import Annotated, Final, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

PolicyName = Literal[
    "random",
    "stratified",
    "negative",
    "uncertainty",
    "disagreement",
    "risk",
    "targeted",
    "diversity",
    "audit",
    "relabel",
]
SignalKind = Literal[
    "thumbs_down",
    "thumbs_up",
    "low_rating",
    "high_rating",
    "reason",
    "edit",
    "regenerate",
    "pivot",
    "abandonment",
    "dwell",
    "copy",
]
WRITTEN: Final = "(text)"
"""Stands for the label of a signal that is words: that somebody wrote counts, what they wrote stays in Langfuse."""
Power = Annotated[float, Field(ge=0, le=8)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SignalRule(_Part):
    """Which Langfuse scores mean which kind of signal: every condition given has to hold; the first rule wins."""

    kind: SignalKind
    name: str = Field(min_length=1, description="the score's name, or a pattern with * and ?; case does not matter")
    at_least: float | None = Field(default=None, description="the value is a number no smaller than this")
    at_most: float | None = Field(default=None, description="the value is a number no larger than this")
    labels: tuple[str, ...] = Field(default=(), description="the value is one of these words; empty: any")
    on_scale: bool | None = Field(
        default=None,
        description="the score's name comes with values above 1 (true), or only with values up to 1 (false)",
    )


# Weights are log-odds shifts of "this trace is a failure", each a round-number guess of the evidence a signal holds
# (log of its rate in failures over its rate in successes), to be replaced by what `goldloop yield` measures:
# 2.0 is a likelihood ratio of 7, 1.0 of 2.7, 0.5 of 1.6, -1.0 of 1/2.7.
_WEIGHTS: dict[SignalKind, float] = {
    "edit": 2.0,  # the user did the annotator's work; some edits are taste
    "thumbs_down": 2.0,  # precision .7 at a base rate of .2 would be log(.7/.3) - log(.2/.8) = 2.2
    "low_rating": 1.5,  # as a thumb, but the middle of a scale is read in many ways
    "reason": 0.5,  # a complaint in words beside the thumb is a considered one; on top of the thumb
    "regenerate": 1.0,  # dissatisfaction, or curiosity for a variant
    "pivot": 0.7,  # the next question at once, reworded: a miss, or a train of thought
    "abandonment": 0.5,  # left in the middle: a miss, or just done
    "dwell": 0.5,  # at the edge of what counts as far from the category's median; grows to twice that
    "copy": -1.0,  # taken for use
    "thumbs_up": -1.5,  # as a thumb down, but politeness is cheap
    "high_rating": -1.0,
}
_RULES: tuple[SignalRule, ...] = (
    SignalRule(kind="thumbs_down", name="thumb*down", at_least=1),
    SignalRule(kind="thumbs_down", name="thumb*down", labels=("yes", "true")),
    *(
        rule
        # Not `thumb*down` again: there 0 says that nobody put the thumb down.
        for name in ("thumb", "thumb*[!n]", "user_rating", "user-feedback", "user_feedback", "feedback")
        for rule in (
            # The same name is a thumb (0 or 1) in one app and stars (1 to 5) in another: 1 is the best or the worst.
            SignalRule(kind="thumbs_down", name=name, at_most=0, on_scale=False),
            SignalRule(kind="thumbs_up", name=name, at_least=1, on_scale=False),
            SignalRule(kind="low_rating", name=name, at_most=2, on_scale=True),
            SignalRule(kind="high_rating", name=name, at_least=4, on_scale=True),
            SignalRule(kind="thumbs_down", name=name, labels=("down", "negative", "bad", "no", "dislike")),
            SignalRule(kind="thumbs_up", name=name, labels=("up", "positive", "good", "yes", "like")),
        )
    ),
    SignalRule(kind="low_rating", name="*stars", at_most=2),
    SignalRule(kind="high_rating", name="*stars", at_least=4),
    SignalRule(kind="reason", name="*reason"),
    *(SignalRule(kind="edit", name=name, at_least=1) for name in ("edit", "*edited")),
    *(SignalRule(kind="edit", name=name, labels=(WRITTEN,)) for name in ("edit", "*edited")),
    SignalRule(kind="regenerate", name="regenerate*", at_least=1),
    SignalRule(kind="pivot", name="pivot", at_least=1),
    SignalRule(kind="abandonment", name="abandon*", at_least=1),
    SignalRule(kind="dwell", name="dwell_s", at_least=0),
    SignalRule(kind="copy", name="copy", at_least=1),
    SignalRule(kind="copy", name="copied", at_least=1),
)


class FeedbackSettings(_Part):
    """What users' signals say about failure: a prior weight for each kind, and which scores mean which kind."""

    weights: dict[SignalKind, float] = Field(
        default_factory=dict, description="log-odds shift by kind of signal; what is left out keeps its default"
    )
    rules: tuple[SignalRule, ...] = Field(default=_RULES, description="which scores mean which kind; first match wins")
    dwell_ratio: float = Field(
        default=3.0, gt=1, description="dwell counts from this many times (or this part of) its category's median"
    )
    dwell_least: int = Field(default=20, ge=1, description="dwell times a category needs before its median counts")
    limit: float = Field(default=4.0, gt=0, description="no trace's sum goes further from 0 than this, in log-odds")

    def weight(self, kind: SignalKind) -> float:
        """The log-odds shift of one signal of that kind."""
        return self.weights.get(kind, _WEIGHTS[kind])


class Slice(_Part):
    """A part of the traffic to look at, named by hand or by a drift alert: every condition given has to hold."""

    name: str = Field(min_length=1, description="what the stamp and the explanation call it")
    categories: tuple[str, ...] = Field(default=(), description="one of these categories")
    models: tuple[str, ...] = Field(default=(), description="answered by one of these models")
    releases: tuple[str, ...] = Field(default=(), description="releases of the app, as its traces name them")
    prompts: tuple[str, ...] = Field(default=(), description="prompts with their version: name@version")
    tags: tuple[str, ...] = Field(default=(), description="one of these is enough")
    clusters: tuple[str, ...] = Field(default=(), description="in one of these clusters of like requests")
    start: AwareDatetime | None = Field(default=None, description="traces from this moment on")
    end: AwareDatetime | None = Field(default=None, description="traces before this moment")
    expires: AwareDatetime = Field(description="after this moment the slice is no target any more")
    weight: float = Field(default=1.0, gt=0, description="beside other slices; within a slice all traces are alike")

    @model_validator(mode="after")
    def _asks_something(self) -> Self:
        asked = (self.categories, self.models, self.releases, self.prompts, self.tags, self.clusters)
        if not any(asked) and self.start is None and self.end is None:
            raise ValueError(f"the slice {self.name} names no condition: give it at least one")
        return self


class PolicySettings(_Part):
    """How each policy weighs its candidates. Every default is a choice of ours, none is fitted to anyone's traces."""

    stratified_power: float = Field(
        default=0.5, ge=0, le=1, description="a category weighs its size to this power: 0 all alike, 1 by size"
    )
    negative_power: Power = Field(default=1.0, description="negative: the odds of failure by feedback to this power")
    uncertainty_power: Power = Field(
        default=1.0, description="uncertainty: the standard deviation sqrt(p (1 - p)) to this power; more is narrower"
    )
    risk_power: Power = Field(default=2.0, description="risk: the probability of failure p to this power")
    threshold: float = Field(default=0.5, gt=0, lt=1, description="failure probability from which the judge says fail")
    base_rate: float = Field(
        default=0.2, gt=0, lt=1, description="probability of failure of a trace without judge, before its feedback"
    )
    audit_confidence: float = Field(
        default=0.9, gt=0.5, lt=1, description="audit: prelabels of at least this confidence"
    )
    relabel_age_days: int = Field(default=30, ge=0, description="relabel: traces resolved at least this long ago")
    slices: tuple[Slice, ...] = Field(default=(), description="targeted: the slices to look at")


class Caps(_Part):
    """The most that one draw takes of one user and of one session; none: no cap."""

    user: int | None = Field(default=None, ge=1, description="traces of one user")
    session: int | None = Field(default=None, ge=1, description="traces of one session")
