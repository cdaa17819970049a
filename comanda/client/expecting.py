"""What a phone shows against what a session file expects of it."""

from collections import Counter
from collections.abc import Mapping
from decimal import Decimal

import msgspec
import trio
from msgspec import Struct

from comanda.actors.domain.messages import CartSnapshot, Event

from .errors import TableClosed
from .facts import Happening
from .phones import Phone
from .steps import Expect, Sight, line_words, name_of, normal_line, same
from .timeline import happening_words

MAX_HAPPENINGS_SHOWN = 12

_NUMBERS_KEPT = (Decimal,)
"""Amounts are compared by value, so they stay what they are."""


class Unmet(Exception):
    """Something is not as the file says. `what` was expected; `details` say what was there instead."""

    def __init__(self, what: str, *details: str) -> None:
        super().__init__(what)
        self.what = what
        self.details = details


class Known(Struct):
    """What a play knows of its table: who its members are, and which orders are older than the play."""

    member_ids: dict[str, str]
    old_orders: frozenset[str]


def begin_round(phones: Mapping[str, Phone], marks: dict[str, int], seq: int) -> None:
    """The table was changed by a step: what was heard before it (`marks`, `seq`) is past."""
    for name, mark in marks.items():
        phone = phones[name]
        phone.since = phone.next_sight = mark
        phone.since_seq = seq


async def see(phone: Phone, sight: Sight, deadline: float) -> Happening:
    """The next happening that `sight` names.

    Raises:
        Unmet: it did not come before `deadline`, in Trio's time.
    """
    while True:
        while phone.next_sight < len(phone.heard):
            happening = phone.heard[phone.next_sight]
            phone.next_sight += 1
            if _counts(phone, happening) and _is(sight, happening):
                return happening
        with trio.move_on_at(deadline) as scope:
            await phone.more()
        if scope.cancelled_caught:
            raise Unmet(
                f"sees {_sight_words(sight)}", "it did not come in time", _heard_words(phone)
            )


async def reach(phone: Phone, expect: Expect, known: Known, deadline: float) -> None:
    """Wait until the state is as expected.

    Raises:
        Unmet: it was not before `deadline`, in Trio's time; the differences at that moment.
    """
    within = max(0.0, deadline - trio.current_time())
    try:
        await phone.table.wait_for(lambda _: not differences(phone, expect, known), within)
    except (trio.TooSlowError, TableClosed):
        wrong = differences(phone, expect, known)
        if wrong:
            raise Unmet("", *wrong) from None


def check_never(phone: Phone, expect: Expect) -> None:
    """Raises `Unmet` where something has happened that must not."""
    for happening in phone.heard[phone.since :]:
        if name_of(type(happening)) in expect.nevers and _counts(phone, happening):
            raise Unmet(
                f"never sees {' or '.join(expect.nevers)}",
                f"it has seen {happening_words(happening)}",
            )


def differences(phone: Phone, expect: Expect, known: Known) -> list[str]:
    """Each difference between what is expected and what the phone shows, as a sentence."""
    wrong = _cart_differences(phone, expect, known)
    if expect.orders is not None:
        confirmed = [
            one for one in phone.table.store.orders if one.order_id not in known.old_orders
        ]
        if len(confirmed) != expect.orders:
            there = _text([one.order_id for one in confirmed])
            wrong.append(f"orders: {expect.orders} expected, {len(confirmed)} there: {there}")
    online = {one.member_id for one in phone.table.store.members if one.online}
    here = {name for name, member_id in known.member_ids.items() if member_id in online}
    wrong += [f"{name} is offline, online expected" for name in expect.online if name not in here]
    wrong += [f"{name} is online, offline expected" for name in expect.offline if name in here]
    return wrong


def _cart_differences(phone: Phone, expect: Expect, known: Known) -> list[str]:
    cart, store = expect.cart, phone.table.store
    if cart is None:
        return []
    wrong: list[str] = []

    def compare(name: str, expected: object, actual: object) -> None:
        if expected is not None and not same(expected, actual):
            wrong.append(f"cart.{name}: {_text(expected)} expected, {_text(actual)} there")

    compare("locked", cart.locked, store.cart_locked)
    if cart.locked_by is not None:
        by_id = {member_id: name for name, member_id in known.member_ids.items()}
        locker = store.locked_by_member or (store.member_id if store.locked_here else "")
        compare("locked_by", cart.locked_by, by_id.get(locker, store.locked_by_name))
    if cart.lines is not None:
        lines = [line_words(item.qty, item.name, item.note) for item in store.items]
        if Counter(map(normal_line, cart.lines)) != Counter(map(normal_line, lines)):
            wrong.append(f"cart.lines: {_text(cart.lines)} expected, {_text(lines)} there")
    compare("total", cart.total, store.total)
    compare("status", cart.status, store.order_processing_status)
    pending = store.pending_order
    compare("stage", cart.stage, None if pending is None else pending.stage)
    compare("in_doubt", cart.in_doubt, len(store.in_doubt))
    compare("error", cart.error, None if store.last_order is None else store.last_order.error)
    return wrong


def _text(value: object) -> str:
    if isinstance(value, list | tuple):
        return " + ".join(str(one) for one in value) or "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.2f}"
    return "nothing" if value is None else str(value)


def _counts(phone: Phone, happening: Happening) -> bool:
    """An event of before the last change may be heard after it: its `seq` tells."""
    if isinstance(happening, CartSnapshot) or not isinstance(happening, Event):
        return True
    return happening.seq > phone.since_seq


def _is(sight: Sight, happening: Happening) -> bool:
    if name_of(type(happening)) != sight.what:
        return False
    return not sight.fields or same(
        sight.fields, msgspec.to_builtins(happening, builtin_types=_NUMBERS_KEPT)
    )


def _heard_words(phone: Phone) -> str:
    heard = [
        happening_words(one)
        for one in phone.heard[phone.since :]
        if _counts(phone, one) and name_of(type(one)) != "presence"
    ]
    shown = heard[-MAX_HAPPENINGS_SHOWN:]
    return f"since the last change there was: {', '.join(shown) or 'nothing'}"


def _sight_words(sight: Sight) -> str:
    fields = ", ".join(f"{key} = {value!r}" for key, value in sight.fields.items())
    return f"{sight.what} with {fields}" if fields else sight.what
