"""Who asks, where a proxy stands before the server: only named ones are believed."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

MAX_HOPS = 16
"""Addresses of an `X-Forwarded-For` that are looked at, from its end; no house has more proxies in a row."""

ONE_GUESTS_BITS = 64
"""Of an IPv6 address. A home, or a phone, is given all that begin with the same: it has no limit for each."""

_SCHEMES = {"http": "http", "ws": "http", "https": "https", "wss": "https"}


def read_network(text: str) -> Network:
    """An address or a network such as ``10.0.0.0/8``.

    Raises:
        ValueError: it is none, its address has bits outside its mask, or it holds every address there is.
    """
    try:
        network = ip_network(text)
    except ValueError:
        raise ValueError(f"{text!r} is no address and no network such as 10.0.0.0/8") from None
    if network.prefixlen == 0:
        raise ValueError(f"{text!r} would believe everybody; name the proxy's address")
    return network


class TrustedProxies:
    """The proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed; with none, nobody's are."""

    def __init__(self, networks: Iterable[str] = ()) -> None:
        """Args:
        networks: addresses and networks, as `read_network` takes them.
        """
        self._networks = tuple(read_network(one) for one in networks)

    def address(self, peer: str, forwarded_for: Iterable[str]) -> str:
        """Who asks, as limits count: the last of `X-Forwarded-For` that is no trusted proxy's.

        An address of IPv4, or of IPv6 the network of `ONE_GUESTS_BITS` in which it is.

        Each proxy adds the address it was asked from at the end, so what stands before the first
        address that is not trusted may be anybody's invention, and so may what stands before something
        that is no address: then the last proxy that is known counts.

        Args:
            peer: the connection's own address.
            forwarded_for: the values of all such headers, in their order.
        """
        nearest = _read_hop(peer)
        if nearest is None:
            return peer
        if not self._trusts(nearest):
            return _as_counted(nearest)
        hops = ",".join(forwarded_for).split(",")
        for hop in hops[: -MAX_HOPS - 1 : -1]:
            address = _read_hop(hop)
            if address is None:
                break
            nearest = address
            if not self._trusts(address):
                break
        return _as_counted(nearest)

    def scheme(self, peer: str, scheme: str, forwarded_proto: Iterable[str]) -> str:
        """``http`` or ``https``, as the guest's browser asked: what a trusted proxy says, else `scheme`.

        Args:
            peer: the connection's own address.
            scheme: the connection's own, ``ws`` and ``wss`` too.
            forwarded_proto: the values of all `X-Forwarded-Proto` headers; of several the last counts.
        """
        nearest = _read_hop(peer)
        said = ",".join(forwarded_proto).rpartition(",")[2].strip().lower()
        if nearest is None or not self._trusts(nearest):
            said = ""
        return _SCHEMES.get(said) or _SCHEMES[scheme]

    def _trusts(self, address: Address) -> bool:
        return any(address in network for network in self._networks)


def _as_counted(address: Address) -> str:
    if isinstance(address, IPv4Address):
        return str(address)
    return str(IPv6Network((address, ONE_GUESTS_BITS), strict=False))


def _read_hop(text: str) -> Address | None:
    """An address, perhaps in brackets and with a port; None where it is none."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
