"""How a model is asked: decided before the first call, from the settings and from what the model can do."""

from dataclasses import dataclass
from typing import Literal

from goldloop.errors import ConfigError
from goldloop.judge.settings import JudgeSettings

Method = Literal["logprobs", "votes", "verbalised"]
Output = Literal["native", "tool", "prompted"]


@dataclass(frozen=True)
class Abilities:
    """What a model takes: a JSON schema for its answer, tools, a temperature, and the wish for log-probabilities."""

    native: bool
    tools: bool
    temperature: bool
    logprobs: bool


@dataclass(frozen=True)
class Way:
    """Where the probability comes from, and what follows from it for the calls.

    `logprobs` are asked for; where an answer comes without them, the number that the model gives itself stands in
    (`says_sure`: the answer has a place for it), or the votes do. `temperature` is None where the model takes none.
    """

    method: Method
    votes: int
    logprobs: bool
    says_sure: bool
    output: Output
    temperature: float | None


def way_of(settings: JudgeSettings, model: str, can: Abilities) -> Way:
    """The way that the settings ask for, or with `auto` the best that the model can.

    One asking goes without chance, at temperature 0. Votes are drawn as the model would answer, at 1: their share is
    then an estimate of how likely it is to answer so.

    Raises:
        ConfigError: the model cannot do what the settings ask for.
    """
    output = _output(settings, model, can)
    has_logprobs = can.logprobs and output != "tool"
    method = settings.confidence
    if method == "auto":
        method = "logprobs" if has_logprobs else "votes" if settings.votes > 1 else "verbalised"
        says_sure = settings.votes == 1
    else:
        says_sure = method == "verbalised"
    if method == "votes" and settings.votes == 1:
        raise ConfigError("GOLDLOOP_JUDGE__CONFIDENCE=votes needs several: set GOLDLOOP_JUDGE__VOTES to 3 or 5.")
    if method == "logprobs" and not has_logprobs:
        why = "with its answer as a tool's call" if can.logprobs else "by this way of asking"
        raise ConfigError(
            f"{model} gives no log-probabilities {why}: set GOLDLOOP_JUDGE__CONFIDENCE to auto, votes or verbalised."
        )
    return Way(
        method=method,
        votes=settings.votes,
        logprobs=method == "logprobs",
        says_sure=says_sure,
        output=output,
        temperature=None if not can.temperature else 0.0 if settings.votes == 1 else 1.0,
    )


def _output(settings: JudgeSettings, model: str, can: Abilities) -> Output:
    if settings.output == "auto":
        return "native" if can.native else "tool" if can.tools else "prompted"
    if (settings.output == "native" and not can.native) or (settings.output == "tool" and not can.tools):
        raise ConfigError(
            f"{model} cannot be asked with GOLDLOOP_JUDGE__OUTPUT={settings.output}: set it to auto or prompted."
        )
    return settings.output
