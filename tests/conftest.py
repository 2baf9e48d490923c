"""What tests share: one Label Studio, one Prefect server with its worker, one stand-in of Langfuse a run.

A server starts when the first test asks for it and ends with the run, whatever happens.
"""

# ruff: noqa: PLC0415 - the stack and what it is made of take a second to import, which tests of the core don't need

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import hypothesis
import pytest
from pydantic import SecretStr

if TYPE_CHECKING:
    from goldloop.devstack.stack import Stack

# What a small change breaks mostly shows at once (`make unit`), nearly always in some more examples (`make test`);
# a longer search: HYPOTHESIS_PROFILE=long make test
hypothesis.settings.register_profile("quick", max_examples=10, deadline=None)
hypothesis.settings.register_profile("short", max_examples=25, deadline=None)
hypothesis.settings.register_profile("long", max_examples=2000, deadline=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "short"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Over two workers: what shares Label Studio and Prefect stays on one, and the rest goes beside it on the other."""
    for item in items:
        # Who takes `server_of` asks for Label Studio by parameter, which the list of fixtures does not show.
        shares = "stack" in getattr(item, "fixturenames", ()) or hasattr(getattr(item, "module", None), "server_of")
        item.add_marker(pytest.mark.xdist_group("stack" if shares else "apart"))


@dataclass(frozen=True)
class LabelStudioServer:
    """A real Label Studio, and the key of its administrator."""

    url: str
    api_key: SecretStr
    username: str
    password: SecretStr


@dataclass(frozen=True)
class PrefectServer:
    """A real Prefect server with a process worker on the pool `goldloop`."""

    api_url: str
    auth_string: SecretStr
    variables: dict[str, str]

    def environment(self) -> dict[str, str]:
        """What a client, a flow or a worker finds it by."""
        return dict(self.variables)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Stack"]:
    """An empty stack in a folder of its own: the fixtures below start its parts."""
    from goldloop.devstack.langfuse_server import StandInManner
    from goldloop.devstack.places import Places
    from goldloop.devstack.stack import Stack

    places = Places(state=tmp_path_factory.mktemp("stack"))
    with Stack(places, manner=StandInManner(score_lag_seconds=1.0, observation_lag_seconds=0.5)) as started:
        yield started


@pytest.fixture(scope="session")
def label_studio(stack: "Stack") -> LabelStudioServer:
    from goldloop.devstack.stack import Part

    stack.start([Part.LABEL_STUDIO])
    assert stack.label_studio
    credentials = stack.credentials
    return LabelStudioServer(
        url=stack.label_studio.url,
        api_key=stack.label_studio.token,
        username=credentials.label_studio_username,
        password=credentials.label_studio_password,
    )


@pytest.fixture(scope="session")
def prefect_server(stack: "Stack", label_studio: LabelStudioServer) -> PrefectServer:
    """The worker's flows find every server of the stack, and the demo's traces among what others sent."""
    from goldloop.devstack.demo import Demo
    from goldloop.devstack.stack import Part

    stack.start([Part.PREFECT, Part.LANGFUSE])
    stack.start_worker(Demo.variables(stack))
    stack.deploy(schedules=False)
    assert stack.prefect
    return PrefectServer(stack.prefect.api_url, stack.prefect.auth, stack.prefect.environment())
