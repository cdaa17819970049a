"""`comanda serve` with failpoints, as who tests it meets them."""

from pathlib import Path

import pytest

from comanda.storage.store import SqlStore
from tests.cli.helpers import run
from tests.http.server import serving
from tests.server_process import a_server


def test_a_wrong_failpoint_is_told_in_one_sentence_before_anything_is_opened(
    tmp_path: Path,
) -> None:
    database = tmp_path / "comanda.db"
    done = run(
        "serve",
        "--port",
        "0",
        "--database",
        f"sqlite+aiosqlite:///{database}",
        COMANDA_FAILPOINTS="t1.before=explode",
    )
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("comanda: failpoints: 't1.before=explode' is none")
    assert not database.exists()


def test_storage_that_fails_at_the_start_is_told_in_one_sentence(tmp_path: Path) -> None:
    done = run(
        "serve",
        "--port",
        "0",
        "--database",
        f"sqlite+aiosqlite:///{tmp_path / 'comanda.db'}",
        "--log-level",
        "error",
        COMANDA_FAILPOINTS="commit.before=error@1",
    )
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert line == "comanda: storage has done nothing: database or disk is full"


@pytest.mark.parametrize("failpoints", [None, "t1.before=kill@1000"])
async def test_the_store_is_wrapped_only_where_failpoints_are_set(
    tmp_path: Path, failpoints: str | None
) -> None:
    async with serving(tmp_path, failpoints=failpoints) as server:
        plain = type(server.running.house.store) is SqlStore
        assert plain is (failpoints is None)


async def test_a_server_with_failpoints_says_so_in_its_log(tmp_path: Path) -> None:
    async with a_server(tmp_path, failpoints="t3.after=kill@1000") as server:
        said = server.log.read_text()
        assert "failpoints are set" in said
        assert "t3.after=kill@1000" in said


async def test_a_server_without_failpoints_says_nothing_of_them(tmp_path: Path) -> None:
    async with a_server(tmp_path) as server:
        assert "failpoint" not in server.log.read_text()
