"""Under which addresses a guest's phone may reach this server. Nothing is sent to find out."""

import ipaddress
import re
import socket
from contextlib import suppress
from urllib.parse import urlsplit

_PLAIN_HOST = re.compile(r"([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")

_EVERYWHERE = {"0.0.0.0": (4,), "::": (6,), "": (4, 6)}
"""Hosts that stand for all of this machine's addresses, and of which versions of IP."""

_FAR_AWAY = (
    (socket.AF_INET, "192.168.255.254"),
    (socket.AF_INET, "10.255.255.254"),
    (socket.AF_INET, "172.31.255.254"),
    (socket.AF_INET, "198.51.100.1"),
    (socket.AF_INET6, "fd00::1"),
    (socket.AF_INET6, "2001:db8::1"),
)
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
        listens_on: the host that the server is bound to. Bound to all of IPv4, of IPv6 or of both, the
            machine's own addresses of that kind lead here, with the same port.
        local: those addresses, as `local_addresses` finds them.
    """
    if public_url is not None:
        return (public_url.rstrip("/"),)
    parts = urlsplit(asked_under)
    if not is_loopback(parts.hostname or ""):
        return (asked_under,)
    versions = _EVERYWHERE.get(listens_on)
    hosts = (
        (listens_on,) if versions is None else [one for one in local if _version(one) in versions]
    )
    port = "" if parts.port is None else f":{parts.port}"
    offered = [in_url(host) + port for host in hosts if not is_loopback(host)]
    return tuple(f"{parts.scheme}://{host}" for host in offered) or (asked_under,)


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
    """This machine's addresses on the networks that it has a route to, those of IPv4 first.

    A datagram socket that is connected has its own address chosen; no datagram goes out. An address of
    one link alone (fe80::…) is none that a QR code could name.
    """
    found: dict[str, None] = {}
    for family, far in _FAR_AWAY:
        with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((far, _ANY_PORT))
            found[probe.getsockname()[0]] = None
    return tuple(one for one in found if not ipaddress.ip_address(one).is_link_local)


def _version(address: str) -> int:
    return ipaddress.ip_address(address).version


def in_url(host: str) -> str:
    """A host as a URL has it: an address of IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host
