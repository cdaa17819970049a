"""Settings: from arguments, from the environment, and wrong ones in words."""

import os
import re
from pathlib import Path
from typing import Any

import pytest

from comanda.config import SettingsUnusable, make_settings


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.upper().startswith("COMANDA_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_the_defaults_are_the_specifications() -> None:
    settings = make_settings()
    assert settings.order_timeout == 10
    assert settings.reconnect_timeout == 5
    assert settings.poll_interval == 2
    assert settings.retry_limit == 3
    assert settings.retry_delay == 2
    assert settings.pos_delay == 3
    assert settings.pos_success_rate == 0.9
    assert settings.pos_timeout == 10
    assert settings.lock_limit == 60
    assert settings.rate_limits == "on"
    assert settings.join_timeout == 5


def test_the_environment_sets_every_setting_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMANDA_PORT", "9000")
    monkeypatch.setenv("COMANDA_MENU", "/etc/menu.toml")
    monkeypatch.setenv("COMANDA_ALLOWED_ORIGIN", "https://a.example http://b.example:8080")
    monkeypatch.setenv("COMANDA_RATE_LIMITS", "off")
    monkeypatch.setenv("COMANDA_STAFF_TOKEN", "secret")
    monkeypatch.setenv("COMANDA_CONNECTIONS_PER_ADDRESS", "7")
    settings = make_settings()
    assert settings.port == 9000
    assert settings.menu == Path("/etc/menu.toml")
    assert settings.allowed_origin == ("https://a.example", "http://b.example:8080")
    assert settings.rate_limits == "off"
    assert settings.read_staff_tokens() == ("secret",)
    assert settings.connections_per_address == 7


def test_what_is_given_stands_before_the_environment_and_none_is_not_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COMANDA_PORT", "9000")
    monkeypatch.setenv("COMANDA_HOST", "0.0.0.0")
    settings = make_settings(port=9001, host=None)
    assert (settings.port, settings.host) == (9001, "0.0.0.0")


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"port": -1}, "port"),
        ({"port": 65536}, "port"),
        ({"port": "http"}, "port"),
        ({"demo_tables": 0}, "demo_tables"),
        ({"pos_success_rate": 1.1}, "pos_success_rate"),
        ({"pos_success_rate": "nan"}, "pos_success_rate"),
        ({"pos_delay": -1}, "pos_delay"),
        ({"pos_timeout": 0}, "pos_timeout"),
        ({"pos_timeout": "inf"}, "pos_timeout"),
        ({"lock_limit": "nan"}, "lock_limit"),
        ({"pos": "real"}, "dummy"),
        ({"pos": ""}, "no POS"),
        ({"pos": "pos.example/api"}, "no POS"),
        ({"pos": "ftp://pos.example"}, "no POS"),
        ({"pos": "https://"}, "no POS"),
        ({"pos": "https://key@pos.example"}, "no POS"),
        ({"pos": "https://pos.example/api?key=1"}, "no POS"),
        ({"pos_calls_per_restaurant": 0}, "pos_calls_per_restaurant"),
        ({"rate_limits": "maybe"}, "rate_limits"),
        ({"rate_limits": "true"}, "rate_limits"),
        ({"log_level": "loud"}, "log_level"),
        ({"retry_limit": 2.5}, "retry_limit"),
        ({"database": "postgresql://x"}, "sqlite+aiosqlite:///PATH"),
        ({"database": "comanda.db"}, "sqlite+aiosqlite:///PATH"),
        ({"database": "sqlite+aiosqlite:///"}, "a file must be named"),
        ({"database": "sqlite+aiosqlite:///:memory:"}, "a file must be named"),
        ({"public_url": "eat.example"}, "public_url"),
        ({"public_url": "ftp://eat.example"}, "no web address"),
        ({"public_url": "https://"}, "no web address"),
        ({"public_url": "https://a:b"}, "no web address"),
        ({"public_url": "https://[::1"}, "no web address"),
        ({"public_url": "https://eat.example?table=1"}, "no web address"),
        ({"public_url": "https://eat.example#x"}, "no web address"),
        ({"public_url": "https://user@eat.example"}, "no web address"),
        ({"allowed_origin": ("https://ok.example", "*")}, "'*' is no web address"),
        ({"allowed_origin": ("https://ok.example/path",)}, "no web address"),
        ({"allowed_origin": ("null",)}, "no web address"),
        ({"message_burst": 0}, "message_burst"),
        ({"joins_per_minute": 0}, "joins_per_minute"),
        ({"mailbox_capacity": 0}, "mailbox_capacity"),
        ({"datebase": "sqlite+aiosqlite:///x.db"}, "datebase"),
    ],
    ids=repr,
)
def test_a_wrong_setting_is_named_in_one_sentence(given: dict[str, Any], word: str) -> None:
    with pytest.raises(SettingsUnusable) as refused:
        make_settings(**given)
    assert word in str(refused.value)
    assert next(iter(given)) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_wrong_variable_of_the_environment_is_named_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMANDA_PORT", "eighty")
    with pytest.raises(SettingsUnusable, match="port"):
        make_settings()


def test_all_wrong_settings_are_told_at_once() -> None:
    with pytest.raises(SettingsUnusable, match=r"port: .*; demo_tables: "):
        make_settings(port=-1, demo_tables=0)


@pytest.mark.parametrize(("lock", "call"), [(10, 10), (5, 10), (9.999, 10)])
def test_the_lock_limit_must_be_longer_than_the_pos_timeout(lock: float, call: float) -> None:
    with pytest.raises(SettingsUnusable, match=r"lock_limit \(.* s\) must be longer than pos_time"):
        make_settings(lock_limit=lock, pos_timeout=call)
    assert make_settings(lock_limit=10.001, pos_timeout=10).lock_limit == 10.001


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://eat.example", "https://eat.example"),
        ("https://eat.example/", "https://eat.example"),
        ("HTTPS://Eat.Example:443/", "https://eat.example"),
        ("http://eat.example:80", "http://eat.example"),
        ("http://eat.example:443", "http://eat.example:443"),
        ("https://eat.example/table/", "https://eat.example/table"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_a_public_url_is_kept_as_browsers_write_it(given: str, kept: str) -> None:
    assert make_settings(public_url=given).public_url == kept


def test_the_key_stands_beside_the_database_unless_a_setting_says_else() -> None:
    assert make_settings().signing_key_file == Path("comanda.key")
    settings = make_settings(database="sqlite+aiosqlite:////var/lib/comanda/a.db")
    assert settings.database_path == Path("/var/lib/comanda/a.db")
    assert settings.signing_key_file == Path("/var/lib/comanda/a.key")
    assert make_settings(key_file=Path("/k")).signing_key_file == Path("/k")


def test_a_staff_token_is_not_shown_with_the_settings() -> None:
    settings = make_settings(staff_token="very-secret")
    assert "very-secret" not in repr(settings)
    assert "very-secret" not in str(settings)


def test_the_staff_token_comes_from_its_file_without_space_around_it(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("\n secret \n")
    assert make_settings(staff_token_file=file, staff_token="other").read_staff_tokens() == (
        "secret",
    )
    assert make_settings().read_staff_tokens() == ()


@pytest.mark.parametrize("content", [None, b"", b" \n", b"\xff\xfe"])
def test_a_staff_token_file_without_a_token_is_told_by_name(
    tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsUnusable, match=str(file)):
        make_settings(staff_token_file=file).read_staff_tokens()


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("dummy", "dummy"),
        ("https://pos.example/api/", "https://pos.example/api"),
        ("HTTP://Pos.Example:80", "http://pos.example"),
        ("http://127.0.0.1:9000/v1/pos", "http://127.0.0.1:9000/v1/pos"),
    ],
)
def test_a_pos_is_the_dummy_or_a_base_url(given: str, kept: str) -> None:
    assert make_settings(pos=given).pos == kept


def test_the_token_for_the_pos_comes_from_the_environment_or_its_file_and_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert make_settings().read_pos_token() is None
    monkeypatch.setenv("COMANDA_POS_TOKEN", "very-secret")
    settings = make_settings()
    assert settings.read_pos_token() == "very-secret"
    assert "very-secret" not in repr(settings)
    file = tmp_path / "token"
    file.write_text("from-the-file\n")
    assert make_settings(pos_token_file=file).read_pos_token() == "from-the-file"
    with pytest.raises(SettingsUnusable, match=r"POS token file .*none"):
        make_settings(pos_token_file=tmp_path / "none").read_pos_token()


@pytest.mark.parametrize("token", ["two words", "line\nend", "t\u00f6ken", "nul\0"])
def test_a_token_for_the_pos_that_fits_no_header_is_refused_without_being_told(token: str) -> None:
    with pytest.raises(SettingsUnusable, match="pos_token: ") as refused:
        make_settings(pos_token=token).read_pos_token()
    assert token not in str(refused.value)


def test_the_poss_secret_comes_from_the_environment_or_its_file_and_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert make_settings().read_pos_secrets() == ()
    assert make_settings(pos_secret="").read_pos_secrets() == ()
    monkeypatch.setenv("COMANDA_POS_SECRET", "whsec_very-secret")
    settings = make_settings()
    assert settings.read_pos_secrets() == ("whsec_very-secret",)
    assert "very-secret" not in repr(settings)
    file = tmp_path / "secret"
    file.write_text("whsec_from-the-file\n")
    monkeypatch.setenv("COMANDA_POS_SECRET_FILE", str(file))
    assert make_settings().read_pos_secrets() == ("whsec_from-the-file",)
    file.write_text("\n")
    with pytest.raises(SettingsUnusable, match=r"POS secret file .*secret is empty"):
        make_settings().read_pos_secrets()
    with pytest.raises(SettingsUnusable, match=r"POS secret file .*none cannot be read"):
        make_settings(pos_secret_file=tmp_path / "none").read_pos_secrets()


def test_three_secrets_are_one_too_many_wherever_they_come_from(tmp_path: Path) -> None:
    file = tmp_path / "secrets"
    file.write_text("one\ntwo\nthree\n")
    with pytest.raises(
        SettingsUnusable, match=re.escape(f"The staff token file {file} has more than 2")
    ):
        make_settings(staff_token_file=file).read_staff_tokens()
    with pytest.raises(SettingsUnusable, match=r"The staff token has more than 2") as refused:
        make_settings(staff_token="one\ntwo\nthree").read_staff_tokens()
    assert "three" not in str(refused.value)
