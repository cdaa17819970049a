"""Tables' codes: made at random, put into a menu file, and what a new one changes for whom."""

import re
import stat
import tomllib
from pathlib import Path

import pytest

from comanda.menu_file import MenuFileError, load_menu_file
from comanda.table_codes import LEAST_CHARACTERS, give_codes, guessable, new_code
from tests.cli.helpers import run
from tests.http.server import HOUSE_TOKEN, serving

MENU = """\
# Our tables. Do not lose the comments.
[[restaurants]]
id = 7
name = "Trattoria"      # with a "code" in the comment
currency = "EUR"

[[restaurants.tables]]
label = "T1"            # by the window

[[restaurants.tables]]
code = "garden-2"
label = "T2"

[[restaurants.sections]]
name = "All"
items = [{ id = 1, name = "Soup", price = 4.50 }]

[[restaurants]]
id = 8
name = "Ramen"
currency = "EUR"
tables = [
  { label = "A" },
  { code = 'bar-2', label = "B" }, { label = 'C' },
]
sections = [{ name = "All", items = [{ id = 1, name = "Ramen", price = 9.00 }] }]
"""


@pytest.fixture
def menu(tmp_path: Path) -> Path:
    path = tmp_path / "menu.toml"
    path.write_text(MENU)
    return path


def codes_of(path: Path) -> dict[str, str]:
    """Each table's code, by its label."""
    found = load_menu_file(path).restaurants
    return {table.label: table.code for one in found for table in one.tables}


def test_tables_without_a_code_get_one_and_all_else_stays_as_it_was(menu: Path) -> None:
    menu.chmod(0o640)
    assert give_codes(menu, lambda table: table.code is None) == 3
    codes = codes_of(menu)
    assert list(codes) == ["T1", "T2", "A", "B", "C"]
    assert (codes["T2"], codes["B"]) == ("garden-2", "bar-2")
    assert len(set(codes.values())) == 5
    text = menu.read_text()
    without = re.sub(rf'code = "(?:{codes["T1"]}|{codes["A"]}|{codes["C"]})"(?:, |\n)', "", text)
    assert without == MENU
    assert stat.S_IMODE(menu.stat().st_mode) == 0o640
    assert [one.name for one in menu.parent.iterdir()] == ["menu.toml"]


def test_every_table_can_be_given_another_code(menu: Path) -> None:
    give_codes(menu, lambda table: True)
    before = codes_of(menu)
    assert give_codes(menu, lambda table: True) == 5
    after = codes_of(menu)
    assert not set(before.values()) & set(after.values())
    assert guessable(after.values()) == []
    assert "# by the window" in menu.read_text()


def test_one_table_can_be_given_another_code(menu: Path) -> None:
    give_codes(menu, lambda table: table.code is None)
    before = codes_of(menu)
    assert give_codes(menu, lambda table: table.label == "B") == 1
    after = codes_of(menu)
    assert {label for label, code in after.items() if code != before[label]} == {"B"}


@pytest.mark.parametrize(
    "written",
    [
        MENU.replace('code = "garden-2"', '"code" = "garden-2"'),
        MENU.replace('code = "garden-2"', 'code = """garden-2"""'),
        MENU.replace('label = "T1"', '"label" = "T1"'),
        MENU.replace("# by the window", '# label = "T0"'),
    ],
    ids=["a quoted key", "three quotes", "a quoted label", "a label in a comment"],
)
def test_a_file_that_is_written_otherwise_is_not_touched(menu: Path, written: str) -> None:
    menu.write_text(written)
    with pytest.raises(MenuFileError, match="a program cannot put codes into it"):
        give_codes(menu, lambda table: True)
    assert menu.read_text() == written


def test_a_file_that_cannot_be_written_is_as_it_was(
    menu: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(MenuFileError, match="No space left"):
        give_codes(menu, lambda table: True)
    assert menu.read_text() == MENU
    assert [one.name for one in menu.parent.iterdir()] == ["menu.toml"]


def test_a_table_without_a_code_is_not_served_and_the_command_is_named(menu: Path) -> None:
    with pytest.raises(
        MenuFileError, match=r"table 'T1' has no code; `comanda codes .*menu\.toml`"
    ):
        load_menu_file(menu)


def test_new_codes_are_unlike_one_another_and_fit_a_menu_file() -> None:
    codes = {new_code() for _ in range(1000)}
    assert len(codes) == 1000
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{12}", one) for one in codes)


@pytest.mark.parametrize(
    ("codes", "weak"),
    [
        (["kx7Q2mZp", "Hq9dLw3T"], []),
        (["kx7Q2mZ", "Hq9dLw3T"], ["kx7Q2mZ"]),
        (["trattoria-1", "trattoria-2", "Hq9dLw3T"], ["trattoria-1", "trattoria-2"]),
        (["terrace-north", "terrace-south"], []),
        (["83920174", "55120931"], ["83920174", "55120931"]),
    ],
)
def test_short_codes_and_numbered_ones_can_be_guessed(codes: list[str], weak: list[str]) -> None:
    assert guessable(codes) == weak
    assert LEAST_CHARACTERS == 8


def test_the_command_gives_codes_and_never_shows_them(menu: Path) -> None:
    done = run("codes", str(menu))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("3 tables have new codes")
    codes = codes_of(menu)
    assert not any(code in done.stdout for code in codes.values())
    again = run("codes", str(menu))
    assert again.returncode == 2
    assert "--all" in again.stderr
    assert run("codes", str(menu), "--all", "--restaurant", "8").stdout.startswith("3 tables")
    assert {one for one in codes_of(menu).items() if one not in codes.items()} == {
        (label, code) for label, code in codes_of(menu).items() if label in "ABC"
    }
    assert run("codes", str(menu), "--table", "T2").stdout.startswith("1 table has")
    assert codes_of(menu)["T2"] != "garden-2"
    tomllib.loads(menu.read_text())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--table", "T9"), "has no such table, but T1, T2, A, B, C"),
        (("--table", "T2", "--restaurant", "8"), "has no such table for restaurant 8, but A, B, C"),
        (("--restaurant", "9"), "has no tables for restaurant 9\n"),
        ((), "has a code for every table; new ones are given by --all or --table"),
    ],
)
def test_where_no_table_is_meant_the_command_says_why(
    arguments: tuple[str, ...], said: str, menu: Path
) -> None:
    give_codes(menu, lambda table: table.code is None)
    before = menu.read_bytes()
    done = run("codes", str(menu), *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert menu.read_bytes() == before


async def test_an_old_code_opens_nothing_and_who_sits_there_goes_on(
    menu: Path, tmp_path: Path
) -> None:
    give_codes(menu, lambda table: table.code is None)
    old = codes_of(menu)["T2"]
    async with serving(tmp_path, menu=menu) as server:
        ana = await server.join(old)
        async with server.phone(ana) as phone:
            await phone.add(1)
    give_codes(menu, lambda table: True)
    new = codes_of(menu)["T2"]
    async with serving(tmp_path, menu=menu) as server:
        join = f"/api/tables/{old}/join"
        await server.refused("not_found", 404, "POST", join, json={"name": "Mallory"})
        await server.refused("not_found", 404, "GET", f"/api/tables/{old}")
        async with server.phone(ana) as phone:
            await phone.add(1)
            assert len(phone.cart) == 2
        assert (await server.join(new)).pid != ana.pid
        codes = await server.call("GET", "/api/restaurants/7/qr-codes", token=HOUSE_TOKEN)
        assert new in codes.text
        assert old not in codes.text


async def test_a_reachable_server_says_at_its_start_that_codes_can_be_guessed(
    menu: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    give_codes(menu, lambda table: table.code is None)
    token = "n0t-a-word-that-anybody-knows"
    for exposed in ({"host": "0.0.0.0"}, {"public_url": "https://example.org"}):
        caplog.clear()
        async with serving(tmp_path, menu=menu, staff_token=token, **exposed):
            (warning,) = (one for one in caplog.records if "can be guessed" in str(one.msg))
            assert "'tables': 1" in str(warning.msg)
            assert "bar-2" not in str(warning.msg)
    caplog.clear()
    async with serving(tmp_path, menu=menu, staff_token=token):
        pass
    give_codes(menu, lambda table: True)
    async with serving(tmp_path, menu=menu, staff_token=token, host="0.0.0.0"):
        pass
    async with serving(tmp_path, staff_token=token, host="0.0.0.0"):  # the demonstration's own
        pass
    assert not [one for one in caplog.records if "can be guessed" in str(one.msg)]
