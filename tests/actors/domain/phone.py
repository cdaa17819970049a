"""A model of a member's phone: one snapshot, then nothing but events, as the protocol tells them."""

from decimal import Decimal
from typing import Any

from comanda.actors.domain.messages import (
    CartItem,
    CartLocked,
    CartSnapshot,
    CartUnlocked,
    CartUpdated,
    Event,
    MemberJoined,
    OrderConfirmed,
    OrderFailed,
    OrderProcessing,
    SessionClosed,
    decode_told,
    encode,
)


def shown(snapshot: CartSnapshot) -> dict[str, Any]:
    """What of a snapshot a phone can know from events alone."""
    order, last = snapshot.pending_order, snapshot.last_order
    return {
        "seq": snapshot.seq,
        "items": {item.public_id: item for item in snapshot.items},
        "total": snapshot.total,
        "cart_locked": snapshot.cart_locked,
        "locked_by": (snapshot.locked_by_member, snapshot.locked_by_name),
        "pending_order_id": snapshot.pending_order_id,
        "status": snapshot.order_processing_status,
        "stage": None if order is None else (order.stage, order.attempt),
        "in_doubt": {doubt.order_id: doubt.stage for doubt in snapshot.orders_in_doubt},
        "last": last and (last.order_id, last.status, last.error, last.allow_retry),
        "members": {member.member_id: member.name for member in snapshot.members},
        "last_updated": snapshot.last_updated,
    }


class Phone:
    """Follows a table from a snapshot on; `knows` must equal what a fresh snapshot shows."""

    def __init__(self, snapshot: CartSnapshot) -> None:
        self.knows = shown(snapshot)
        self.closed = False

    def hears(self, event: Event) -> None:
        """Take in one event, over the wire; its `seq` must be the next."""
        told = decode_told(encode(event))
        assert told == event
        assert event.seq == self.knows["seq"] + 1
        self.knows |= {"seq": event.seq, "last_updated": event.timestamp}
        match event:
            case CartUpdated():
                items = {**self.knows["items"], **{item.public_id: item for item in event.items}}
                for public_id in event.removed:
                    del items[public_id]
                self._holds(items)
                assert self.knows["total"] == event.total
                if event.by_member is not None:
                    self.knows |= {"status": "idle", "last": None}
            case CartLocked():
                assert event.locked_by == event.locked_by_member
                self.knows |= {
                    "cart_locked": True,
                    "locked_by": (event.locked_by_member, event.locked_by_name),
                    "pending_order_id": event.order_id,
                    "status": "processing",
                    "stage": ("sent", 0),
                }
                self._holds(self._all("locked"))
            case OrderProcessing():
                assert event.order_id == self.knows["pending_order_id"]
                self.knows["stage"] = (event.stage, event.attempt)
            case OrderConfirmed():
                if self._is_of_the_lock(event.order_id):
                    self._opens({}, "confirmed", (event.order_id, "confirmed", None, False))
            case OrderFailed():
                if self._is_of_the_lock(event.order_id):
                    last = (event.order_id, "failed", event.error, event.allow_retry)
                    self._opens(self._all("pending"), "failed", last)
            case CartUnlocked():
                assert event.order_id == self.knows["pending_order_id"]
                stage, _attempt = self.knows["stage"]
                self.knows["in_doubt"] = {**self.knows["in_doubt"], event.order_id: stage}
                self._opens({}, "idle", None)
            case MemberJoined():
                member = event.member
                self.knows["members"] = {**self.knows["members"], member.member_id: member.name}
            case SessionClosed():
                self.closed = True

    def _all(self, state: str) -> dict[str, CartItem]:
        return {
            public_id: CartItem(**{**_fields(item), "state": state})
            for public_id, item in self.knows["items"].items()
        }

    def _is_of_the_lock(self, order_id: str) -> bool:
        if order_id == self.knows["pending_order_id"]:
            return True
        doubts = dict(self.knows["in_doubt"])
        del doubts[order_id]
        self.knows["in_doubt"] = doubts
        return False

    def _opens(self, items: dict[str, CartItem], status: str, last: object) -> None:
        self.knows |= {
            "cart_locked": False,
            "locked_by": (None, None),
            "pending_order_id": None,
            "stage": None,
            "status": status,
            "last": last,
        }
        self._holds(items)

    def _holds(self, items: dict[str, CartItem]) -> None:
        self.knows["items"] = items
        total = sum((item.unit_price * item.qty for item in items.values()), Decimal(0))
        self.knows["total"] = total


def _fields(item: CartItem) -> dict[str, Any]:
    return {name: getattr(item, name) for name in item.__struct_fields__}
