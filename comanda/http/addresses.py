"""Under which addresses a guest's phone may reach this server. Nothing is sent to find out."""

import ipaddress
import re
import socket
from contextlib import suppress
from urllib.parse import urlsplit

_PLAIN_HOST = re.compile(r"([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")

_EVERYWHERE = ("0.0.0.0", "::", "")
_FAR_AWAY = ("192.168.255.254", "10.255.255.254", "172.31.255.254", "198.51.100.1")
"""One address of each private range and one of none: a route to it leaves by the network it is on."""

_ANY_PORT = 9


def phone_addresses(
    public_url: str | None, asked_under: str, listens_on: str, local: tuple[str, ...]
) -> tuple[str, ...]:
    """The addresses to choose from, the likeliest first; never none.

    Args:
        public_url: the one that a setting names; then it is the only one.
        asked_under: the address under which somebody asks right now, `http://host:port`. Where that is
            no loopback, phones on the same network can use it too.
        listens_on: the host that the server is bound to. Bound to all, the machine's own addresses
            lead here, with the same port.
        local: those addresses, as `local_addresses` finds them.
    """
    if public_url is not None:
        return (public_url.rstrip("/"),)
    parts = urlsplit(asked_under)
    if not is_loopback(parts.hostname or ""):
        return (asked_under,)
    hosts = local if listens_on in _EVERYWHERE else (listens_on,)
    port = "" if parts.port is None else f":{parts.port}"
    offered = tuple(f"{parts.scheme}://{host}{port}" for host in hosts if not is_loopback(host))
    return offered or (asked_under,)


def is_plain_host(host: str) -> bool:
    """Whether a Host header is a host, maybe with a port, and nothing else."""
    if not _PLAIN_HOST.fullmatch(host):
        return False
    try:
        return urlsplit(f"//{host}").port != 0
    except ValueError:  # an address in brackets that is none, a port beyond the last
        return False


def is_reachable(address: str) -> bool:
    """Whether another device could reach this address at all."""
    return not is_loopback(urlsplit(address).hostname or "")


def is_loopback(host: str) -> bool:
    """Whether this host is the very machine that asks for it."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def local_addresses() -> tuple[str, ...]:
    """This machine's IPv4 addresses on the networks that it has a route to.

    A datagram socket that is connected has its own address chosen; no datagram goes out.
    """
    found: dict[str, None] = {}
    for far in _FAR_AWAY:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, suppress(OSError):
            probe.connect((far, _ANY_PORT))
            found[probe.getsockname()[0]] = None
    return tuple(found)
