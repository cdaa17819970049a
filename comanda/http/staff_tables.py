"""A restaurant's tables for its staff: storage says who sits there, live sessions who is online."""

from comanda.actors.domain.menu import Restaurant
from comanda.actors.domain.messages import (
    PartyInfo,
    PresentMember,
    StaffTable,
    StaffTableList,
    UnsettledOrder,
)
from comanda.actors.domain.money import to_major
from comanda.actors.house import House
from comanda.actors.ports import OpenTable, OrderAtTable


async def staff_table_list(house: House, restaurant: Restaurant) -> StaffTableList:
    """All tables, the open ones with their party. Loads no session.

    A table that the menu file no longer has comes last while a party is still at it. Raises
    `StorageUnavailable`.
    """
    parties = {one.code: one for one in await house.store.open_tables(restaurant.restaurant_id)}
    listed = [
        StaffTable(table.code, table.label, _party(house, parties.pop(table.code, None)))
        for table in restaurant.tables
    ]
    left = [StaffTable(one.code, one.label, _party(house, one)) for one in parties.values()]
    return StaffTableList(restaurant.restaurant_id, (*listed, *left))


def _party(house: House, table: OpenTable | None) -> PartyInfo | None:
    if table is None:
        return None
    online = house.online(table.key)
    return PartyInfo(
        session_pid=table.key.pid,
        opened_at=table.opened_at,
        members=tuple(
            PresentMember(one.member_id, one.name, one.member_id in online) for one in table.members
        ),
        total=to_major(table.total_minor, table.minor_digits),
        pending_order=None if table.pending is None else _order(table.pending, table.minor_digits),
        orders_in_doubt=tuple(_order(one, table.minor_digits) for one in table.in_doubt),
        join_pin=table.join_pin,
    )


def _order(order: OrderAtTable, minor_digits: int) -> UnsettledOrder:
    return UnsettledOrder(
        order.order_id,
        order.state,
        order.placed_by_name,
        order.placed_at,
        to_major(order.total_minor, minor_digits),
    )
