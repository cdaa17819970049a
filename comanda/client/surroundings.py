"""What the client takes from outside: chance, ids, pauses, TCP. Tests put their own in."""

import random
import ssl
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import httpx
import trio


def system_trust() -> ssl.SSLContext:
    """Checks a server's certificate against the system's authorities; `SSL_CERT_FILE` names others.

    httpx would take a list of its own for HTTP, and the two ways to one server could disagree.
    """
    return ssl.create_default_context()


def http_transport() -> httpx.AsyncBaseTransport:
    """HTTP over real sockets; proxies of the environment are not used."""
    return httpx.AsyncHTTPTransport(verify=system_trust(), trust_env=False)


async def open_tcp(host: str, port: int, tls: bool) -> trio.abc.Stream:
    """A stream to a server over TCP, with TLS checked against the system's authorities.

    Raises:
        OSError: nobody there. Cancellation closes what was half open.
    """
    if not tls:
        return await trio.open_tcp_stream(host, port)
    return await trio.open_ssl_over_tcp_stream(
        host, port, https_compatible=True, ssl_context=system_trust()
    )


def _new_id() -> str:
    return uuid.uuid4().hex


@dataclass(frozen=True, slots=True)
class Surroundings:
    """`chance` gives [0, 1), `new_id` a fresh request id of 1 to 64 characters.

    `sleep` serves the pauses only (backoff, polling, retry, order timeout); bounds are Trio's own clock.
    `http_transport` None: real sockets.
    """

    chance: Callable[[], float] = random.random
    new_id: Callable[[], str] = _new_id
    sleep: Callable[[float], Awaitable[None]] = trio.sleep
    open_stream: Callable[[str, int, bool], Awaitable[trio.abc.Stream]] = open_tcp
    http_transport: httpx.AsyncBaseTransport | None = None


REAL = Surroundings()
