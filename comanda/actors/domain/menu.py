"""What a restaurant sells, and at what price. The menu, not the client, says what a line costs."""

from msgspec import Struct


class MenuItem(Struct, frozen=True):
    """One dish or drink. `price_minor` is in minor units of the restaurant's currency."""

    menu_item_id: int
    section: str
    name: str
    description: str
    price_minor: int
    available: bool


class Menu(Struct, frozen=True):
    """A restaurant's menu at one moment. Items keep the order in which they are shown.

    `minor_digits` is the currency's number of decimals (2 for INR and EUR, 0 for JPY).
    """

    restaurant_id: int
    currency: str
    minor_digits: int
    items: dict[int, MenuItem]

    def with_item(self, item: MenuItem) -> "Menu":
        """The same menu with `item` in the place of the one that has its id."""
        return Menu(
            restaurant_id=self.restaurant_id,
            currency=self.currency,
            minor_digits=self.minor_digits,
            items={**self.items, item.menu_item_id: item},
        )


class Table(Struct, frozen=True):
    """A restaurant's table. `code` is what its QR carries, `label` what people call it."""

    code: str
    label: str
    restaurant_id: int


class Restaurant(Struct, frozen=True):
    """A restaurant of this house: its menu, its tables, and the hash of its staff's token.

    `staff_token_hash` is the SHA-256 of the token in hex; None: only the house's own staff token opens.
    """

    restaurant_id: int
    name: str
    menu: Menu
    tables: tuple[Table, ...]
    staff_token_hash: str | None = None
