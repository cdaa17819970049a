"""The files in `deploy/` against the code's own limits and settings, and against systemd's own judgement."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from comanda.config import Settings
from comanda.http.socket import WorkerLimits

from .proxies import DEPLOY

LIMITS = WorkerLimits()
needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)
UNITS = ("comanda.service", "comanda-backup.service", "comanda-backup.timer")


def number(file: str, pattern: str) -> int:
    """The one number that the file has in this place."""
    [found] = re.findall(pattern, (DEPLOY / file).read_text(), re.M)
    return int(found)


def default(setting: str) -> float:
    return float(Settings.model_fields[setting].default)


@pytest.mark.parametrize("path", sorted(DEPLOY.iterdir()), ids=lambda path: str(path.name))
def test_every_setting_that_a_file_names_is_one(path: Path) -> None:
    for name in re.findall(r"\bCOMANDA_([A-Z_]+)\b", path.read_text()):
        assert name.lower() in Settings.model_fields, name


def test_a_proxy_waits_as_long_for_a_request_as_comanda_does() -> None:
    for file, head, body, idle in (
        (
            "nginx-comanda.conf",
            r"client_header_timeout (\d+)s;",
            r"client_body_timeout +(\d+)s;",
            r"^    keepalive_timeout +(\d+)s;$",
        ),
        ("Caddyfile", r"read_header (\d+)s", r"read_body (\d+)s", r"idle (\d+)s"),
    ):
        assert number(file, head) == LIMITS.request_head_timeout_seconds
        assert number(file, body) == LIMITS.request_body_timeout_seconds
        assert number(file, idle) == LIMITS.keep_alive_seconds


def test_a_proxy_lets_through_what_comanda_takes_and_bounds_what_it_does_not() -> None:
    for file, body in (
        ("nginx-comanda.conf", r"client_max_body_size +(\d+)k;"),
        ("Caddyfile", r"max_size (\d+)KB"),
    ):
        assert 65_536 < number(file, body) * 1000 <= 2 * 65_536
    buffers = number("nginx-comanda.conf", r"large_client_header_buffers 4 (\d+)k;")
    assert buffers * 1024 >= LIMITS.header_bytes


def test_a_proxy_closes_its_idle_connections_before_comanda_does() -> None:
    assert number("nginx-comanda.conf", r"^    keepalive_timeout (\d+)s;  #") < (
        LIMITS.keep_alive_seconds
    )
    assert number("Caddyfile", r"keepalive (\d+)s") < LIMITS.keep_alive_seconds


def test_nginx_does_not_cut_a_websocket_between_two_pings() -> None:
    silence = LIMITS.ping_interval_seconds + LIMITS.pong_timeout_seconds
    for way in ("read", "send"):
        assert number("nginx-comanda.conf", rf"proxy_{way}_timeout +(\d+)s;") > silence


def test_systemd_waits_longer_than_a_drain_takes() -> None:
    drain = default("drain_grace") + 3 * default("stop_deadline")
    assert number("comanda.service", r"^TimeoutStopSec=(\d+)$") > drain
    assert number("comanda.service", r"^LimitNOFILE=(\d+)$") > LIMITS.max_connections * 1.2


@needs_systemd
@pytest.mark.parametrize("name", UNITS)
def test_systemd_finds_nothing_wrong_with_a_unit(name: str, tmp_path: Path) -> None:
    for one in UNITS:
        text = (DEPLOY / one).read_text().replace("/opt/comanda/bin/comanda", "/usr/bin/env")
        (tmp_path / one).write_text(text)
    done = _systemd_analyze("verify", tmp_path / name)
    assert (done.returncode, done.stdout) == (0, "")


@needs_systemd
@pytest.mark.parametrize("name", ["comanda.service", "comanda-backup.service"])
def test_systemd_finds_little_left_to_take_from_a_service(name: str) -> None:
    done = _systemd_analyze("security", "--offline=yes", "--threshold=15", DEPLOY / name)
    assert done.returncode == 0, done.stdout[-300:]


def _systemd_analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", "--no-pager", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
