"""`comanda serve` with failpoints, as who tests it meets them."""

from pathlib import Path

from tests.cli.helpers import run
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


async def test_a_server_with_failpoints_says_so_in_its_log(tmp_path: Path) -> None:
    async with a_server(tmp_path, failpoints="t3.after=kill@1000") as server:
        said = server.log.read_text()
        assert "failpoints are set" in said
        assert "t3.after=kill@1000" in said


async def test_a_server_without_failpoints_says_nothing_of_them(tmp_path: Path) -> None:
    async with a_server(tmp_path) as server:
        assert "failpoint" not in server.log.read_text()
