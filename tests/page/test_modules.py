"""The page's modules against node's own test runner: every `*.test.js` in this folder."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from .needed import missing

FOLDER = Path(__file__).parent
OLDEST_NODE = 20
"""The first whose test runner takes files and tells the modules' kind from package.json."""
PATIENCE_SECONDS = 120


def node() -> str:
    """The path of a node that is new enough; the test is skipped where there is none."""
    found = shutil.which("node")
    if found is None:
        missing("node is not installed")
    version = subprocess.run([found, "--version"], capture_output=True, text=True, check=True)
    major = re.match(r"v(\d+)", version.stdout)
    if major is None or int(major[1]) < OLDEST_NODE:
        missing(f"node {version.stdout.strip()} is older than {OLDEST_NODE}")
    return found


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.test.js")), ids=lambda path: path.name)
def test_the_modules_do_what_their_tests_say(file: Path) -> None:
    run = subprocess.run(
        [node(), "--test", "--test-reporter=tap", str(file)],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-8000:] + run.stderr[-2000:]
    passed = re.search(r"^# pass (\d+)$", run.stdout, re.MULTILINE)
    assert passed is not None
    assert int(passed[1]) > 0, "no test ran"
