"""What the tests of the front share."""

import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from .server import Server, TestPos, serving


@pytest.fixture(autouse=True)
def complaints(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No guest may cause an error in the server's log. An incident is one on purpose: of the POS's making."""
    yield
    logged = [*caplog.get_records("setup"), *caplog.get_records("call"), *caplog.records]
    errors = [one.msg for one in logged if one.levelno >= logging.ERROR]
    assert [told for told in errors if not is_incident(told)] == []


def is_incident(told: object) -> bool:
    """Whether a record's message is an event of ours that tells of an incident."""
    return isinstance(told, dict) and told["event"] == "incident"


@pytest.fixture
def pos() -> TestPos:
    """The restaurant's POS; accepts at once unless the test writes down something else."""
    return TestPos()


@pytest.fixture
async def server(tmp_path: Path, pos: TestPos) -> AsyncIterator[Server]:
    """A server with the default settings."""
    async with serving(tmp_path, pos) as running:
        yield running
