"""A session's life out of storage: what it calls the cart is what the table sees as its cart."""

from datetime import timedelta

from comanda.actors.domain.inputs import LockEnded
from comanda.actors.domain.order import Unknown
from comanda.storage.groups import Call
from comanda.storage.inline import InlineStore, open_inline
from comanda.storage.life import life_of

from .house import NOW, Party, restaurant, seat


async def cart_of(store: InlineStore, party: Party) -> list[tuple[str, str]]:
    """The cart's lines by their ids, each with its state."""
    life = await store._read(Call(lambda connection: life_of(connection, party.session.pid)))
    return [(line.public_id, line.state) for line in life.cart]


async def test_an_orders_lines_are_in_the_cart_until_its_lock_ends() -> None:
    with open_inline() as store:
        await store.install([restaurant()], "menu 1")
        party = await seat(store)
        await store.commit(party.arrives())
        await store.commit(party.adds())
        (line,) = party.session.lines
        assert await cart_of(store, party) == [(line, "pending")]
        await store.commit(party.orders(await store.reserve_order_number(7)))
        await store.commit(party.calls())
        await store.commit(party.hears(Unknown("silence")))
        assert await cart_of(store, party) == [(line, "locked")]
        party.now = NOW + timedelta(minutes=5)
        await store.commit(party.decided(LockEnded(party.order.order_id)))
        assert party.session.lines == {}
        assert await cart_of(store, party) == []
