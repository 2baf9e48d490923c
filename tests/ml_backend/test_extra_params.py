from typing import Any

import pytest

from ml_backend.extra_params import ExtraParams, ExtraParamsError, read_extra_params


@pytest.mark.parametrize("given", [None, "", {}, "{}", "null"])
def test_nothing_given_sets_nothing(given: Any) -> None:
    assert read_extra_params(given) == ExtraParams(live=True, deadline_seconds=None)


@pytest.mark.parametrize("given", [{"live": False, "deadline_seconds": 1}, '{"live": false, "deadline_seconds": 1.0}'])
def test_what_is_given_counts_as_text_too(given: Any) -> None:
    assert read_extra_params(given) == ExtraParams(live=False, deadline_seconds=1.0)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"liv": False}, "liv"),
        ({"live": "secret-value"}, "live"),
        ({"live": 1}, "live"),
        ({"deadline_seconds": 0}, "deadline_seconds"),
        ({"deadline_seconds": 31}, "deadline_seconds"),
        ({"deadline_seconds": float("nan")}, "deadline_seconds"),
        ({"secret value\n": 1}, "a name that is none"),
        ([], "no JSON object"),
        (7, "no JSON object"),
        ("secret-value", "no JSON"),
    ],
)
def test_what_is_wrong_is_named_and_not_quoted(given: Any, named: str) -> None:
    with pytest.raises(ExtraParamsError, match=named) as refused:
        read_extra_params(given)
    assert "secret" not in str(refused.value)
    assert refused.value.__context__ is None or refused.value.__suppress_context__
