"""Where other machines reach the server it does not start without a staff token that holds."""

import re
from pathlib import Path

import pytest
import trio

from comanda.actors.domain.menu import Restaurant
from comanda.app import serve
from comanda.config import SettingsUnusable
from comanda.exposure import LEAST_TOKEN_CHARACTERS, PUBLISHED_TOKENS, check_exposure
from comanda.http.auth import hash_token
from comanda.menu_file import load_menu_file
from tests.cli.helpers import TWO_HOUSES, run
from tests.cli.test_serve import one_sentence
from tests.http.server import serving, settings_for

GOOD = "n0t-a-word-that-anybody-knows"
LONG_HASH = hash_token(GOOD)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "localhost"])
async def test_on_the_machines_own_addresses_it_starts_without_one(
    host: str, tmp_path: Path
) -> None:
    shutdown = trio.Event()
    shutdown.set()
    settings = settings_for(tmp_path, host=host).model_copy(update={"staff_token": None})
    await serve(settings, shutdown=shutdown)


async def test_with_a_token_that_holds_it_starts_everywhere(tmp_path: Path) -> None:
    async with serving(tmp_path, host="0.0.0.0", staff_token=GOOD) as server:
        await server.call("GET", "/healthz")


@pytest.mark.parametrize("menu", [False, True], ids=["the demonstration", "a menu"])
@pytest.mark.parametrize(
    ("token", "said"),
    [
        (None, "has no staff token; set COMANDA_STAFF_TOKEN or give --staff-token-file"),
        ("", "has no staff token; set COMANDA_STAFF_TOKEN or give --staff-token-file"),
        (GOOD[: LEAST_TOKEN_CHARACTERS - 1], "under 24 characters can be guessed"),
        *((one, "stands in the documentation") for one in PUBLISHED_TOKENS),
    ],
)
def test_else_the_command_says_what_to_do_and_ends_with_2(
    token: str | None, said: str, menu: bool, tmp_path: Path
) -> None:
    database = tmp_path / "comanda.db"
    options = ["--host", "0.0.0.0", "--port", "0", "--database", f"sqlite+aiosqlite:///{database}"]
    if menu:
        file = tmp_path / "menu.toml"
        file.write_text(TWO_HOUSES)
        options += ["--menu", str(file)]
    environment = {} if token is None else {"COMANDA_STAFF_TOKEN": token}
    done = run("serve", *options, **environment)
    assert (done.returncode, done.stdout) == (2, "")
    sentence = one_sentence(done.stderr)
    assert said in sentence
    assert "secrets.token_urlsafe(24)" in sentence
    assert not token or token not in sentence
    assert not database.exists()


def restaurants_with(folder: Path, *hashes: str | None) -> tuple[Restaurant, ...]:
    """The two restaurants of a menu file, each with its own staff token's hash or without one."""
    text = TWO_HOUSES
    for name, one in zip(("Trattoria One", "Ramen Two"), hashes, strict=True):
        if one is not None:
            text = text.replace(
                f'name = "{name}"', f'name = "{name}"\nstaff_token_sha256 = "{one}"'
            )
    file = folder / "menu.toml"
    file.write_text(text)
    return load_menu_file(file).restaurants


def test_a_house_needs_no_token_of_its_own_where_each_restaurant_has_one(tmp_path: Path) -> None:
    both = restaurants_with(tmp_path, LONG_HASH, LONG_HASH)
    check_exposure(["192.0.2.1"], (), both)
    one = restaurants_with(tmp_path, LONG_HASH, None)
    with pytest.raises(SettingsUnusable, match="restaurant 2 has no staff token"):
        check_exposure(["192.0.2.1"], (), one)
    check_exposure(["192.0.2.1"], [GOOD], one)


def test_a_restaurants_own_token_is_not_one_of_the_documentation_either(tmp_path: Path) -> None:
    [published] = PUBLISHED_TOKENS
    one = restaurants_with(tmp_path, hash_token(published), None)
    with pytest.raises(SettingsUnusable, match="stands in the documentation"):
        check_exposure(["192.0.2.1"], [GOOD], one)


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.0.2.1", "fe80::1%eth0", "2001:db8::1"])
def test_every_address_but_the_machines_own_is_exposed(address: str) -> None:
    with pytest.raises(SettingsUnusable, match=re.escape(address)):
        check_exposure(["127.0.0.1", address], ["short"], ())
    check_exposure(["127.0.0.1", "::1"], (), ())
