"""Restaurants' menus as HTTP answers, encoded once a change and not once a guest."""

import hashlib

from comanda.actors.domain.menu import Menu
from comanda.actors.domain.messages import MenuAnswer, MenuEntry, MenuSection, encode
from comanda.actors.domain.money import to_major


class MenuPages:
    """The last encoded menu of each restaurant, with its ETag."""

    def __init__(self) -> None:
        self._pages: dict[int, tuple[Menu, bytes, str]] = {}

    def page(self, menu: Menu) -> tuple[bytes, str]:
        """The JSON of this menu and its ETag."""
        known = self._pages.get(menu.restaurant_id)
        if known is None or known[0] is not menu:
            body = encode(menu_answer(menu))
            etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
            known = self._pages[menu.restaurant_id] = (menu, body, etag)
        return known[1], known[2]


def menu_answer(menu: Menu) -> MenuAnswer:
    """A menu as guests read it, section by section."""
    sections: dict[str, list[MenuEntry]] = {}
    for item in menu.items.values():
        price = to_major(item.price_minor, menu.minor_digits)
        sections.setdefault(item.section, []).append(
            MenuEntry(item.menu_item_id, item.name, item.description, price, item.available)
        )
    return MenuAnswer(
        menu.restaurant_id,
        tuple(MenuSection(name, tuple(items)) for name, items in sections.items()),
    )
