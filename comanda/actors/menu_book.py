"""The restaurants of this house as they stand now, in memory; storage has them for good."""

from .domain.menu import Menu, Restaurant, Table
from .ports import Store


class MenuBook:
    """Fulfils the `Menus` port. Filled from storage at start and after each change."""

    def __init__(self) -> None:
        self._restaurants: dict[int, Restaurant] = {}
        self._tables: dict[str, Table] = {}

    async def load(self, store: Store) -> None:
        """Take every restaurant from storage. Raises `StorageUnavailable`."""
        self._restaurants = await store.restaurants()
        self._tables = {
            table.code: table
            for restaurant in self._restaurants.values()
            for table in restaurant.tables
        }

    def current(self, restaurant_id: int) -> Menu:
        """The menu of a restaurant of this house. Raises `KeyError` for any other."""
        return self._restaurants[restaurant_id].menu

    def restaurant(self, restaurant_id: int) -> Restaurant | None:
        """The restaurant with this id."""
        return self._restaurants.get(restaurant_id)

    def restaurants(self) -> tuple[Restaurant, ...]:
        """All of them, by id."""
        return tuple(self._restaurants[key] for key in sorted(self._restaurants))

    def table(self, code: str) -> Table | None:
        """The table whose QR carries this code."""
        return self._tables.get(code)

    def take(self, menu: Menu) -> None:
        """A restaurant's menu has changed; storage has it already."""
        old = self._restaurants[menu.restaurant_id]
        self._restaurants[menu.restaurant_id] = Restaurant(
            old.restaurant_id, old.name, menu, old.tables, old.staff_token_hash
        )
