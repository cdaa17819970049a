"""Restaurants, their tables and their menus."""

from collections.abc import Sequence

from sqlalchemy import Connection, select, update

from comanda.actors.domain.menu import Menu, MenuItem, Restaurant, Table

from . import bulk
from .tables import menu_items, restaurants, tables

_put_restaurants = bulk.upsert(
    restaurants,
    (
        "restaurant_id",
        "name",
        "currency",
        "minor_digits",
        "staff_token_hash",
        "menu_digest",
        "last_order_number",
    ),
    ("name", "currency", "minor_digits", "staff_token_hash", "menu_digest"),
)
_put_tables = bulk.upsert(
    tables,
    ("code", "restaurant_id", "label", "position", "listed"),
    ("restaurant_id", "label", "position", "listed"),
)
_put_items = bulk.upsert(
    menu_items,
    (
        "restaurant_id",
        "menu_item_id",
        "position",
        "section",
        "name",
        "description",
        "price_minor",
        "available",
    ),
    ("position", "section", "name", "description", "price_minor", "available"),
)


def install(connection: Connection, given: Sequence[Restaurant], digest: str) -> None:
    """Put restaurants, tables and menus into storage as a menu file has them.

    Nothing is done where the last file installed had this digest. What the file no longer has is kept
    but closed: an item is not available, a table's code is unknown.
    """
    digests = set(connection.execute(select(restaurants.c.menu_digest)).scalars())
    if digests == {digest}:
        return
    connection.execute(update(restaurants).values(menu_digest=digest))
    connection.execute(update(tables).values(listed=False))
    connection.execute(update(menu_items).values(available=False))
    given = sorted(given, key=lambda restaurant: restaurant.restaurant_id)
    _put_restaurants.run(
        connection,
        [
            (
                restaurant.restaurant_id,
                restaurant.name,
                restaurant.menu.currency,
                restaurant.menu.minor_digits,
                restaurant.staff_token_hash,
                digest,
                0,
            )
            for restaurant in given
        ],
    )
    _put_tables.run(
        connection,
        sorted(
            (table.code, restaurant.restaurant_id, table.label, position, True)
            for restaurant in given
            for position, table in enumerate(restaurant.tables)
        ),
    )
    _put_items.run(
        connection,
        sorted(
            (
                restaurant.restaurant_id,
                item.menu_item_id,
                position,
                item.section,
                item.name,
                item.description,
                item.price_minor,
                item.available,
            )
            for restaurant in given
            for position, item in enumerate(restaurant.menu.items.values())
        ),
    )


def all_restaurants(connection: Connection) -> dict[int, Restaurant]:
    """Every restaurant with its menu and its tables, by id."""
    items: dict[int, dict[int, MenuItem]] = {}
    for row in connection.execute(
        select(menu_items).order_by(menu_items.c.position, menu_items.c.menu_item_id)
    ):
        items.setdefault(row.restaurant_id, {})[row.menu_item_id] = MenuItem(
            row.menu_item_id, row.section, row.name, row.description, row.price_minor, row.available
        )
    listed: dict[int, list[Table]] = {}
    for row in connection.execute(
        select(tables).where(tables.c.listed).order_by(tables.c.position, tables.c.code)
    ):
        listed.setdefault(row.restaurant_id, []).append(
            Table(row.code, row.label, row.restaurant_id)
        )
    return {
        row.restaurant_id: Restaurant(
            restaurant_id=row.restaurant_id,
            name=row.name,
            menu=Menu(
                row.restaurant_id, row.currency, row.minor_digits, items.get(row.restaurant_id, {})
            ),
            tables=tuple(listed.get(row.restaurant_id, ())),
            staff_token_hash=row.staff_token_hash,
        )
        for row in connection.execute(select(restaurants).order_by(restaurants.c.restaurant_id))
    }


def change_menu_item(
    connection: Connection,
    restaurant_id: int,
    menu_item_id: int,
    available: bool | None,
    price_minor: int | None,
) -> Menu | None:
    """Change an item's availability, price or both; the menu as it then stands, None: no such item."""
    here = (menu_items.c.restaurant_id == restaurant_id, menu_items.c.menu_item_id == menu_item_id)
    if connection.execute(select(menu_items.c.menu_item_id).where(*here)).first() is None:
        return None
    changed: dict[str, object] = {}
    if available is not None:
        changed["available"] = available
    if price_minor is not None:
        changed["price_minor"] = price_minor
    if changed:
        connection.execute(update(menu_items).where(*here).values(**changed))
    return _menu_of(connection, restaurant_id)


def _menu_of(connection: Connection, restaurant_id: int) -> Menu | None:
    row = connection.execute(
        select(restaurants.c.currency, restaurants.c.minor_digits).where(
            restaurants.c.restaurant_id == restaurant_id
        )
    ).first()
    if row is None:
        return None
    return Menu(
        restaurant_id,
        row.currency,
        row.minor_digits,
        {
            item.menu_item_id: MenuItem(
                item.menu_item_id,
                item.section,
                item.name,
                item.description,
                item.price_minor,
                item.available,
            )
            for item in connection.execute(
                select(menu_items)
                .where(menu_items.c.restaurant_id == restaurant_id)
                .order_by(menu_items.c.position, menu_items.c.menu_item_id)
            )
        },
    )
