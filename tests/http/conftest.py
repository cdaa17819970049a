"""What the tests of the front share."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from .server import Server, TestPos, serving


@pytest.fixture(autouse=True)
def complaints() -> Iterator[list[Any]]:
    """What the server logs. An error in it fails the test: no guest may cause one."""
    with structlog.testing.capture_logs() as logged:
        yield logged
    assert [entry for entry in logged if entry["log_level"] == "error"] == []


@pytest.fixture
def pos() -> TestPos:
    """The restaurant's POS; accepts at once unless the test writes down something else."""
    return TestPos()


@pytest.fixture
async def server(tmp_path: Path, pos: TestPos) -> AsyncIterator[Server]:
    """A server with the default settings."""
    async with serving(tmp_path, pos) as running:
        yield running
