"""The keys that sign members' tokens, and what becomes of a token while they are replaced."""

import json
import secrets
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner

from comanda.actors.ports import SessionKey
from comanda.cli.main import app
from comanda.http.auth import BadToken, MemberPass, MemberTokens
from comanda.http.keys import KeyFileUnusable, load_or_make_keys, parse_keys, rotate_keys
from tests.signing import KEY, OTHER_SECRET, SECRET, signed

from .server import HOUSE_TOKEN, serving

ANA = MemberPass(SessionKey(7, "session_1"), "member_1")
OLD, NEW, NEXT = (bytes([byte]) * 32 for byte in (1, 2, 3))


def test_the_first_key_signs_and_every_key_reads() -> None:
    token = MemberTokens([OLD]).sign(ANA)
    assert MemberTokens([NEW, OLD]).read(token) == ANA
    signed_anew = MemberTokens([NEW, OLD]).sign(ANA)
    assert MemberTokens([NEW]).read(signed_anew) == ANA
    with pytest.raises(BadToken):
        MemberTokens([NEXT, NEW]).read(token)


async def test_a_token_survives_one_rotation_and_ends_with_the_second(tmp_path: Path) -> None:
    key_file = tmp_path / "comanda.key"
    async with serving(tmp_path) as server:
        ana = await server.join()
        rotate_keys(key_file)
        await server.cart(ana)  # the server that runs goes on as it was
        ben = await server.join(name="Ben")
    async with serving(tmp_path) as server:
        async with server.phone(ana), server.phone(ben):
            pass
        cleo = await server.join(name="Cleo")
    async with serving(tmp_path) as server:  # a restart between them loses nobody
        for member in (ana, ben, cleo):
            await server.cart(member)
    rotate_keys(key_file)
    async with serving(tmp_path) as server:
        path = f"/api/sessions/{ana.pid}/cart"
        for lost in (ana, ben):
            await server.refused("unauthorized", 401, "GET", path, token=lost.token)
        async with server.socket(ana) as phone:
            await phone.say("join", token=ana.token)
            assert (await phone.closed())[0] == 4401
        await server.cart(cleo)


async def test_keys_of_the_environment_stand_in_the_place_of_a_file(tmp_path: Path) -> None:
    first, second = secrets.token_hex(32), secrets.token_hex(32)
    async with serving(tmp_path, signing_keys=first) as server:
        ana = await server.join()
    async with serving(tmp_path, signing_keys=f"{second} {first}") as server:
        await server.cart(ana)
    assert not (tmp_path / "comanda.key").exists()


async def test_two_staff_tokens_open_while_one_takes_the_others_place(tmp_path: Path) -> None:
    file = tmp_path / "staff"
    file.write_text(f"{HOUSE_TOKEN}-new\n{HOUSE_TOKEN}\n")
    async with serving(tmp_path, staff_token=None, staff_token_file=file) as server:
        for token in (f"{HOUSE_TOKEN}-new", HOUSE_TOKEN):
            await server.call("GET", "/api/restaurants", token=token)
        await server.refused("unauthorized", 401, "GET", "/api/restaurants", token="another")


def test_a_rotation_keeps_the_key_before_and_the_files_mode(tmp_path: Path) -> None:
    path = tmp_path / "a.key"
    (first,) = load_or_make_keys(path)
    rotate_keys(path)
    second, kept = load_or_make_keys(path)
    assert kept == first
    rotate_keys(path)
    third, kept = load_or_make_keys(path)
    assert kept == second
    assert len({first, second, third}) == 3
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["a.key"]


def test_a_rotation_that_cannot_be_written_leaves_the_keys_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.key"
    before = load_or_make_keys(path)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", full)
        with pytest.raises(KeyFileUnusable, match="No space left"):
            rotate_keys(path)
    assert load_or_make_keys(path) == before
    rotate_keys(path)
    assert load_or_make_keys(path)[1] == before[0]


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o602, 0o660, 0o777])
def test_a_key_file_that_others_can_use_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "a.key"
    (key,) = load_or_make_keys(path)
    path.chmod(mode)
    for use in (load_or_make_keys, rotate_keys):
        with pytest.raises(KeyFileUnusable, match="chmod 600") as told:
            use(path)
        assert key.hex() not in str(told.value)
    path.chmod(0o640)  # as containers hand out secrets
    assert load_or_make_keys(path) == (key,)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no key of 32 bytes"),
        ("ab" * 31, "no key of 32 bytes"),
        (f"{'ab' * 32} {'cd' * 31}", "no key of 32 bytes"),
        ("no hex at all", "no key in hexadecimal"),
        (" ".join(["ab" * 32] * 3), "more than 2 keys"),
    ],
)
def test_what_is_no_key_is_said_so_and_never_shown(text: str, why: str) -> None:
    with pytest.raises(KeyFileUnusable, match=why) as told:
        parse_keys(text, "The key file")
    assert all(word not in str(told.value) for word in text.split() if len(word) > 10)


def test_the_command_rotates_the_file_beside_the_database(tmp_path: Path) -> None:
    before = load_or_make_keys(tmp_path / "comanda.key")
    database = f"sqlite+aiosqlite:///{tmp_path}/comanda.db"
    result = CliRunner().invoke(app, ["keys", "rotate", "--database", database])
    assert result.exit_code == 0, result.output
    assert load_or_make_keys(tmp_path / "comanda.key")[1:] == before
    assert all(
        key.hex() not in result.output for key in load_or_make_keys(tmp_path / "comanda.key")
    )


def test_the_command_says_where_it_found_no_keys(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["keys", "rotate", "--key-file", str(tmp_path / "none.key")])
    assert result.exit_code == 2
    assert "none.key" in result.output
    assert list(tmp_path.iterdir()) == []


async def test_two_secrets_of_the_pos_are_believed_while_one_takes_the_others_place(
    tmp_path: Path,
) -> None:
    file = tmp_path / "secrets"
    file.write_text(f"{OTHER_SECRET}\n{SECRET}\n")
    said = {"event_id": "evt-1", "order_id": "ORD-7-1", "status": "accepted"}
    body = json.dumps(said).encode()
    path = "/api/pos/callbacks"
    async with serving(tmp_path, pos_secret_file=file) as server:
        for key in (KEY, KEY[::-1]):
            headers = signed(body, key=key)
            await server.call("POST", path, content=body, headers=headers, status=204)
        headers = signed(body, key=b"another")
        await server.refused("unauthorized", 401, "POST", path, content=body, headers=headers)
