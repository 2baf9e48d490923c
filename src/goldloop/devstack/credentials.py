"""The local servers' passwords and keys: random, made once, in a file that only its owner reads."""

import json
import os
import secrets
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from goldloop.devstack.places import shown
from goldloop.errors import ConfigError

ADMIN_EMAIL = "admin@goldloop.local"


class Credentials(BaseModel):
    """What the local servers are started with. The names without a secret are fixed."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    label_studio_username: str
    label_studio_password: SecretStr
    label_studio_token: SecretStr  # a legacy token: 40 hexadecimal digits
    prefect_auth: SecretStr  # "user:password", as Prefect wants it
    langfuse_public_key: str
    langfuse_secret_key: SecretStr
    ml_backend_username: str
    ml_backend_password: SecretStr
    # What webhooks show it. A file from before it was there lacks it, and the backend is started anew each time.
    ml_backend_webhook_secret: SecretStr = Field(default_factory=lambda: SecretStr(secrets.token_urlsafe(16)))
    annotator_password: SecretStr  # of the scripted annotators' accounts

    @classmethod
    def random(cls) -> Self:
        """New ones, from the system's source of randomness."""
        return cls(
            label_studio_username=ADMIN_EMAIL,
            label_studio_password=SecretStr(secrets.token_urlsafe(12)),
            label_studio_token=SecretStr(secrets.token_hex(20)),
            prefect_auth=SecretStr(f"goldloop:{secrets.token_urlsafe(12)}"),
            langfuse_public_key=f"pk-lf-{secrets.token_hex(8)}",
            langfuse_secret_key=SecretStr(f"sk-lf-{secrets.token_hex(16)}"),
            ml_backend_username="label-studio",
            ml_backend_password=SecretStr(secrets.token_urlsafe(16)),
            annotator_password=SecretStr(secrets.token_urlsafe(12)),
        )

    @classmethod
    def load_or_make(cls, file: Path) -> Self:
        """Read the file, or make and write it (mode 0600). Raises ConfigError when it cannot be used."""
        if file.exists():
            try:
                return cls.model_validate_json(file.read_text(encoding="utf-8"))
            except (OSError, UnicodeDecodeError, ValidationError):
                # The validation error itself would quote what it read.
                raise ConfigError(
                    f"{shown(file)} holds no credentials: remove the folder {shown(file.parent)} to start afresh."
                ) from None
        made = cls.random()
        _write(made, file)
        return made


def _write(credentials: Credentials, file: Path) -> None:
    plain = {name: value.get_secret_value() if isinstance(value, SecretStr) else value for name, value in credentials}
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as target:
        target.write(json.dumps(plain, indent=2) + "\n")
