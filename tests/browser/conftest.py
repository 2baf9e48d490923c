"""One browser, logged in, for all tests of this folder, and one client."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from browser.review import Chromium, chromium, logged_in
from conftest import LabelStudioServer
from goldloop.adapters.labelstudio import LabelStudio, connect


@pytest.fixture(scope="package")
def browser(label_studio: LabelStudioServer) -> Iterator[Chromium]:
    executable = chromium()
    if executable is None:
        pytest.skip("there is no Chromium: install one, for instance Debian's chromium")
    with logged_in(executable, label_studio) as started:
        yield started


@pytest.fixture(scope="package")
def tasks(label_studio: LabelStudioServer) -> Iterator[LabelStudio]:
    with closing(connect(label_studio.url, label_studio.api_key)) as connected:
        yield connected
