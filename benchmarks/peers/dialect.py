"""How the driver speaks to the peers: Comanda's messages, without its HTTP."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec

from comanda.actors.domain.messages import CartItem, CartUpdated, Join, decode_told, encode
from comanda.load import Heard, Plan, Seat, Snapshot, Told
from comanda.load.cart_view import CartView

SNAPSHOT = b'{"type":"cart_snapshot"'


class PeerCart(msgspec.Struct):
    """A peer's whole cart."""

    seq: int
    items: tuple[CartItem, ...]
    total: Decimal


class PeerView(CartView):
    """Comanda's own view, and as strict; only the snapshots have less in them."""

    def begin(self, snapshot: Snapshot) -> None:
        """Take a snapshot as the truth."""
        cart: PeerCart = snapshot.body
        self.items = {item.public_id: item for item in cart.items}
        self.total = cart.total

    def differs(self, snapshot: Snapshot) -> Sequence[str]:
        """In what a snapshot of this moment is not what was told."""
        cart: PeerCart = snapshot.body
        same = {item.public_id: item for item in cart.items} == self.items
        return () if same and cart.total == self.total else ("it is not what was told",)


class Peers:
    """Fulfils `Dialect`."""

    def __init__(self, plan: Plan) -> None:
        self._base = plan.server.replace("http", "ws", 1)

    async def seat(self, table: int, member: int) -> Seat:
        """Nobody is asked: the member names themselves."""
        name = f"member_{table}_{member}"
        return Seat(f"{self._base}/ws/tables/{table}", name, encode(Join(name)))

    def view(self, table: int) -> PeerView:
        """The table, of which nothing has been told."""
        return PeerView(())

    def read(self, frame: bytes) -> Heard | None:
        """One frame of the server."""
        if frame.startswith(SNAPSHOT):
            cart = msgspec.json.decode(frame, type=PeerCart)
            return Snapshot(cart.seq, cart)
        told = decode_told(frame)
        return Told(told.seq, told.by_member, told) if isinstance(told, CartUpdated) else None

    async def last_look(self, table: int, seat: Seat, view: Any) -> tuple[None, list[str]]:
        """They have nothing on record that could be asked for."""
        return None, []

    async def aclose(self) -> None:
        """Nothing is held open."""
