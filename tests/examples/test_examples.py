"""Everything in `examples/` runs: the sessions all at once on one server, the programs by themselves."""

import subprocess
import sys
from pathlib import Path

import pytest
import trio

from comanda.client.player import play
from comanda.client.session_file import SessionFile, load_session_file
from comanda.client.table_choice import hold_table
from comanda.client.timeline import Played
from tests.client.embedded import embedded_server

EXAMPLES = Path(__file__).parents[2] / "examples"
LONGEST_PLAY_SECONDS = 60
LONGEST_PROGRAM_SECONDS = 60


async def test_every_example_session_passes_at_the_same_time_on_one_server(tmp_path: Path) -> None:
    files = sorted(EXAMPLES.glob("*.toml"))
    assert len(files) >= 8, "one for each scenario of the specification"
    results: list[Played] = []

    async def run(url: str, file: SessionFile, code: str) -> None:
        async with hold_table(url, code, len(file.members)) as table:
            results.append(await play(file, url, table))

    with trio.fail_after(LONGEST_PLAY_SECONDS):
        async with (
            embedded_server(tmp_path, demo_tables=len(files)) as server,
            trio.open_nursery() as nursery,
        ):
            for path, code in zip(files, server.table_codes, strict=True):
                nursery.start_soon(run, server.url, load_session_file(path), code)
    assert len(results) == len(files)
    assert [one.sentence for one in results if not one.passed] == []


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_every_example_program_tells_its_story_and_ends(path: Path, tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-W", "error", str(path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=LONGEST_PROGRAM_SECONDS,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert len(ran.stdout.splitlines()) >= 5
    assert list(tmp_path.iterdir()) == [], "examples leave nothing behind"
