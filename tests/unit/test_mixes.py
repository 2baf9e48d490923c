"""The named mixes."""

from datetime import UTC, datetime

import pytest

from goldloop.codebook.mixes import BALANCED, DEFAULT, HUNT, MEASURE, NAMED, settled
from goldloop.codebook.sampling import PolicySettings, Slice
from goldloop.sampling.mixture import check_shares

NOW = datetime(2026, 3, 2, tzinfo=UTC)
TARGET = Slice(name="drift", categories=("billing",), expires=datetime(2026, 3, 3, tzinfo=UTC))


@pytest.mark.parametrize("name", NAMED)
def test_shares_fit(name: str) -> None:
    check_shares({str(policy): share for policy, share in NAMED[name].shares.items()})
    assert NAMED[name].name == name
    assert NAMED[name].purpose


def test_the_default() -> None:
    assert DEFAULT is BALANCED
    assert list(BALANCED.shares.values()) == [0.25, 0.25, 0.30, 0.10, 0.10]


def test_risk_stands_in_for_targets_while_there_are_none() -> None:
    quiet = settled(BALANCED.shares, PolicySettings(), NOW)
    assert quiet["risk"] == pytest.approx(0.10)
    assert "targeted" not in quiet
    assert settled(BALANCED.shares, PolicySettings(slices=(TARGET,)), NOW) == BALANCED.shares
    assert settled(BALANCED.shares, PolicySettings(slices=(TARGET,)), TARGET.expires.replace(day=4)) == quiet


def test_it_adds_to_the_risk_that_is_there() -> None:
    assert settled({"random": 0.5, "risk": 0.2, "targeted": 0.3}, PolicySettings(), NOW)["risk"] == pytest.approx(0.5)


def test_mixes_without_targets_stay_as_they_are() -> None:
    for mix in (HUNT, MEASURE):
        assert settled(mix.shares, PolicySettings(), NOW) == mix.shares
