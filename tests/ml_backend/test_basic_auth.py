import base64

import pytest
from pydantic import SecretStr

from goldloop.errors import ConfigError
from goldloop.settings import MlBackendSettings
from ml_backend.basic_auth import Credentials

CREDENTIALS = Credentials("goldloop", SecretStr("correct: horse"))


def basic(text: str, scheme: str = "Basic") -> str:
    return f"{scheme} {base64.b64encode(text.encode()).decode()}"


@pytest.mark.parametrize("header", [basic("goldloop:correct: horse"), basic("goldloop:correct: horse", "bASIC")])
def test_the_right_ones_are_admitted(header: str) -> None:
    assert CREDENTIALS.admit(header)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Basic",
        "Basic ",
        "Basic !!!",
        "Basic é",
        basic(""),
        basic(":"),
        basic("goldloop"),
        basic("goldloop:"),
        basic("goldloop:correct"),
        basic("goldloop:correct: horses"),
        basic("Goldloop:correct: horse"),
        basic(":correct: horse"),
        basic("goldloop:correct: horse", "Bearer"),
    ],
)
def test_nothing_else_is(header: str | None) -> None:
    assert not CREDENTIALS.admit(header)


@pytest.mark.parametrize(
    ("username", "password", "named"),
    [
        (None, "secret", "GOLDLOOP_ML_BACKEND__USERNAME"),
        ("goldloop", None, "GOLDLOOP_ML_BACKEND__PASSWORD"),
        ("goldloop", "", "GOLDLOOP_ML_BACKEND__PASSWORD"),
        ("gold:loop", "secret", "GOLDLOOP_ML_BACKEND__USERNAME"),
        ("goldloop", "geheim-ß", "GOLDLOOP_ML_BACKEND__PASSWORD"),
    ],
)
def test_what_cannot_work_is_refused_by_name(username: str | None, password: str | None, named: str) -> None:
    settings = MlBackendSettings(username=username, password=SecretStr(password) if password is not None else None)
    with pytest.raises(ConfigError, match=named) as refused:
        Credentials.of(settings)
    assert "geheim" not in str(refused.value)


def test_a_webhook_shows_its_secret() -> None:
    credentials = Credentials("goldloop", SecretStr("p"), SecretStr("hook-1"))
    assert credentials.admit_notice("hook-1")
    assert not any(credentials.admit_notice(sent) for sent in (None, "", "hook", "hook-1 ", "Hook-1", "höök"))


@pytest.mark.parametrize("secret", [None, SecretStr("")])
def test_without_a_secret_no_header_opens_anything(secret: SecretStr | None) -> None:
    credentials = Credentials("goldloop", SecretStr("p"), secret)
    assert not any(credentials.admit_notice(sent) for sent in (None, "", "None"))


def test_a_secret_that_no_header_can_carry_is_refused_by_name() -> None:
    settings = MlBackendSettings(username="u", password=SecretStr("p"), webhook_secret=SecretStr("geheim-ß"))
    with pytest.raises(ConfigError, match="GOLDLOOP_ML_BACKEND__WEBHOOK_SECRET") as refused:
        Credentials.of(settings)
    assert "geheim" not in str(refused.value)
    assert "p" not in repr(Credentials.of(settings.model_copy(update={"webhook_secret": None}))).split("'")
