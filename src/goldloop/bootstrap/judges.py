"""Who judges a queue, by the settings."""

# ruff: noqa: PLC0415 - models and tracing are extras, and take seconds to import

import logging
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING

from goldloop.adapters.store import SqlStore
from goldloop.errors import ConfigError, RejectedError
from goldloop.judge.examples import ShownExample
from goldloop.judge.lexical import LexicalJudge
from goldloop.judge.panel import Panel
from goldloop.pipeline.examples import counting_answers
from goldloop.pipeline.learn import current_fits, learned_judge
from goldloop.pipeline.payload import fetch
from goldloop.ports import Clock, Judge, Ledger, TraceSource
from goldloop.settings import Settings

if TYPE_CHECKING:
    from goldloop.adapters.llm.tracing import Tracer

_log = logging.getLogger(__name__)


def judge_of(
    settings: Settings,
    store: SqlStore,
    queue: str,
    *,
    run: str,
    clock: Clock,
    ledger: Ledger | None = None,
    source: Callable[[], TraceSource] | None = None,
) -> Panel:
    """The queue's judges as they are now: what was fitted to labels by now, and the models that may be asked.

    Close it: models hold connections. `run` is what calls to models are counted by, `ledger` where (the store, without
    one). `source` is asked for only where a model is to be shown approved examples; without one there are none.

    Raises:
        ConfigError: a model is to be asked and none is set, or an extra is not installed.
        RetryableError, FatalError: of the source, while it is asked for examples.
    """
    members: list[Judge] = []
    floor = settings.judge.floor
    fits = current_fits(store, queue, floor)
    with ExitStack() as open_ones:
        for kind in dict.fromkeys(settings.judge.judges):
            if kind == "learned":
                members.append(learned_judge(store, queue, fits, floor))
            elif kind == "lexical":
                members.append(LexicalJudge())
            else:
                members += _models(settings, store, queue, run, clock, ledger or store, source, open_ones)
        return Panel(members, fits, close=open_ones.pop_all().close)


def examples_of(store: SqlStore, queue: str, source: TraceSource) -> list[ShownExample]:
    """The approved examples with their traces and answers, oldest approval first.

    One whose trace is gone, or whose verdict does not count any more, is left out, and the log says so.
    """
    lineage = store.lineage(queue)
    if not lineage.versions:
        return []
    codebook = lineage.newest.codebook
    found = []
    for example in store.examples(queue):
        answers = counting_answers(store, queue, example.trace_id)
        if codebook.verdict.name not in answers:
            _log.warning("the example %s is left out: its verdict does not count any more", example.trace_id)
            continue
        try:
            trace = fetch(source, example.trace_id, pairwise=codebook.pairwise)
        except RejectedError as error:
            _log.warning("the example %s is left out: %s", example.trace_id, error.reason)
        else:
            found.append(ShownExample(trace, answers))
    return found


def _models(
    settings: Settings,
    store: SqlStore,
    queue: str,
    run: str,
    clock: Clock,
    ledger: Ledger,
    source: Callable[[], TraceSource] | None,
    open_ones: ExitStack,
) -> list[Judge]:
    """One judge a model; `open_ones` closes them."""
    from goldloop.adapters import llm

    if not settings.judge.model:
        raise ConfigError(
            "GOLDLOOP_JUDGE__MEMBERS names llm, and no model is set: set GOLDLOOP_JUDGE__MODEL, such as "
            "openai:gpt-4.1-mini, or take llm out of the members"
        )
    wanted = source is not None and settings.judge.examples > 0 and bool(store.examples(queue))
    examples = examples_of(store, queue, source()) if source is not None and wanted else []
    tracer = _tracer(settings) if settings.judge.trace else None
    if tracer is not None:
        open_ones.callback(tracer.close)
    models: list[Judge] = []
    for model in dict.fromkeys(settings.judge.model):
        judge = llm.connect(settings.judge, model, ledger, run=run, clock=clock, examples=examples, tracer=tracer)
        open_ones.callback(judge.close)
        models.append(judge)
    return models


def _tracer(settings: Settings) -> "Tracer":
    from goldloop.adapters.llm.tracing import langfuse_tracer

    host, public, secret = settings.langfuse_host, settings.langfuse_public_key, settings.langfuse_secret_key
    if not (host and public and secret):
        raise ConfigError(
            "GOLDLOOP_JUDGE__TRACE sends the judge's calls to Langfuse: set LANGFUSE_HOST, LANGFUSE_PUBLIC_KEY and "
            "LANGFUSE_SECRET_KEY, or unset it"
        )
    return langfuse_tracer(host, public, secret)
