"""Storage fails under a real server: nobody is told a lie, nothing stops, and afterwards all goes on."""

import resource
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from comanda.client import ApiError, open_table
from tests.server_process import Server, a_server

from .evening import an_evening

QUICK = ("--pos-delay", "0.1")

HIT = 60
"""The COMMIT at which a fault begins: the tables are seated and at work by then."""

SPREAD = 30
"""Faults that come in several COMMITs are over after so many more."""


def failing(place: str, action: str, *hits: int) -> str:
    """The same failure at several COMMITs, counted from `HIT`."""
    return "; ".join(f"{place}={action}@{HIT + hit}" for hit in hits)


async def test_an_error_before_the_commit_changes_nothing_and_is_told(tmp_path: Path) -> None:
    failpoints = failing("commit.before", "error", *range(0, SPREAD, 3))
    async with a_server(tmp_path, *QUICK, failpoints=failpoints) as server:
        async with an_evening(server) as evening:
            await evening.until_committed(HIT + SPREAD)
            await evening.end_well()
        assert evening.refusals > 5
        assert evening.cuts == 0


async def test_an_error_after_the_commit_is_found_out_and_nobody_notices(tmp_path: Path) -> None:
    failpoints = failing("commit.after", "error", *range(0, SPREAD, 3))
    async with a_server(tmp_path, *QUICK, failpoints=failpoints) as server:
        async with an_evening(server) as evening:
            await evening.until_committed(HIT + SPREAD)
            await evening.end_well()
        assert (evening.cuts, evening.refusals) == (0, 0)


async def test_a_commit_of_unknown_outcome_restores_its_tables_to_what_is_durable(
    tmp_path: Path,
) -> None:
    # The second failure of each pair is that of the look at what the first has done.
    failpoints = failing("commit.after", "error", 0, 1, 10, 11, 20, 21)
    async with a_server(tmp_path, *QUICK, failpoints=failpoints) as server:
        async with an_evening(server) as evening:
            await evening.until_committed(HIT + SPREAD)
            await evening.end_well()
        assert evening.cuts > 0


async def test_storage_that_takes_five_seconds_is_told_of_and_nothing_is_lost(
    tmp_path: Path,
) -> None:
    failpoints = (
        f"{failing('commit.before', 'sleep(5)', 0)}; {failing('commit.after', 'sleep(5)', 1)}"
    )
    async with (
        a_server(tmp_path, *QUICK, failpoints=failpoints) as server,
        an_evening(server) as evening,
    ):
        await evening.until_not_ready()
        await evening.until(lambda: evening.cuts > 0)
        await evening.end_well()


async def test_a_database_that_is_gone_for_ten_seconds_comes_back_to_all_tables(
    tmp_path: Path,
) -> None:
    failpoints = failing("commit.before", "outage(10)", 0)
    async with a_server(tmp_path, *QUICK, failpoints=failpoints) as server:
        async with an_evening(server) as evening:
            await evening.until_not_ready()
            with pytest.raises(ApiError) as refused:
                async with open_table(server.url, "demo-3", "Dee"):
                    raise AssertionError("nobody can sit down while nothing can be read")
            assert (refused.value.status, refused.value.code) == (503, "storage_unavailable")
            await evening.end_well()
        async with open_table(server.url, "demo-3", "Dee") as dee:
            await dee.add_to_cart(456)


async def test_a_database_that_another_process_locks_is_told_of_and_comes_back(
    tmp_path: Path,
) -> None:
    async with a_server(tmp_path, *QUICK) as server, an_evening(server) as evening:
        stranger = sqlite3.connect(server.database, timeout=10, isolation_level=None)
        stranger.execute("BEGIN EXCLUSIVE")
        await evening.until_all_have_heard()
        await evening.until_not_ready()
        stranger.execute("ROLLBACK")
        stranger.close()
        await evening.end_well()


def fill_disk(server: Server) -> Callable[[], None]:
    """Write until nothing more goes onto the database's disk; the answer makes room again."""
    filler = server.database.with_name("filler")
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    assert shutil.disk_usage(filler.parent).free == 0
    return filler.unlink


def forbid_growth(server: Server) -> Callable[[], None]:
    """No file of the process may grow beyond the log of the database; the answer allows it again."""
    before = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
    size = server.database.with_name(server.database.name + "-wal").stat().st_size
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (size, before[1]))

    def allow() -> None:
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, before)

    return allow


@contextmanager
def a_small_disk(folder: Path) -> Iterator[None]:
    """A file system of its own at `folder`; skips the test where none may be mounted."""
    mounting = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)]
    try:
        subprocess.run(mounting, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no file system may be mounted here: {error}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("how", ["no space", "no growth"])
async def test_a_full_disk_is_told_of_and_all_goes_on_when_there_is_room(
    tmp_path: Path, how: str
) -> None:
    with ExitStack() as stack:
        folder = tmp_path / "disk"
        folder.mkdir()
        if how == "no space":
            stack.enter_context(a_small_disk(folder))
        async with a_server(folder, *QUICK) as server, an_evening(server) as evening:
            make_room = (fill_disk if how == "no space" else forbid_growth)(server)
            await evening.until_all_have_heard()
            await evening.until_not_ready()
            make_room()
            await evening.end_well()
        database = sqlite3.connect(server.database)
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        database.close()
