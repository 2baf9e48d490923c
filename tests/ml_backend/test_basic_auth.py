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
