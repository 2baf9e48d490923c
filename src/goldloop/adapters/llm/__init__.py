"""The LLM judge: OpenAI, Anthropic, and any server that speaks as OpenAI's does, by settings alone.

`judge.py` is the way of a page: what is asked, what was answered before, what the budget leaves, what came of it.
`line.py` is the connection to one model, `asking.py` one call in the vendors' own terms, `reading.py` what the answers
amount to. The vendors' libraries are imported when a judge is connected, and never by who merely names it.
"""

# ruff: noqa: PLC0415 - the vendors' libraries take a second to import, and only an extra brings them

from collections.abc import Sequence
from typing import TYPE_CHECKING

from goldloop.adapters.llm.pace import RealWaits, Waits
from goldloop.adapters.llm.tracing import Tracer
from goldloop.errors import ConfigError
from goldloop.judge.examples import ShownExample
from goldloop.judge.settings import JudgeSettings
from goldloop.ports import Clock, Ledger

if TYPE_CHECKING:
    from goldloop.adapters.llm.judge import LlmJudge

__all__ = ["connect"]


def connect(
    settings: JudgeSettings,
    model: str,
    ledger: Ledger,
    *,
    run: str,
    clock: Clock,
    examples: Sequence[ShownExample] = (),
    tracer: Tracer | None = None,
    waits: Waits | None = None,
) -> "LlmJudge":
    """A judge that asks `model`; nothing is sent yet. Close it after use.

    Args:
        settings: of judges; its `model` is not looked at.
        model: as in GOLDLOOP_JUDGE__MODEL, one of them.
        ledger: keeps answers and costs.
        clock: what calls are dated by.
        run: what its calls are counted by, for limits per run.
        examples: all that are approved, oldest first; each trace is shown a few of them.
        tracer: told of each call; it stays the caller's to close.
        waits: takes the place of real waiting in tests.

    Raises:
        ConfigError: the extra `llm` is missing, the model or its key is not known, the settings ask for what the model
            cannot do, or a budget in money is set for a model without a price.
    """
    try:
        from goldloop.adapters.llm.judge import LlmJudge
        from goldloop.adapters.llm.models import named
    except ImportError as error:
        raise ConfigError(
            "GOLDLOOP_JUDGE__MODEL names a model, and what talks to models is not installed: install goldloop with the "
            "extra `llm`, as in `pip install 'goldloop[llm]'`."
        ) from error
    return LlmJudge(
        settings,
        named(settings, model),
        ledger,
        run=run,
        clock=clock,
        examples=examples,
        tracer=tracer,
        waits=waits or RealWaits(),
    )
