"""What the tests of the page need from the machine: it may be missing, but not where it was promised."""

import os
from typing import NoReturn

import pytest

REQUIRED = "COMANDA_TEST_REQUIRE_BROWSER"
"""Set where a browser and node are installed, so that a skipped test cannot pass for a good one."""


def missing(what: str) -> NoReturn:
    """Skip this test and say why; fail it where `COMANDA_TEST_REQUIRE_BROWSER` is set."""
    if os.environ.get(REQUIRED):
        pytest.fail(f"{what} ({REQUIRED} is set)", pytrace=False)
    pytest.skip(what)
