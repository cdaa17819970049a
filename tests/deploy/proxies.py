"""nginx and Caddy as processes of their own, with the files in `deploy/`, on the loopback."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from chaos.ports import held_port
from tests.certificates import Certificate, make_certificate

DEPLOY = Path(__file__).parents[2] / "deploy"
PATIENCE_SECONDS = 60
REQUIRED = os.environ.get("COMANDA_TEST_REQUIRE_PROXIES") == "1"


@dataclass
class Proxy:
    """A proxy that stands before a server. `logs` are all files that it writes."""

    port: int
    plain_port: int
    certificate: Certificate
    logs: Path

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    def logged(self) -> str:
        """Everything that it has written so far."""
        return "".join(path.read_text("utf-8", "replace") for path in self.logs.rglob("*.*"))


def replaced(text: str, **by: str) -> str:
    """The file as a restaurant would change it; each word that is changed must be there."""
    for old, new in by.items():
        assert old in text, f"{old!r} is not in the file"
        text = text.replace(old, new)
    return text


def nginx(folder: Path, comanda_port: int, proxy: Proxy) -> list[str]:
    """nginx's command; its files in `folder`."""
    site = replaced(
        (DEPLOY / "nginx-comanda.conf").read_text(),
        **{
            "server 127.0.0.1:8080;": f"server 127.0.0.1:{comanda_port};",
            "listen 443 ssl http2;": f"listen 127.0.0.1:{proxy.port} ssl http2;",
            "listen [::]:443 ssl http2;": "",
            "listen 80;": f"listen 127.0.0.1:{proxy.plain_port};",
            "listen [::]:80;": "",
            "orders.example": "localhost",
            "/etc/ssl/comanda/fullchain.pem": str(proxy.certificate.certificate),
            "/etc/ssl/comanda/key.pem": str(proxy.certificate.key),
            "/var/log/nginx/": f"{proxy.logs}/",
        },
    )
    (folder / "site.conf").write_text(site)
    passing = "".join(
        f"{kind}_temp_path {folder}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(
        f"{user} worker_processes 1; pid {folder}/nginx.pid; error_log {proxy.logs}/main.log crit;\n"
        f"events {{ worker_connections 512; }}\nhttp {{\n{passing}include {folder}/site.conf;\n}}\n"
    )
    main = str(folder / "nginx.conf")
    return [_found("nginx"), "-e", f"{proxy.logs}/main.log", "-c", main, "-g", "daemon off;"]


def caddy(folder: Path, comanda_port: int, proxy: Proxy) -> list[str]:
    """Caddy's command; its files in `folder`."""
    made = proxy.certificate
    site = replaced(
        (DEPLOY / "Caddyfile").read_text(),
        **{
            "\tservers {": f"\tadmin off\n\thttp_port {proxy.plain_port}\n\tservers {{",
            "orders.example": proxy.url,
            "\t# tls /etc/ssl/comanda/fullchain.pem /etc/ssl/comanda/key.pem": (
                f"\tbind 127.0.0.1\n\ttls {made.certificate} {made.key}"
            ),
            "127.0.0.1:8080 {": f"127.0.0.1:{comanda_port} {{",
            "/var/log/caddy/": f"{proxy.logs}/",
        },
    )
    (folder / "Caddyfile").write_text(site)
    return [_found("caddy"), "run", "--adapter", "caddyfile", "--config", f"{folder}/Caddyfile"]


Command = Callable[[Path, int, Proxy], list[str]]


@contextmanager
def standing_before(comanda_port: int, folder: Path, command: Command) -> Iterator[Proxy]:
    """A proxy before the server on this port, until the block's end."""
    folder.mkdir()
    (folder / "logs").mkdir()
    homes = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with (
        held_port() as port,
        held_port() as plain_port,
        (folder / "logs" / "said.log").open("w") as said,
    ):
        proxy = Proxy(port, plain_port, make_certificate(folder), folder / "logs")
        with subprocess.Popen(
            command(folder, comanda_port, proxy),
            stdout=said,
            stderr=said,
            env={**os.environ, **homes},
        ) as process:
            try:
                _wait_listening(proxy, process)
                yield proxy
            finally:
                process.terminate()
                with suppress(subprocess.TimeoutExpired):
                    process.wait(PATIENCE_SECONDS)
                process.kill()


def _wait_listening(proxy: Proxy, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        assert process.poll() is None, proxy.logged()
        with suppress(OSError), socket.create_connection(("127.0.0.1", proxy.port)):
            return
        assert time.monotonic() < deadline, proxy.logged()
        time.sleep(0.02)


def _found(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        assert not REQUIRED, f"{name} is not installed, and COMANDA_TEST_REQUIRE_PROXIES is 1"
        pytest.skip(f"{name} is not installed; with COMANDA_TEST_REQUIRE_PROXIES=1 this fails")
    return found
