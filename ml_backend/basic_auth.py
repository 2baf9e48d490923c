"""Who may ask: Basic auth (RFC 7617), and for webhooks a secret; both compared in constant time."""

import base64
import binascii
import hmac
from dataclasses import dataclass
from typing import Self

from pydantic import SecretStr

from goldloop.errors import ConfigError
from goldloop.settings import MlBackendSettings


@dataclass(frozen=True)
class Credentials:
    """What Label Studio has to send."""

    username: str
    password: SecretStr
    webhook_secret: SecretStr | None = None

    @classmethod
    def of(cls, settings: MlBackendSettings) -> Self:
        """`ConfigError` where one is missing, or cannot be sent: Label Studio encodes what is not ASCII otherwise."""
        username, password = settings.username, settings.password
        for name, value in (("USERNAME", username), ("PASSWORD", password.get_secret_value() if password else None)):
            if not value:
                raise ConfigError(f"GOLDLOOP_ML_BACKEND__{name} is not set: the ML backend serves nobody without it.")
            if not value.isascii() or (name == "USERNAME" and ":" in value):
                raise ConfigError(f"GOLDLOOP_ML_BACKEND__{name} cannot be sent by Basic auth: use ASCII, and no colon.")
        assert username is not None
        assert password is not None
        secret = settings.webhook_secret
        if secret is not None and not secret.get_secret_value().isascii():
            raise ConfigError("GOLDLOOP_ML_BACKEND__WEBHOOK_SECRET cannot be sent in a header: use ASCII.")
        return cls(username, password, secret)

    def admit(self, header: str | None) -> bool:
        """Whether an Authorization header carries them; it takes as long for a near miss as for a far one."""
        scheme, _, encoded = (header or "").partition(" ")
        try:
            sent = base64.b64decode(encoded.strip(), validate=True) if scheme.lower() == "basic" else b""
        except (binascii.Error, ValueError):
            sent = b""
        username, colon, password = sent.partition(b":")
        # `&`, and not `and`: a right user name must not take longer than a wrong one.
        return bool(
            hmac.compare_digest(username, self.username.encode())
            & hmac.compare_digest(password, self.password.get_secret_value().encode())
            & (colon == b":")
        )

    def admit_notice(self, secret: str | None) -> bool:
        """Whether a webhook's header carries the secret; never where none is set."""
        wanted = self.webhook_secret.get_secret_value() if self.webhook_secret else ""
        return hmac.compare_digest((secret or "").encode(), wanted.encode()) and wanted != ""
