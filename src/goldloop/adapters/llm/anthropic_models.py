"""Anthropic's messages."""

from collections.abc import Awaitable, Callable

import httpx2
from anthropic import AsyncAnthropic, DefaultAsyncHttpxClient
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.profiles import ModelProfile
from pydantic_ai.providers.anthropic import AnthropicProvider

from goldloop.adapters.llm.trust import trusted


def profile_of(model: str) -> ModelProfile:
    return AnthropicProvider.model_profile(model) or {}


def opened(
    model: str, *, base_url: str | None, key: str, timeout: httpx2.Timeout
) -> tuple[AnthropicModel, Callable[[], Awaitable[None]]]:
    """The model, and what closes its connections. The SDK would try again by itself: it is told not to."""
    http = DefaultAsyncHttpxClient(verify=trusted(), timeout=timeout)
    client = AsyncAnthropic(api_key=key, base_url=base_url, max_retries=0, timeout=timeout, http_client=http)
    return AnthropicModel(model, provider=AnthropicProvider(anthropic_client=client)), client.close
