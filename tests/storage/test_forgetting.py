"""Guests are forgotten: what goes, what stays, when, and that the database lets go of nothing else."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from comanda.actors.domain.inputs import Admit, ByMember, CloseSession, LockEnded
from comanda.actors.domain.messages import AddItem, PlaceOrder, SeenItem
from comanda.actors.domain.order import Accepted, Rejected, Unknown
from comanda.actors.ports import SessionKey, Store
from comanda.storage import forgetting
from comanda.storage.inline import open_inline
from comanda.storage.life import life_of
from comanda.storage.looking import looked_into
from comanda.storage.rules import A_GUEST
from comanda.storage.store import open_store

from .house import NOW, OpenStore, Party, key_of, restaurant, seat

MONTH = timedelta(days=30)
NAME, NOTE, WISH, REQUEST = "Rosalind-X", "allergic-to-Y", "call-me-Z", "request-of-W"
"""Words that stand nowhere else in a database."""

SECRET_WORDS = (NAME, NOTE, WISH, REQUEST)


def writes(party: Party, number: int) -> PlaceOrder:
    """The order of all that is in the cart, with words of a guest's."""
    lines = party.session.lines.values()
    seen = tuple(SeenItem(one.public_id, one.menu_item_id, one.qty, one.note) for one in lines)
    return PlaceOrder(seen, party.session.total_minor / 100, WISH, f"{REQUEST}-{number}")


async def dines(store: Store, table: int = 1) -> Party:
    """A party that says all that a guest can say: an order accepted, one refused, lines left over."""
    party = await seat(store, table)
    await store.commit(party.decided(Admit(NAME)))
    for outcome in (Accepted("POS-1"), Rejected("no", "The oven is cold", True)):
        await store.commit(party.decided(ByMember(party.member_id, AddItem(456, 2, NOTE))))
        number = await store.reserve_order_number(7)
        order = ByMember(party.member_id, writes(party, number))
        await store.commit(party.decided(order, order_number=number))
        await store.commit(party.calls())
        await store.commit(party.hears(outcome))
    await store.commit(party.decided(ByMember(party.member_id, AddItem(9, 1, NOTE))))
    return party


async def leaves(store: Store, party: Party) -> None:
    await store.commit(party.decided(CloseSession("They left")))


async def has_eaten(store: Store, table: int = 1) -> Party:
    party = await dines(store, table)
    await leaves(store, party)
    return party


def words_in(path: Path) -> set[str]:
    """Which of the secret words stand in the file, or in the log beside it."""
    files = [path, *(path.parent.glob(f"{path.name}-*"))]
    content = b"".join(file.read_bytes() for file in files)
    return {word for word in SECRET_WORDS if word.encode() in content}


async def test_nothing_that_a_guest_wrote_is_in_the_file_afterwards(
    open_again: OpenStore, url: str
) -> None:
    path = Path(url.removeprefix("sqlite:///"))
    async with open_again() as store:
        await store.install([restaurant()], "menu 1")
        await has_eaten(store)
    assert words_in(path) == set(SECRET_WORDS)
    async with open_again() as store:
        assert await store.forget_closed(NOW + MONTH, NOW + MONTH, 10) == 1
    assert words_in(path) == set()


async def test_what_was_eaten_and_what_it_cost_stays(store: Store) -> None:
    party = await has_eaten(store)
    before = await store.orders(7, (), None, 10)
    history = await store.confirmed_orders(party.session.pid)
    assert await store.forget_session(key_of(party.session), NOW) == "forgotten"
    after = await store.orders(7, (), None, 10)
    assert [one.total for one in after.orders] == [one.total for one in before.orders]
    for was, now in zip(before.orders, after.orders, strict=True):
        assert (now.order_id, now.state, now.placed_at) == (was.order_id, was.state, was.placed_at)
        assert now.placed_by_name == A_GUEST
        assert now.special_instructions == ""
        for line, left in zip(was.lines, now.lines, strict=True):
            assert (left.name, left.qty, left.line_total) == (line.name, line.qty, line.line_total)
            assert (left.note, left.added_by) == ("", A_GUEST)
    (told,) = await store.confirmed_orders(party.session.pid)
    assert told.total == history[0].total
    assert (told.placed_by_name, told.lines[0].added_by) == (A_GUEST, A_GUEST)


async def test_only_sessions_that_closed_before_are_forgotten_the_oldest_first(
    store: Store,
) -> None:
    parties = [await seat(store, number) for number in (1, 2, 3)]
    for days, party in enumerate(parties):
        party.now = NOW + timedelta(days=days)
        await store.commit(party.arrives())
        await leaves(store, party)
    later = NOW + MONTH
    assert await store.forget_closed(NOW + timedelta(days=1, hours=12), later, 1) == 1
    assert await store.forget_closed(NOW + timedelta(days=1, hours=12), later, 5) == 1
    assert await store.forget_closed(NOW + timedelta(days=1, hours=12), later, 5) == 0
    assert await store.forget_closed(NOW + timedelta(days=9), later, 5) == 1


async def test_an_open_session_is_never_forgotten_however_old(store: Store) -> None:
    party = await dines(store)
    assert await store.forget_closed(NOW + 100 * MONTH, NOW + 100 * MONTH, 10) == 0
    assert await store.forget_session(key_of(party.session), NOW) == "open"
    loaded = await store.activate(key_of(party.session))
    assert loaded.session == party.session


async def test_a_session_with_an_order_in_doubt_waits_until_it_is_settled(store: Store) -> None:
    party = await seat(store)
    await store.commit(party.decided(Admit(NAME)))
    await store.commit(party.adds())
    await store.commit(party.orders(await store.reserve_order_number(7)))
    await store.commit(party.calls())
    await store.commit(party.hears(Unknown("silence")))
    order = party.order
    await leaves(store, party)
    assert await store.forget_closed(NOW + MONTH, NOW + MONTH, 10) == 0
    assert await store.forget_session(key_of(party.session), NOW) == "unsettled"
    party.now = NOW + timedelta(minutes=5)
    await store.commit(party.decided(LockEnded(order.order_id)))
    assert await store.forget_closed(NOW + MONTH, NOW + MONTH, 10) == 0
    (waiting,) = await store.waiting_for_staff(10)
    assert waiting.placed_by_name == NAME


async def test_forgetting_again_changes_nothing_and_a_stranger_is_unknown(store: Store) -> None:
    party = await has_eaten(store)
    key = key_of(party.session)
    assert await store.forget_session(key, NOW) == "forgotten"
    assert await store.forget_session(key, NOW + MONTH) == "forgotten"
    assert await store.forget_closed(NOW + MONTH, NOW + MONTH, 10) == 0
    assert await store.forget_session(SessionKey(8, key.pid), NOW) == "unknown"
    assert await store.forget_session(SessionKey(7, "nobody"), NOW) == "unknown"


async def test_others_keep_their_names(store: Store) -> None:
    gone, there = await has_eaten(store, 1), await dines(store, 2)
    await store.forget_session(key_of(gone.session), NOW)
    loaded = await store.activate(key_of(there.session))
    assert loaded.session == there.session
    assert {member.name for member in loaded.session.members.values()} == {NAME}


async def test_a_forgotten_session_can_still_be_loaded(store: Store) -> None:
    party = await has_eaten(store)
    await store.forget_session(key_of(party.session), NOW)
    session = (await store.activate(key_of(party.session))).session
    assert [member.name for member in session.members.values()] == [A_GUEST]
    assert session.requests == {}
    assert session.last_order is None
    assert {line.note for line in session.lines.values()} == {""}
    assert session.closed_reason == "They left"


async def test_a_look_into_storage_says_when_guests_were_forgotten(
    open_again: OpenStore, url: str
) -> None:
    async with open_again() as store:
        await store.install([restaurant()], "menu 1")
        party = await has_eaten(store)
        await store.forget_session(key_of(party.session), NOW + MONTH)
    with looked_into(Path(url.removeprefix("sqlite:///"))) as connection:
        life = life_of(connection, party.session.pid)
    assert life is not None
    assert life.forgotten_at == NOW + MONTH
    assert life.closed_at == party.session.updated_at
    assert [one.name for one in life.members] == [A_GUEST]


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("UPDATE members SET name = 'a guest'", "until it is forgotten"),
        ("UPDATE order_journal SET placed_by_name = 'a guest', payload = x''", "never change"),
        ("UPDATE orders SET placed_by_name = 'a guest'", "never changes, until"),
        ("UPDATE order_lines SET note = '', added_by_name = 'a guest'", "never changes, until"),
        ("UPDATE cart_items SET note = '' WHERE state = 'ordered'", "or is forgotten"),
        ("UPDATE dining_sessions SET join_pin = '0000'", "it only goes"),
    ],
)
async def test_the_database_lets_go_of_nothing_before(
    statement: str, why: str, tmp_path: Path
) -> None:
    await refused_in_a_house(statement, why, forgotten=False)


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("UPDATE members SET name = 'Zoe'", "until it is forgotten"),
        ("UPDATE order_journal SET placed_by_name = 'Zoe'", "never change"),
        ("UPDATE order_journal SET special_instructions = 'Zoe'", "never change"),
        ("UPDATE order_journal SET payload = x'00'", "never change"),
        ("UPDATE order_journal SET total_minor = 1", "never change"),
        ("UPDATE order_journal SET error = 'Zoe'", "no move of an order"),
        ("UPDATE orders SET placed_by_name = 'Zoe'", "never changes, until"),
        ("UPDATE orders SET total_minor = 1", "never changes"),
        ("UPDATE order_lines SET added_by_name = 'Zoe'", "never changes, until"),
        ("UPDATE order_lines SET name = 'Zoe'", "never changes"),
        ("UPDATE cart_items SET note = 'Zoe' WHERE state = 'ordered'", "or is forgotten"),
        ("UPDATE dining_sessions SET forgotten_at = 1", "forgotten once"),
        ("UPDATE dining_sessions SET closed_at = 1", "stays closed"),
        ("DELETE FROM order_journal", "keeps every order"),
    ],
)
async def test_the_database_lets_nothing_else_be_written_afterwards(
    statement: str, why: str
) -> None:
    await refused_in_a_house(statement, why, forgotten=True)


async def refused_in_a_house(statement: str, why: str, *, forgotten: bool) -> None:
    with open_inline() as store:
        await store.install([restaurant()], "menu 1")
        party = await has_eaten(store)
        if forgotten:
            await store.forget_session(key_of(party.session), NOW)
        connection: Connection = store._connection
        with pytest.raises(IntegrityError, match=why), connection.begin():
            connection.execute(text(statement))


async def test_a_session_with_an_order_in_doubt_is_not_forgotten_by_hand_either() -> None:
    with open_inline() as store:
        await store.install([restaurant()], "menu 1")
        party = await seat(store)
        await store.commit(party.arrives())
        await store.commit(party.adds())
        await store.commit(party.orders(await store.reserve_order_number(7)))
        await leaves(store, party)
        with (
            pytest.raises(IntegrityError, match="all have an outcome"),
            store._connection.begin(),
        ):
            forgetting._forget(store._connection, [party.session.pid], NOW)


async def test_where_there_is_nobody_to_forget_nothing_is_written(url: str) -> None:
    async with open_store(url) as store:
        await store.install([restaurant()], "menu 1")
        party = await dines(store)
        groups = store.groups
        assert await store.forget_closed(NOW + MONTH, NOW, 10) == 0
        assert store.groups == groups
        await leaves(store, party)
        assert await store.forget_closed(NOW + MONTH, NOW, 10) == 1
        assert store.groups == groups + 2
