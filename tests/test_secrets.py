"""Secrets stand in no process listing, no address, no sentence about an error, and no answer."""

import base64
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from comanda.cli.main import app
from comanda.http.openapi import openapi_path
from comanda.http.routes import ENDPOINTS
from tests.cli.helpers import a_server, clean_environment, run
from tests.http.server import serving

STAFF = "staff-token-that-nobody-else-reads"
POS_TOKEN = "pos-token-that-nobody-else-reads"
POS_SECRET = "whsec_" + base64.b64encode(b"a secret of the POS, 24 bytes+").decode()
KEY = "5ec2e7" * 11
SECRETS = (STAFF, POS_TOKEN, POS_SECRET.removeprefix("whsec_"), KEY)

NAMED_AS_FILES = {"tls_key"}
"""Paths, too, named as everybody names them."""

SECRET_WORDS = re.compile(r"token|secret|key|password", re.IGNORECASE)


def options(command: Any, path: str = "comanda") -> Iterator[tuple[str, Any]]:
    """Every option of a command and of those below it; typer's own click has no types."""
    for one in getattr(command, "commands", {}).values():
        yield from options(one, f"{path} {one.name}")
    for parameter in command.params:
        if parameter.param_type_name == "option":
            yield path, parameter


def test_no_option_takes_a_secret_but_a_file_that_holds_one() -> None:
    named = [
        (path, option) for path, option in options(get_command(app)) if named_for_a_secret(option)
    ]
    assert len(named) > 5
    for path, option in named:
        assert option.name is not None
        is_file = option.name.endswith("_file") or option.name in NAMED_AS_FILES
        assert is_file, f"{path} {option.opts}"


def named_for_a_secret(option: Any) -> bool:
    return SECRET_WORDS.search(option.name or "") is not None


def test_no_address_has_room_for_a_secret() -> None:
    for endpoint in ENDPOINTS:
        for name in (*re.findall(r"{(\w+)}", openapi_path(endpoint.path)), *endpoint.query):
            assert not SECRET_WORDS.search(name), endpoint.path
            assert "pin" not in name, endpoint.path


def test_who_lists_the_processes_reads_no_secret_and_only_the_owner_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, secret = tmp_path / "token", tmp_path / "secret"
    token.write_text(POS_TOKEN)
    secret.write_text(POS_SECRET)
    monkeypatch.setattr(
        "tests.cli.helpers.clean_environment",
        lambda **more: clean_environment(**more, COMANDA_SIGNING_KEYS=KEY),
    )
    files = ("--pos-token-file", str(token), "--pos-secret-file", str(secret))
    with a_server(tmp_path, *files, staff_token=STAFF) as server:
        process = Path(f"/proc/{server.process.pid}")
        listed = (process / "cmdline").read_bytes() + (process / "comm").read_bytes()
        assert b"serve" in listed
        for one in SECRETS:
            assert one.encode() not in listed
        environment = (process / "environ").read_bytes()
        assert STAFF.encode() in environment
        assert KEY.encode() in environment
        assert stat.S_IMODE((process / "environ").stat().st_mode) & 0o077 == 0
        assert not (tmp_path / "comanda.key").exists()


@pytest.mark.parametrize(
    ("given", "secret"),
    [
        ({"COMANDA_SIGNING_KEYS": KEY[:62]}, KEY[:62]),
        ({"COMANDA_SIGNING_KEYS": f"{KEY}-no-hex"}, KEY),
        ({"COMANDA_SIGNING_KEYS": " ".join([KEY] * 3)}, KEY),
        ({"COMANDA_POS_SECRET": "no-whsec-at-all"}, "no-whsec-at-all"),
        ({"COMANDA_POS_SECRET": "whsec_no-base-64!"}, "no-base-64!"),
        ({"COMANDA_POS": "http://127.0.0.1:9", "COMANDA_POS_TOKEN": "two words"}, "two words"),
        ({"COMANDA_STAFF_TOKEN": "short-word", "COMANDA_HOST": "0.0.0.0"}, "short-word"),
        ({"COMANDA_POS": "http://ana:pass-word@127.0.0.1:9"}, "pass-word"),
        ({"COMANDA_PUBLIC_URL": "http://ana:pass-word@127.0.0.1:9"}, "pass-word"),
    ],
    ids=[
        *("short key", "no key", "three keys", "secret", "base64", "pos", "exposed"),
        *("pos url", "public url"),
    ],
)
def test_a_secret_that_cannot_be_used_is_not_repeated(
    given: dict[str, str], secret: str, tmp_path: Path
) -> None:
    database = f"sqlite+aiosqlite:///{tmp_path / 'comanda.db'}"
    done = run("serve", "--port", "0", "--database", database, **given)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("comanda: ")
    assert secret not in done.stdout + done.stderr


@pytest.mark.parametrize("which", ["staff_token_file", "pos_secret_file", "key_file"])
def test_a_file_of_secrets_that_cannot_be_used_is_not_repeated(which: str, tmp_path: Path) -> None:
    file = tmp_path / "secrets"
    file.touch(mode=0o600)
    file.write_text(f"{STAFF}\n{KEY}\n{POS_SECRET}\n")
    database = f"sqlite+aiosqlite:///{tmp_path / 'comanda.db'}"
    option = f"--{which.replace('_', '-')}"
    done = run("serve", "--port", "0", "--database", database, option, str(file))
    assert done.returncode == 2, done.stderr
    assert str(file) in done.stderr.replace("\n", "")
    assert not any(one in done.stderr for one in SECRETS)


async def test_no_answer_repeats_a_token_or_a_pin(tmp_path: Path) -> None:
    async with serving(tmp_path, join_pin="on") as server:
        ana = await server.join()
        pin = "no-pin-7351"
        headers = {"Authorization": f"Bearer {STAFF}", "X-Secret": STAFF}
        parts: dict[str, Any] = {
            "table_code": "demo-1",
            "restaurant_id": 7,
            "session_pid": ana.pid,
            "order_id": "ORD-7-1",
            "menu_item_id": 456,
        }
        body = {"name": "Ben", "pin": pin, "token": STAFF, "outcome": STAFF, "available": STAFF}
        for endpoint in ENDPOINTS:
            path = openapi_path(endpoint.path).format(**parts)
            given: Any = None if endpoint.body is None else body
            answer = await server.http.request(endpoint.method, path, headers=headers, json=given)
            everything = answer.text + repr(answer.headers)
            assert STAFF not in everything, path
            assert pin not in everything, path
        async with server.socket(ana) as phone:
            await phone.say("join", token=STAFF)
            code, reason = await phone.closed()
            assert code == 4401
            assert STAFF not in reason
