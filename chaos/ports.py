"""Ports for programs that come and go: nobody else is given one meanwhile."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def held_port() -> Iterator[int]:
    """A free port of the loopback, kept within the block for whoever is told its number.

    It is bound and does not listen. Linux lets a program bind and listen beside it, since both say
    SO_REUSEADDR, and never gives it to who asks for any port, nor to a connection as its own end.
    """
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]
