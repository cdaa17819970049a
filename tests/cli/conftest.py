"""One server for the tests of `join`: each takes tables of its own."""

from collections.abc import Iterator

import pytest

from .helpers import Server, a_server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    options = ("--pos-delay", "0.2", "--retry-delay", "0.1", "--rate-limits", "off")
    with a_server(tmp_path_factory.mktemp("server"), *options, tables=20) as running:
        yield running
