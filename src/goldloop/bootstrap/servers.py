"""The servers that the settings name, each asked first whether it is what goldloop works with."""

from collections.abc import Callable
from typing import TypeVar

from pydantic import SecretStr

from goldloop.adapters import labelstudio, langfuse
from goldloop.adapters.labelstudio import LabelStudio
from goldloop.adapters.langfuse import Langfuse
from goldloop.errors import ConfigError
from goldloop.settings import Settings

ServerT = TypeVar("ServerT", Langfuse, LabelStudio)
SettingT = TypeVar("SettingT", str, SecretStr)


def langfuse_of(settings: Settings) -> Langfuse:
    """Raises: ConfigError where a setting is missing; as `TraceSource.check`."""
    connected = langfuse.connect(
        _needed("LANGFUSE_HOST", settings.langfuse_host),
        _needed("LANGFUSE_PUBLIC_KEY", settings.langfuse_public_key),
        _needed("LANGFUSE_SECRET_KEY", settings.langfuse_secret_key),
        category=settings.pull.category,
        environments=settings.pull.environments,
        rootless=settings.pull.rootless,
        cluster=settings.pull.cluster,
        sketch=settings.pull.sketch,
        public_url=settings.langfuse_public_url,
    )
    return _checked(connected, connected.source.check)


def label_studio_of(settings: Settings) -> LabelStudio:
    """Raises: ConfigError where a setting is missing; as `TaskQueue.check`."""
    connected = labelstudio.connect(
        _needed("LABEL_STUDIO_URL", settings.label_studio_url),
        _needed("LABEL_STUDIO_API_KEY", settings.label_studio_api_key),
        public_url=settings.label_studio_public_url,
    )
    return _checked(connected, connected.check)


def _checked(server: ServerT, check: Callable[[], str]) -> ServerT:
    """The server, once it has shown a version that is supported and taken the key: else nothing is begun with it."""
    try:
        check()
    except BaseException:
        server.close()
        raise
    return server


def _needed(name: str, value: SettingT | None) -> SettingT:
    if not value:
        raise ConfigError(f"{name} is not set: set it in the environment or in a .env file here")
    return value
