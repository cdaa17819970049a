"""Where a browser and node were promised, their absence is a failure and not a skip."""

import subprocess
import sys
from pathlib import Path

from tests.cli.helpers import clean_environment

from .needed import REQUIRED

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
PATIENCE_SECONDS = 120
IN_NEED = [
    f"{FOLDER / 'test_shared_cart.py'}::test_a_code_of_no_table_says_so",
    f"{FOLDER / 'test_modules.py'}::test_the_modules_do_what_their_tests_say[cart.test.js]",
]
"""One that needs the browser and one that needs node."""


def run_with_nothing_on_the_path(**environment: str) -> str:
    """How two tests end where neither the browser nor node is found, with the reasons."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", *IN_NEED]
    run = subprocess.run(
        command,
        cwd=ROOT,
        env=clean_environment(PATH="", **environment),
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    return run.stdout + run.stderr


def test_without_browser_and_node_the_tests_are_skipped_and_say_why() -> None:
    said = run_with_nothing_on_the_path()
    assert "2 skipped in" in said, said
    assert "no Chromium on this machine" in said
    assert "node is not installed" in said


def test_without_browser_and_node_the_tests_fail_where_both_are_required() -> None:
    said = run_with_nothing_on_the_path(**{REQUIRED: "1"})
    assert "1 failed, 1 error in" in said, said
    assert "no Chromium on this machine" in said
    assert "node is not installed" in said
    assert " skipped" not in said
