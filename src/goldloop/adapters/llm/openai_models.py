"""OpenAI's chat completions, and servers of one's own that speak like it."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
from openai import AsyncOpenAI, DefaultAsyncHttpxClient, NotGiven, Omit
from openai.resources.chat import AsyncCompletions
from openai.types.chat import ChatCompletion
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.models.openai._chat_completions import LenientChatCompletion
from pydantic_ai.profiles import ModelProfile, merge_profile
from pydantic_ai.providers import Provider
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider

from goldloop.adapters.llm.trust import trusted

# The schema of an answer is one that OpenAI takes as it is: there is nothing to transform anew for each call.
_AS_IT_IS = ModelProfile(json_schema_transformer=None)
# vLLM, Ollama and llama.cpp hold an answer to a schema, whatever model they run. They may also take a mark of their
# chat template inside a trace for the real one, so these marks are broken up.
_OWN_SERVER = ModelProfile(
    supports_json_schema_output=True,
    supports_json_object_output=True,
    may_tokenize_special_tokens_in_content=True,
    json_schema_transformer=None,
)


class PlainCompletions(AsyncCompletions):
    """Sends a request as it is given.

    It comes as plain JSON already. Held against the types of all that OpenAI takes, as the SDK does with each part of
    each request, it takes a third more of a core.
    """

    async def create(self, **given: Any) -> Any:
        headers, more = given.pop("extra_headers", None), given.pop("extra_body", None)
        body = {name: value for name, value in given.items() if not isinstance(value, Omit | NotGiven)}
        return await self._client.post(
            "/chat/completions",
            cast_to=ChatCompletion,
            body=body | (more or {}),
            options={"headers": headers} if headers else {},
        )


class ChatModel(OpenAIChatModel):
    """Checks all of an answer but its log-probabilities.

    They are most of it (some hundreds of entries), and the library would copy and check each: of 120 tokens in 6 ms of
    a core. They are looked at where a label stands, and taken for none where they have another form.
    """

    def _validate_completion(self, response: ChatCompletion) -> LenientChatCompletion:
        logged = [getattr(choice, "logprobs", None) for choice in response.choices]
        for choice in response.choices:
            choice.logprobs = None
        checked = super()._validate_completion(response)
        for choice, logprobs in zip(checked.choices, logged, strict=True):
            choice.logprobs = logprobs
        return checked

    def _process_provider_details(self, response: ChatCompletion) -> dict[str, Any] | None:
        try:
            return super()._process_provider_details(response)
        except (AttributeError, TypeError):
            response.choices[0].logprobs = None
            return super()._process_provider_details(response)


def profile_of(model: str, *, known: bool) -> ModelProfile:
    if known:
        return merge_profile(OpenAIProvider.model_profile(model), _AS_IT_IS)
    return merge_profile(OpenAICompatibleProvider.model_profile(model), _OWN_SERVER)


def opened(
    model: str, *, known: bool, base_url: str | None, key: str, timeout: httpx2.Timeout
) -> tuple[ChatModel, Callable[[], Awaitable[None]]]:
    """The model, and what closes its connections. The SDK would try again by itself: it is told not to."""
    http = DefaultAsyncHttpxClient(verify=trusted(), timeout=timeout)
    client = AsyncOpenAI(api_key=key, base_url=base_url, max_retries=0, timeout=timeout, http_client=http)
    client.chat.completions = PlainCompletions(client)  # type: ignore[misc]  # a cached property: it can be set
    provider: Provider[AsyncOpenAI] = (
        OpenAIProvider(openai_client=client)
        if known
        else OpenAICompatibleProvider("openai-compatible", openai_client=client)
    )
    profile = profile_of(model, known=known)
    return ChatModel(model, provider=provider, profile=profile), client.close
