"""The servers that the settings name, each asked first whether it is what goldloop works with."""

from collections.abc import Callable
from typing import Final, TypeVar

from goldloop.adapters import labelstudio, langfuse
from goldloop.adapters.labelstudio import LabelStudio
from goldloop.adapters.langfuse import Langfuse
from goldloop.settings import Settings, needed

_WHERE: Final = "it in the environment or in a .env file here"
ServerT = TypeVar("ServerT", Langfuse, LabelStudio)


def langfuse_of(settings: Settings) -> Langfuse:
    """Raises: ConfigError where a setting is missing; as `TraceSource.check`."""
    connected = langfuse.connect(
        needed("LANGFUSE_HOST", settings.langfuse_host, _WHERE),
        needed("LANGFUSE_PUBLIC_KEY", settings.langfuse_public_key, _WHERE),
        needed("LANGFUSE_SECRET_KEY", settings.langfuse_secret_key, _WHERE),
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
        needed("LABEL_STUDIO_URL", settings.label_studio_url, _WHERE),
        needed("LABEL_STUDIO_API_KEY", settings.label_studio_api_key, _WHERE),
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
