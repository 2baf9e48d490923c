"""What an operator can set about judges: GOLDLOOP_JUDGE__..."""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode

from goldloop.records import Limits

Member = Literal["llm", "learned", "lexical"]
JUDGE_ENVIRONMENT: Final = "goldloop-judge"
"""Where the judge's own calls are traced to in Langfuse: nothing is drawn from there."""


def _parted(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


BY_COMMAS: Final = BeforeValidator(_parted)
"""Several values in one variable: beside `NoDecode`, for it would be read as JSON else."""


class JudgeSettings(BaseModel):
    """Who judges before people do, and what it may cost."""

    model: Annotated[tuple[str, ...], NoDecode, BY_COMMAS] = Field(
        default=(),
        description="the model, as `openai:gpt-4.1-mini` or `anthropic:claude-haiku-4-5`; several, by commas, are a "
        "panel; not set: no model is asked",
    )
    base_url: str | None = Field(
        default=None, description="address of an OpenAI-compatible server (vLLM, Ollama, llama.cpp, a proxy)"
    )
    api_key: SecretStr | None = Field(
        default=None, description="its key; without it OPENAI_API_KEY or ANTHROPIC_API_KEY, by the model's provider"
    )
    members: Annotated[tuple[Member, ...], NoDecode, BY_COMMAS] = Field(
        default=(),
        description="who judges, by commas: llm, learned, lexical; not set: llm where a model is set, and learned",
    )
    confidence: Literal["auto", "logprobs", "votes", "verbalised"] = Field(
        default="auto",
        description="where a probability comes from; auto: logprobs where the server gives them, else votes where "
        "more than one is asked for, else the model's own word",
    )
    votes: int = Field(default=1, ge=1, le=15, description="how often the model is asked about one trace")
    output: Literal["auto", "native", "tool", "prompted"] = Field(
        default="auto", description="how the form of the answer is enforced; auto: as the provider can"
    )
    examples: int = Field(default=4, ge=0, le=20, description="approved examples in the instructions, at most")
    concurrency: int = Field(default=16, ge=1, le=256, description="calls under way at once")
    timeout_seconds: float = Field(default=60, gt=0, description="how long one call may take")
    attempts: int = Field(default=4, ge=1, le=10, description="tries of one call that its server may answer later")
    input_price: float | None = Field(
        default=None, ge=0, description="USD for a million input tokens, where the price is not known or is another"
    )
    output_price: float | None = Field(default=None, ge=0, description="USD for a million output tokens, likewise")
    calls_per_run: int | None = Field(default=None, ge=0, description="calls that a run may make; not set: any number")
    calls_per_day: int | None = Field(default=None, ge=0, description="calls that all runs of a day (UTC) may make")
    usd_per_run: float | None = Field(default=None, ge=0, description="USD that one run may spend; not set: any sum")
    usd_per_day: float | None = Field(default=None, ge=0, description="USD that all runs of a day (UTC) may spend")
    trace: bool = Field(
        default=False, description="send each call as a trace to Langfuse, in the environment `goldloop-judge`"
    )
    floor: int = Field(
        default=50, ge=10, description="blind labels of each of two answers, below which nothing is learned"
    )
    confident: float = Field(
        default=0.95, gt=0.5, lt=1, description="how often a verdict that is called confident has to be right"
    )
    live_seconds: float = Field(
        default=1.5, gt=0, le=30, description="how long the ML backend waits for a judgement while a page opens"
    )
    cluster: str | None = Field(
        default=None, description="address of a Dask or Ray cluster for --task-runner; not set: one on this machine"
    )

    @property
    def limits(self) -> Limits:
        """What may be spent."""
        return Limits(
            calls_per_run=self.calls_per_run,
            calls_per_day=self.calls_per_day,
            usd_per_run=self.usd_per_run,
            usd_per_day=self.usd_per_day,
        )

    @property
    def judges(self) -> tuple[Member, ...]:
        """Who judges, in the order of who goes first where nothing else decides."""
        return self.members or (("llm", "learned") if self.model else ("learned",))
