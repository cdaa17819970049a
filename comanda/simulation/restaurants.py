"""The restaurants of the simulated house: each with a currency, a menu, tables and staff of its own."""

from comanda.actors.domain.menu import Menu, MenuItem, Restaurant, Table
from comanda.http.auth import hash_token

TABLES_MOST = 4
"""Tables that an evening has, all of one restaurant at the most."""


def table_code(restaurant: int, table: int) -> str:
    """The code of the evening's table with this number, in the restaurant with that one."""
    return f"table-{RESTAURANTS[restaurant].restaurant_id}-{table}"


def staff_token_of(restaurant_id: int) -> str:
    """What this restaurant's staff show, and nobody else's."""
    return f"staff of restaurant {restaurant_id}"


def _restaurant(
    restaurant_id: int, name: str, currency: str, minor_digits: int, prices_minor: tuple[int, ...]
) -> Restaurant:
    numbers = [restaurant_id * 100 + place for place in range(len(prices_minor))]
    dishes = ("Margherita", "Lassi", "Kulfi")
    items = {
        number: MenuItem(number, "Food", dish, "", price, True)
        for number, dish, price in zip(numbers, dishes, prices_minor, strict=True)
    }
    return Restaurant(
        restaurant_id,
        name,
        Menu(restaurant_id, currency, minor_digits, items),
        tuple(
            Table(f"table-{restaurant_id}-{n}", f"T{n}", restaurant_id) for n in range(TABLES_MOST)
        ),
        hash_token(staff_token_of(restaurant_id)),
    )


RESTAURANTS = (
    _restaurant(7, "Trattoria", "INR", 2, (62500, 9000, 12050)),
    _restaurant(8, "Izakaya", "JPY", 0, (1850, 420, 600)),
    _restaurant(9, "Diwan", "KWD", 3, (3250, 475, 1005)),
)
"""Two, no and three digits behind the point."""


def dishes_of(restaurant: int) -> tuple[int, ...]:
    """What is on the menu of the restaurant with this number."""
    return tuple(RESTAURANTS[restaurant].menu.items)
