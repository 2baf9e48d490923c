"""What an operator can set, all by environment variables (or a `.env` file). docs/settings.md lists them."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import AliasChoices, BaseModel, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict, SettingsError

from goldloop.errors import ConfigError
from goldloop.judge.settings import BY_COMMAS, JudgeSettings
from goldloop.signals.judges import SignalSettings

_EXAMPLE = "GOLDLOOP_PULL__LAG_SECONDS=30"
SettingT = TypeVar("SettingT", str, SecretStr)


class PullSettings(BaseModel):
    """How `pull` reads Langfuse."""

    since: datetime | None = Field(default=None, description="never look further back than this (RFC 3339 with a zone)")
    lookback_days: int = Field(
        default=14, ge=1, description="how far back the first pull looks where `since` is not set"
    )
    overlap_minutes: int = Field(
        default=60, ge=0, description="re-read below the watermark: longer than your longest trace"
    )
    lag_seconds: int = Field(
        default=30, ge=0, description="stay this far behind now: longer than the server's read lag"
    )
    category: str = Field(
        default="name",
        pattern=r"^(name|environment|model|tag|tag:.+|metadata:.+)$",
        description="what a trace's category is: name, environment, model, tag, tag:PREFIX or metadata:KEY",
    )
    environments: Annotated[tuple[str, ...], NoDecode, BY_COMMAS] = Field(
        default=(), description="only these, by commas; empty: all"
    )
    cluster: str | None = Field(
        default=None,
        pattern=r"^(name|environment|model|tag|tag:.+|metadata:.+)$",
        description="what names a trace's topic or cluster, for slices: as for the category; not set: nothing",
    )
    sketch: bool = Field(
        default=False,
        description="also read each root's input, and keep a 64-bit sketch of its words for the diversity policy",
    )
    rootless: bool = Field(default=True, description="also find traces whose root observation was never exported")

    @field_validator("since")
    @classmethod
    def _zoned(cls, value: datetime | None) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("needs a zone, as in 2026-01-31T00:00:00Z")
        return value.astimezone(UTC) if value else None


class MlBackendSettings(BaseModel):
    """How Label Studio reaches the ML backend."""

    url: str | None = Field(default=None, description="the ML backend's address as Label Studio reaches it")
    username: str | None = Field(default=None, description="the user name that it asks for")
    password: SecretStr | None = Field(default=None, description="the password that it asks for")
    webhook_secret: SecretStr | None = Field(
        default=None, description="what Label Studio's webhooks show it in a header; not set: they start no fit"
    )


class WebhookSettings(BaseModel):
    """How Label Studio's webhooks wake the next poll."""

    secret: SecretStr | None = Field(
        default=None,
        min_length=16,
        description="what Label Studio's webhooks show the receiver in a header, 16 characters or more",
    )
    url: str | None = Field(default=None, description="the receiver's address as Label Studio reaches it")
    host: str = Field(default="127.0.0.1", description="the address of this machine that the receiver listens on")
    port: int = Field(default=9091, ge=1, le=65535, description="the port that it listens on")
    deployments: Annotated[
        tuple[Annotated[str, Field(pattern=r"^([^/=,]+=)?[^/=,]+/[^/=,]+$")], ...], NoDecode, BY_COMMAS
    ] = Field(
        default=("run/run",),
        description="what it wakes, by commas: FLOW/DEPLOYMENT, or QUEUE=FLOW/DEPLOYMENT for webhooks of one queue",
    )
    quiet_seconds: float = Field(
        default=5, ge=0, description="how long the first webhook waits for others, since annotators submit in a row"
    )
    interval_seconds: float = Field(
        default=60, ge=1, description="how far apart runs that were woken are, at least; also when one is tried again"
    )


class Settings(BaseSettings):
    """Read once, at start. The servers' own names are kept where Langfuse and Label Studio have them."""

    model_config = SettingsConfigDict(
        env_prefix="GOLDLOOP_", env_nested_delimiter="__", env_file=".env", extra="ignore", hide_input_in_errors=True
    )

    langfuse_host: str | None = Field(
        default=None,
        validation_alias=AliasChoices("LANGFUSE_HOST", "LANGFUSE_BASE_URL"),
        description="Langfuse's address, such as https://cloud.langfuse.com",
    )
    langfuse_public_key: SecretStr | None = Field(
        default=None, validation_alias="LANGFUSE_PUBLIC_KEY", description="the public key of its project"
    )
    langfuse_secret_key: SecretStr | None = Field(
        default=None, validation_alias="LANGFUSE_SECRET_KEY", description="the secret key of its project"
    )
    label_studio_url: str | None = Field(
        default=None,
        validation_alias="LABEL_STUDIO_URL",
        description="Label Studio's address, such as http://127.0.0.1:8080",
    )
    label_studio_api_key: SecretStr | None = Field(
        default=None,
        validation_alias="LABEL_STUDIO_API_KEY",
        description="a personal access token of Label Studio, or a legacy token where it takes them",
    )
    langfuse_public_url: str | None = Field(
        default=None, description="Langfuse's address in a browser, where it is not LANGFUSE_HOST; links lead there"
    )
    label_studio_public_url: str | None = Field(
        default=None, description="Label Studio's address in a browser, where it is not LABEL_STUDIO_URL"
    )
    label_studio_moved: bool = Field(
        default=False, description="LABEL_STUDIO_URL is the new address of the same server; true for one run"
    )

    store_url: str = Field(default="sqlite:///.goldloop/goldloop.db", description="SQLite or PostgreSQL, as a URL")
    codebooks: Path = Field(default=Path("label_configs"), description="folder of the codebooks")
    queue: str | None = Field(
        default=None,
        description="the queue that commands and flows take where none is named; needed where there are more",
    )
    evals: Path = Field(default=Path("evals"), description="folder of the golden sets")
    confirm_seconds: int = Field(default=30, ge=0, description="how long publish waits to read back what it sent")
    lock_seconds: int = Field(default=60, ge=3, description="after this long a dead run's lock is free")
    pull: PullSettings = PullSettings()
    signals: SignalSettings = SignalSettings()
    judge: JudgeSettings = JudgeSettings()
    ml_backend: MlBackendSettings = MlBackendSettings()
    webhook: WebhookSettings = WebhookSettings()


def load() -> Settings:
    """The settings; `ConfigError` names each variable that is wrong, and never its value."""
    try:
        return Settings()
    except ValidationError as error:
        wrong = "; ".join(f"{_variable(one['loc'])}: {one['msg']}" for one in error.errors(include_url=False))
        raise ConfigError(f"these settings are wrong: {wrong}") from None
    except SettingsError:
        # Its message may quote the value. Only the groups, and what is a list or a table in them, are read as JSON.
        groups = "GOLDLOOP_PULL, GOLDLOOP_SIGNALS, GOLDLOOP_JUDGE, GOLDLOOP_ML_BACKEND and GOLDLOOP_WEBHOOK"
        raise ConfigError(
            f"{groups} are JSON objects: unset them, and set their members, as in {_EXAMPLE}; "
            "GOLDLOOP_SIGNALS__RULES and GOLDLOOP_SIGNALS__JUDGES are JSON lists"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        why = error.__class__.__name__
        raise ConfigError(f"the file .env cannot be read as UTF-8 text ({why}): mend or remove it") from None


def needed(name: str, value: SettingT | None, what: str) -> SettingT:
    """A setting that only some commands want. `ConfigError` where it is missing, with what to set."""
    if not value:
        raise ConfigError(f"{name} is not set: set {what}")
    return value


def _variable(location: tuple[int | str, ...]) -> str:
    name = "__".join(str(part) for part in location).upper()
    return name if name.startswith(("LANGFUSE_", "LABEL_STUDIO_")) else f"GOLDLOOP_{name}"
