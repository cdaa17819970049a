"""The menu file: restaurants, their tables and what they sell, in TOML a person can write."""

import hashlib
import re
import tomllib
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta, Struct

from comanda.actors.domain.menu import Menu, MenuItem, Restaurant, Table
from comanda.actors.domain.money import MoneyOutOfRange, to_minor
from comanda.actors.domain.text import one_line, plain

MAX_FILE_BYTES = 4 * 1024 * 1024
"""A menu file is text that people write; larger is a mistake."""

DEMO_RESTAURANT_ID = 7

_DIGITS = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF"), 0),
    **dict.fromkeys(("UGX", "VND", "VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}
"""ISO 4217 currencies whose minor unit is not a hundredth."""

_Id = Annotated[int, Meta(ge=1, le=2**53)]
_Text = Annotated[str, Meta(min_length=1, max_length=120)]
_Code = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_-]{1,64}\Z")]


class MenuFileError(Exception):
    """The menu file cannot be used. The text names the file, the line or key, and what is wrong."""


class _Item(Struct, forbid_unknown_fields=True):
    id: _Id
    name: _Text
    price: Decimal | int
    description: Annotated[str, Meta(max_length=500)] = ""
    available: bool = True


class _Section(Struct, forbid_unknown_fields=True):
    name: _Text
    items: list[_Item]


class _Table(Struct, forbid_unknown_fields=True):
    label: Annotated[str, Meta(min_length=1, max_length=40)]
    code: _Code | None = None


class _Restaurant(Struct, forbid_unknown_fields=True):
    id: _Id
    name: _Text
    currency: Annotated[str, Meta(pattern=r"\A[A-Z]{3}\Z")]
    sections: list[_Section]
    tables: list[_Table] = []
    minor_digits: Annotated[int, Meta(ge=0, le=3)] | None = None
    staff_token_sha256: Annotated[str, Meta(pattern=r"\A[0-9a-fA-F]{64}\Z")] | None = None


class _File(Struct, forbid_unknown_fields=True):
    restaurants: Annotated[list[_Restaurant], Meta(min_length=1)]


class LoadedMenu(Struct, frozen=True):
    """What a menu file says, and the digest of its content."""

    restaurants: tuple[Restaurant, ...]
    digest: str


def load_menu_file(path: Path) -> LoadedMenu:
    """Read and check a menu file.

    Raises:
        MenuFileError: it cannot be read, is no TOML, or says something that cannot be.
    """
    data = _read(path)
    restaurants = parse_menu(data, str(path))
    for restaurant in restaurants:
        if not restaurant.tables:
            raise MenuFileError(f"{path}: restaurant {restaurant.restaurant_id} has no tables")
    return LoadedMenu(restaurants, hashlib.sha256(data).hexdigest())


class WrittenTable(NamedTuple):
    """A table as a menu file has it; one without a code cannot be served yet."""

    restaurant_id: int
    label: str
    code: str | None


def read_tables(path: Path) -> tuple[str, list[WrittenTable]]:
    """A menu file's text, and its tables in the order in which they are written there.

    Raises:
        MenuFileError: as `load_menu_file`, but that tables may be without a code.
    """
    data = _read(path)
    file = _parse_file(data, str(path))
    return data.decode(), [
        WrittenTable(one.id, table.label, table.code)
        for one in file.restaurants
        for table in one.tables
    ]


def _read(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise MenuFileError(f"{path}: cannot be read: {error.strerror or error}") from error
    if len(data) > MAX_FILE_BYTES:
        raise MenuFileError(f"{path}: is larger than {MAX_FILE_BYTES} bytes")
    return data


def demo_menu(tables: int) -> LoadedMenu:
    """The demonstration restaurant (id 7) with tables `demo-1` to `demo-{tables}`."""
    data = resources.files("comanda").joinpath("demo_menu.toml").read_bytes()
    (restaurant,) = parse_menu(data, "demo_menu.toml")
    restaurant = msgspec.structs.replace(
        restaurant,
        tables=tuple(
            Table(f"demo-{number}", f"T{number}", restaurant.restaurant_id)
            for number in range(1, tables + 1)
        ),
    )
    digest = hashlib.sha256(data + f"tables={tables}".encode()).hexdigest()
    return LoadedMenu((restaurant,), digest)


def parse_menu(data: bytes, name: str) -> tuple[Restaurant, ...]:
    """Check the bytes of a menu file; `name` is for the messages. Tables may be missing.

    Raises:
        MenuFileError: as `load_menu_file`.
    """
    return tuple(_restaurant(one, name) for one in _parse_file(data, name).restaurants)


def _parse_file(data: bytes, name: str) -> _File:
    try:
        raw = tomllib.loads(data.decode(), parse_float=Decimal)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise MenuFileError(f"{name}: line {line}: not UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise MenuFileError(f"{name}: {error}") from error
    except RecursionError as error:
        raise MenuFileError(f"{name}: is nested too deeply") from error
    except (ValueError, ArithmeticError) as error:  # thousands of digits, or such an exponent
        raise MenuFileError(f"{name}: holds a number that cannot be one: {error}") from error
    try:
        file = msgspec.convert(raw, _File)
    except msgspec.ValidationError as error:
        raise MenuFileError(f"{name}: {_where(str(error), raw)}") from error
    _check_unique(file, name)
    return file


def _where(sentence: str, raw: dict[str, Any]) -> str:
    """`restaurants[0].sections[1].items[3].price (Margherita): Expected …`."""
    match = re.fullmatch(r"(?P<what>.*?) - at `\$\.?(?P<path>.*)`", sentence, re.DOTALL)
    if match is None:
        return sentence
    node: Any = raw
    named = ""
    for key, index in re.findall(r"(\w+)|\[(\d+)\]", match["path"]):
        try:
            node = node[int(index)] if index else node[key]
        except (KeyError, IndexError, TypeError):
            break
        if isinstance(node, dict) and isinstance(node.get("name"), str):
            named = f" ({node['name']})"
    return f"{match['path'] or 'the file'}{named}: {match['what']}"


def _check_unique(file: _File, name: str) -> None:
    seen: dict[tuple[str, object], str] = {}

    def once(kind: str, value: object, where: str) -> None:
        if (kind, value) in seen:
            raise MenuFileError(f"{name}: {where}: {kind} {value!r} is used twice")
        seen[kind, value] = where

    for restaurant in file.restaurants:
        once("restaurant id", restaurant.id, f"restaurant {restaurant.name!r}")
        for table in restaurant.tables:
            if table.code is not None:
                once("table code", table.code, f"restaurant {restaurant.name!r}")
        for section in restaurant.sections:
            for item in section.items:
                kind = f"item id of restaurant {restaurant.id}"
                once(kind, item.id, f"section {section.name!r}, item {item.name!r}")


def _restaurant(one: _Restaurant, name: str) -> Restaurant:
    digits = one.minor_digits
    if digits is None:
        digits = _DIGITS.get(one.currency, 2)
    items = {
        item.id: MenuItem(
            menu_item_id=item.id,
            section=_shown(section.name, name),
            name=_shown(item.name, name),
            description=plain(item.description),
            price_minor=_price(item, digits, name),
            available=item.available,
        )
        for section in one.sections
        for item in section.items
    }
    token_hash = None if one.staff_token_sha256 is None else one.staff_token_sha256.lower()
    return Restaurant(
        restaurant_id=one.id,
        name=_shown(one.name, name),
        menu=Menu(one.id, one.currency, digits, items),
        tables=tuple(_table(table, one.id, name) for table in one.tables),
        staff_token_hash=token_hash,
    )


def _table(table: _Table, restaurant_id: int, name: str) -> Table:
    if table.code is None:
        raise MenuFileError(
            f"{name}: restaurant {restaurant_id}, table {table.label!r} has no code; "
            f"`comanda codes {name}` makes one that nobody guesses"
        )
    return Table(table.code, _shown(table.label, name), restaurant_id)


def _shown(text: str, name: str) -> str:
    """A name or a label as people are shown it: one line of plain text."""
    line = one_line(text)
    if not line:
        raise MenuFileError(f"{name}: the name or label {text!r} has nothing that can be shown")
    return line


def _price(item: _Item, digits: int, name: str) -> int:
    try:
        price = to_minor(Decimal(item.price), digits)
    except MoneyOutOfRange as error:
        raise MenuFileError(f"{name}: item {item.id} ({item.name}): price: {error}") from error
    if price < 0:
        raise MenuFileError(f"{name}: item {item.id} ({item.name}): price: must not be negative")
    return price
