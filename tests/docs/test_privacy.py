"""docs/privacy.md against the schema: every column that could hold a guest's word is on it."""

import re

from sqlalchemy import LargeBinary, String

from comanda.actors.sweeps import SweepLimits
from comanda.config import Settings
from comanda.storage.tables import (
    cart_items,
    dining_sessions,
    incidents,
    members,
    metadata,
    order_journal,
    order_lines,
    orders,
    pos_attempts,
    requests,
    voids,
)

from .pages import read_page

PAGE = read_page("docs/privacy.md")
OF_GUESTS = (
    *(cart_items, dining_sessions, incidents, members, order_journal, order_lines),
    *(orders, pos_attempts, requests, voids),
)
OF_THE_HOUSE = {"restaurants", "tables", "menu_items"}
"""What the menu file says."""

GOES = set(PAGE.section("What goes").column("column"))
STAYS = set(PAGE.section("What stays").column("column"))


def test_every_table_is_a_guests_or_the_houses() -> None:
    assert {table.name for table in OF_GUESTS} | OF_THE_HOUSE == set(metadata.tables)


def test_every_column_with_words_in_it_is_on_the_page_once() -> None:
    with_words = {
        f"{table.name}.{column.name}"
        for table in OF_GUESTS
        for column in table.columns
        if isinstance(column.type, String | LargeBinary)
    }
    assert GOES | STAYS | {"dining_sessions.join_pin"} == with_words
    assert not GOES & STAYS


def test_the_time_on_the_page_is_the_settings() -> None:
    days = Settings.model_fields["retention_days"].default
    assert f"{days:g} days after" in PAGE.text
    assert SweepLimits().forget_guests_after_seconds == days * 86_400
    assert re.search(r"COMANDA_RETENTION_DAYS", PAGE.text)
