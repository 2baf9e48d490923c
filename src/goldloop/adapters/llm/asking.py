"""One call to a model, in its vendor's terms: what goes out, what comes back, and which error is whose fault.

Nothing of a vendor's leaves this module: neither its answers nor its exceptions, which may quote what was sent.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic_ai import exceptions
from pydantic_ai.direct import model_request
from pydantic_ai.messages import (
    CachePoint,
    ModelRequest,
    ModelResponse,
    SystemPromptPart,
    TextPart,
    ToolCallPart,
    UserContent,
    UserPromptPart,
)
from pydantic_ai.models import Model as VendorModel
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.output import OutputObjectDefinition
from pydantic_ai.tools import ToolDefinition

from goldloop.adapters.llm.costs import Prices
from goldloop.adapters.llm.faults import no_api, translated, unsendable
from goldloop.adapters.llm.models import NamedModel
from goldloop.adapters.llm.schema import unions, with_unions
from goldloop.adapters.llm.way import Output, Way
from goldloop.errors import RemoteError, RetryableError
from goldloop.judge.logprobs import Token

_NAME: Final = "judgement"
_ANSWERS: Final = b'"answers"'
_UNIONS: Final = 16
_MOST_TOKENS: Final = 8_192
_MOST_WITH_THOUGHT: Final = 16_384
_MOST_LISTED: Final = 20
"""Alternatives of a token that servers list at most."""


@dataclass(frozen=True)
class Reply:
    """What came back: the text, or the arguments of the tool that was called; `None` where there is neither.

    `cut`: it ran into the limit of tokens. `declined`: the model refuses to answer. `usd` is None without a price.
    """

    text: str | None
    arguments: object = None
    tokens: tuple[Token, ...] = ()
    cut: bool = False
    declined: bool = False
    input_tokens: int = 0
    output_tokens: int = 0
    usd: float | None = None


@dataclass(frozen=True)
class Told:
    """What is the same for every trace: the instructions, the schema of the answer, and its labels for the verdict."""

    prompt: str
    schema: dict[str, Any]
    labels: int


class Asker:
    """Asks one model one thing in one way, about one trace after another."""

    def __init__(self, named: NamedModel, vendor: VendorModel, way: Way, prices: Prices) -> None:
        self._named = named
        self._vendor = vendor
        self._way = way
        self._prices = prices

    async def ask(self, told: Told, shown: str, trace: str, wrong: str | None) -> Reply:
        """The model's reply to the instructions, the examples (`shown`, may be empty) and the trace.

        `wrong` says what was wrong with its last answer, where it is asked once more.

        Raises:
            RetryableError: it may answer later.
            RejectedError: the server refuses this one request; the reason `too_long` where the trace is.
            FatalError: the server refuses whatever it is asked.
        """
        request = ModelRequest(parts=[SystemPromptPart(told.prompt), UserPromptPart(self._said(shown, trace, wrong))])
        failure: RemoteError | None = None
        try:
            async with asyncio.timeout(self._named.timeout):
                response = await model_request(
                    self._vendor,
                    [request],
                    model_settings=self._settings(told),  # type: ignore[arg-type]  # of both vendors, by their prefixes
                    model_request_parameters=self._parameters(told),
                    instrument=False,
                )
        except TimeoutError:
            failure = RetryableError(
                self._named.server,
                f"{self._named.name}: no answer within {self._named.timeout:g} seconds: try again later, or raise "
                "GOLDLOOP_JUDGE__TIMEOUT_SECONDS.",
            )
        except exceptions.ModelAPIError as error:
            failure = translated(error, self._named)
        except (exceptions.UnexpectedModelBehavior, LookupError, TypeError, AttributeError) as error:
            # The library reads an answer of a strange form (no choices, no message) as far as it goes.
            if not _is_no_api(error):
                return Reply(text=None)
            failure = no_api(self._named)
        except Exception as error:  # noqa: BLE001 - the vendors' libraries raise what they like
            failure = unsendable(error, self._named)
        # Raised out here, the error drags nothing of the vendor's along.
        if failure is not None:
            raise failure
        return self._reply(response)

    def _said(self, shown: str, trace: str, wrong: str | None) -> str | list[UserContent]:
        parts = [part for part in (shown, trace, wrong) if part]
        if self._named.speaks == "anthropic" and shown:
            return [shown, CachePoint(), *parts[1:]]
        return "\n\n".join(parts)

    def _settings(self, told: Told) -> dict[str, Any]:
        way = self._way
        settings: dict[str, Any] = {} if way.temperature is None else {"temperature": way.temperature}
        if self._named.speaks == "anthropic":
            most = _MOST_WITH_THOUGHT if self._named.thinks else _MOST_TOKENS
            return settings | {"max_tokens": most, "anthropic_cache_instructions": True}
        if way.logprobs:
            # Twice the labels and some: each may be begun in several ways.
            listed = min(_MOST_LISTED, max(5, 2 * told.labels + 1))
            settings |= {"openai_logprobs": True, "openai_top_logprobs": listed}
        return settings

    def _parameters(self, told: Told) -> ModelRequestParameters:
        anthropic = self._named.speaks == "anthropic"
        schema = with_unions(told.schema) if anthropic else told.schema
        output: Output = self._way.output
        if anthropic and output == "native" and unions(schema) > _UNIONS:
            output = "tool"
        if output == "tool":
            tool = ToolDefinition(
                name=_NAME,
                description="Give the judgement.",
                parameters_json_schema=schema,
                kind="output",
                strict=None if anthropic else True,
            )
            return ModelRequestParameters(output_mode="tool", output_tools=[tool], allow_text_output=False)
        judgement = OutputObjectDefinition(json_schema=schema, name=_NAME, strict=True)
        # The instructions end with the form of the answer: no template has to say it again.
        return ModelRequestParameters(output_mode=output, output_object=judgement, prompted_output_template=False)

    def _reply(self, response: ModelResponse) -> Reply:
        calls = [part for part in response.parts if isinstance(part, ToolCallPart) and part.tool_name == _NAME]
        texts = [part.content for part in response.parts if isinstance(part, TextPart)]
        details = response.provider_details or {}
        return Reply(
            text="".join(texts) if texts else None,
            arguments=calls[0].args if calls else None,
            tokens=_tokens(details.get("logprobs")),
            cut=response.finish_reason == "length",
            declined=response.finish_reason == "content_filter",
            input_tokens=response.usage.input_tokens,
            output_tokens=response.usage.output_tokens,
            usd=self._prices.of(response.usage),
        )


def _is_no_api(error: Exception) -> bool:
    return "expected JSON data" in str(error)


def _tokens(logged: Any) -> tuple[Token, ...]:
    """As servers log them, none where they do it in another way; alternatives from the answers on, where labels are."""
    try:
        texts = [_bytes(one) for one in logged or ()]
        answers = b"".join(texts).rfind(_ANSWERS)
        tokens, end = [], 0
        for text, one in zip(texts, logged or (), strict=True):
            end += len(text)
            listed = one.get("top_logprobs") or () if end > answers else ()
            alternatives = tuple((_bytes(other), float(other["logprob"])) for other in listed)
            tokens.append(Token(text, float(one["logprob"]), alternatives))
    except (LookupError, TypeError, ValueError, AttributeError):
        return ()
    return tuple(tokens)


def _bytes(logged: Mapping[str, Any]) -> bytes:
    # A token may be a part of a letter: then only its bytes say which.
    raw = logged.get("bytes")
    return bytes(raw) if raw is not None else str(logged["token"]).encode(errors="surrogatepass")
