"""Which model the settings name, where it is, by which key, and what it can do."""

# ruff: noqa: PLC0415 - each vendor's library takes a second to import, and one model needs one of them

import logging
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal
from urllib.parse import urlsplit

import httpx2
from pydantic import SecretStr
from pydantic_ai.models import Model as VendorModel
from pydantic_ai.profiles import ModelProfile

from goldloop.adapters.llm.way import Abilities
from goldloop.errors import ConfigError
from goldloop.judge.settings import JudgeSettings

_KEYS: Final = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY"}
_NO_KEY: Final = "none"
"""What a server without keys is sent, as both SDKs insist on one."""
_CONNECT_SECONDS: Final = 10.0
# At level DEBUG the SDKs log whole requests, and with them what users wrote.
_TALKATIVE: Final = ("openai", "anthropic", "httpx2", "httpcore2")
Speaks = Literal["openai", "anthropic"]


@dataclass(frozen=True)
class NamedModel:
    """A model as the settings name it. `speaks` is the API that its server has, `known` whether it is the vendor's own.

    Of a server of one's own (`known` is False) neither the price nor what it cannot do is known.
    """

    name: str
    model: str
    speaks: Speaks
    known: bool
    base_url: str | None
    key: SecretStr
    timeout: float

    @property
    def server(self) -> str:
        """Who is called, for people."""
        return f"the server of {self.name}"

    @property
    def can(self) -> Abilities:
        profile = self._profile
        fixed = bool(profile.get("anthropic_disallows_sampling_settings"))
        return Abilities(
            native=bool(profile.get("supports_json_schema_output", False)),
            tools=bool(profile.get("supports_tools", True)),
            temperature=not self.thinks and not fixed,
            logprobs=self.speaks == "openai" and not self.thinks,
        )

    @property
    def thinks(self) -> bool:
        """Whether it reasons before it answers, unless it is told not to."""
        return bool(self._profile.get("thinking_enabled_by_default"))

    def open(self) -> tuple[VendorModel, Callable[[], Awaitable[None]]]:
        """The model in the vendor's terms, and what closes its connections; for one event loop."""
        for name in _TALKATIVE:
            logging.getLogger(name).setLevel(logging.WARNING)
        timeout = httpx2.Timeout(self.timeout, connect=min(_CONNECT_SECONDS, self.timeout))
        key = self.key.get_secret_value()
        if self.speaks == "anthropic":
            from goldloop.adapters.llm import anthropic_models

            return anthropic_models.opened(self.model, base_url=self.base_url, key=key, timeout=timeout)
        from goldloop.adapters.llm import openai_models

        return openai_models.opened(self.model, known=self.known, base_url=self.base_url, key=key, timeout=timeout)

    @cached_property
    def _profile(self) -> ModelProfile:
        if self.speaks == "anthropic":
            from goldloop.adapters.llm import anthropic_models

            return anthropic_models.profile_of(self.model)
        from goldloop.adapters.llm import openai_models

        return openai_models.profile_of(self.model, known=self.known)


def named(settings: JudgeSettings, model: str) -> NamedModel:
    """The model that a name such as `openai:gpt-4.1-mini` stands for.

    With GOLDLOOP_JUDGE__BASE_URL a name without a provider, or with another, is that of a model on that server.

    Raises:
        ConfigError: it names none, its key is missing, or the address is none.
    """
    provider, _, rest = model.partition(":")
    known = provider in _KEYS and bool(rest)
    if not known and settings.base_url is None:
        raise ConfigError(
            f"GOLDLOOP_JUDGE__MODEL={model} names no model: set it to openai:NAME or anthropic:NAME, or set "
            "GOLDLOOP_JUDGE__BASE_URL to the address of the OpenAI-compatible server that has it."
        )
    speaks: Speaks = "anthropic" if known and provider == "anthropic" else "openai"
    return NamedModel(
        name=model,
        model=rest if known else model,
        speaks=speaks,
        known=known,
        base_url=_address(settings.base_url),
        key=_key(settings, speaks if known else None),
        timeout=settings.timeout_seconds,
    )


def _key(settings: JudgeSettings, provider: Speaks | None) -> SecretStr:
    # The provider's own key goes to no server but one that was named as the provider's, or as a proxy of it.
    variable = _KEYS[provider] if provider else ""
    found = settings.api_key.get_secret_value() if settings.api_key else os.environ.get(variable, "")
    key = found.strip()
    if not key and settings.base_url is None:
        raise ConfigError(f"the model has no key: set GOLDLOOP_JUDGE__API_KEY, or {variable}.")
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise ConfigError("GOLDLOOP_JUDGE__API_KEY is no key: it has blanks or letters that no key has; set it anew.")
    return SecretStr(key or _NO_KEY)


def _address(base_url: str | None) -> str | None:
    # It is not repeated in these messages: an address may carry a password.
    if base_url is None:
        return None
    try:
        parts = urlsplit(base_url.strip())
        fits = parts.scheme in {"http", "https"} and bool(parts.hostname)
        _ = parts.port
    except ValueError:
        fits = False
    if not fits:
        raise ConfigError(
            "GOLDLOOP_JUDGE__BASE_URL is no http(s) address: set it to one such as http://127.0.0.1:8000/v1."
        )
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ConfigError(
            "GOLDLOOP_JUDGE__BASE_URL holds more than an address: remove user, query and fragment, and set "
            "GOLDLOOP_JUDGE__API_KEY."
        )
    return base_url.strip().rstrip("/")
