"""The menu file: what it may say, and errors that name the file, the place and the fault."""

import hashlib
from decimal import Decimal
from pathlib import Path

import pytest

from comanda.menu_file import MAX_FILE_BYTES, MenuFileError, demo_menu, load_menu_file

GOOD = """\
[[restaurants]]
id = 3
name = "Chez Nous"
currency = "EUR"
staff_token_sha256 = "{hash}"

[[restaurants.sections]]
name = "Plats"
items = [
  {{ id = 1, name = "Soupe", price = 4.50, description = "Du jour" }},
  {{ id = 2, name = "Steak", price = 19, available = false }},
]

[[restaurants.tables]]
code = "kx7Q2mZp"
label = "T12"
"""
HASH = hashlib.sha256(b"staff").hexdigest()


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "menu.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_menu_file_gives_restaurants_tables_and_prices_in_minor_units(tmp_path: Path) -> None:
    text = GOOD.format(hash=HASH.upper())
    loaded = load_menu_file(write(tmp_path, text))
    [one] = loaded.restaurants
    assert (one.restaurant_id, one.name, one.staff_token_hash) == (3, "Chez Nous", HASH)
    assert [(table.code, table.label) for table in one.tables] == [("kx7Q2mZp", "T12")]
    assert (one.menu.currency, one.menu.minor_digits) == ("EUR", 2)
    soup, steak = one.menu.items.values()
    assert (soup.price_minor, soup.section, soup.description) == (450, "Plats", "Du jour")
    assert (steak.price_minor, steak.available) == (1900, False)
    assert loaded.digest == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    ("currency", "price", "minor"),
    [
        ("JPY", "900", 900),
        ("KRW", "12000.0", 12000),
        ("KWD", "1.250", 1250),
        ("EUR", "0", 0),
        ("USD", "0.1", 10),
        ("USD", "0.29", 29),
        ("USD", "1_000.05", 100005),
    ],
)
def test_prices_follow_the_currencys_decimals_exactly(
    tmp_path: Path, currency: str, price: str, minor: int
) -> None:
    text = GOOD.format(hash=HASH).replace("EUR", currency).replace("4.50", price)
    [one] = load_menu_file(write(tmp_path, text)).restaurants
    assert one.menu.items[1].price_minor == minor


def test_a_file_may_say_how_many_decimals_its_money_has(tmp_path: Path) -> None:
    text = GOOD.format(hash=HASH).replace('currency = "EUR"', 'currency = "EUR"\nminor_digits = 3')
    [one] = load_menu_file(write(tmp_path, text)).restaurants
    assert one.menu.items[1].price_minor == 4500


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("id = 3\n", "id = \n", ["line 2"]),
        ("price = 4.50", "price = 4,50", ["line 10"]),
        ("[[restaurants]]", "[[restaurants]", ["line 1"]),
        ("[[restaurants]]", "[[restaurant]]", ["restaurant"]),
        ('name = "Chez Nous"\n', "", ["restaurants[0]", "name"]),
        ('currency = "EUR"', 'currency = "Euro"', ["restaurants[0].currency"]),
        ('currency = "EUR"', 'currency = "eur"', ["restaurants[0].currency"]),
        ('currency = "EUR"', 'currency = "EUR"\ncolour = "red"', ["colour"]),
        ('currency = "EUR"', 'currency = "EUR"\nminor_digits = 4', ["minor_digits"]),
        ("price = 4.50", "prise = 4.50", ["items[0]", "Soupe"]),
        ("price = 4.50", "price = true", ["items[0].price", "Soupe"]),
        ("price = 4.50", 'price = "dear"', ["items[0].price", "Soupe"]),
        ("price = 4.50", "price = -1", ["item 1 (Soupe)", "price"]),
        ("price = 4.50", "price = nan", ["item 1 (Soupe)", "price"]),
        ("price = 4.50", "price = inf", ["item 1 (Soupe)", "price"]),
        ("price = 4.50", "price = 1e300", ["item 1 (Soupe)", "price"]),
        ("price = 4.50", "price = " + "9" * 5000, ["number"]),
        ("price = 4.50", "price = 1979-05-27", ["items[0].price", "Soupe"]),
        ("price = 4.50", "price = " + "[" * 50_000, ["nested"]),
        ("id = 1,", "id = 2,", ["item id of restaurant 3", "2", "twice", "Plats"]),
        ("id = 1,", "id = 0,", ["items[0].id"]),
        ("id = 1,", "id = 9007199254740993,", ["items[0].id"]),
        ("id = 1,", 'id = "1",', ["items[0].id"]),
        ("available = false", 'available = "no"', ["items[1].available", "Steak"]),
        ('name = "Soupe"', 'name = ""', ["items[0].name"]),
        ('code = "kx7Q2mZp"', 'code = "a b"', ["tables[0].code"]),
        ('code = "kx7Q2mZp"', 'code = "a/b"', ["tables[0].code"]),
        ('code = "kx7Q2mZp"', 'code = "x\\n"', ["tables[0].code"]),
        ('label = "T12"', "label = 12", ["tables[0].label"]),
        (HASH, "secret", ["staff_token_sha256"]),
        ('[[restaurants.tables]]\ncode = "kx7Q2mZp"\nlabel = "T12"\n', "", ["no tables"]),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else "",
)
def test_an_error_names_the_file_the_place_and_what_is_wrong(
    tmp_path: Path, old: str, new: str, words: list[str]
) -> None:
    good = GOOD.format(hash=HASH)
    assert old in good
    path = write(tmp_path, good.replace(old, new, 1))
    with pytest.raises(MenuFileError) as refused:
        load_menu_file(path)
    sentence = str(refused.value)
    assert sentence.startswith(f"{path}: ")
    for word in words:
        assert word in sentence
    assert len(sentence) < 500


def test_a_table_code_or_a_restaurant_is_there_once_in_the_whole_file(tmp_path: Path) -> None:
    good = GOOD.format(hash=HASH)
    with pytest.raises(MenuFileError, match="restaurant id 3 is used twice"):
        load_menu_file(write(tmp_path, good + good))
    with pytest.raises(MenuFileError, match="table code 'kx7Q2mZp' is used twice"):
        load_menu_file(write(tmp_path, good + good.replace("id = 3", "id = 4")))


def test_the_same_item_id_may_stand_in_two_restaurants(tmp_path: Path) -> None:
    good = GOOD.format(hash=HASH)
    other = good.replace("id = 3", "id = 4").replace("kx7Q2mZp", "other")
    assert len(load_menu_file(write(tmp_path, good + other)).restaurants) == 2


def test_bytes_that_are_no_text_are_told_with_their_line(tmp_path: Path) -> None:
    with pytest.raises(MenuFileError, match="line 3: not UTF-8"):
        load_menu_file(write(tmp_path, b"# one\n# two\nname = '\xff'\n"))


def test_a_file_that_cannot_be_read_is_told_by_name(tmp_path: Path) -> None:
    for path in (tmp_path / "none.toml", tmp_path):
        with pytest.raises(MenuFileError, match=f"{path}: cannot be read"):
            load_menu_file(path)


@pytest.mark.parametrize("text", ["", "# nothing\n", "restaurants = []\n", "restaurants = 1\n"])
def test_a_file_without_restaurants_is_no_menu(tmp_path: Path, text: str) -> None:
    with pytest.raises(MenuFileError, match="restaurants"):
        load_menu_file(write(tmp_path, text))


def test_a_file_of_many_megabytes_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(MenuFileError, match="larger than"):
        load_menu_file(write(tmp_path, b"#" * (MAX_FILE_BYTES + 1)))


def test_the_demonstration_has_as_many_tables_as_it_is_told() -> None:
    [restaurant] = demo_menu(3).restaurants
    assert [table.code for table in restaurant.tables] == ["demo-1", "demo-2", "demo-3"]
    assert restaurant.restaurant_id == 7
    assert demo_menu(3).digest != demo_menu(4).digest
    assert demo_menu(3) == demo_menu(3)
    assert Decimal(restaurant.menu.items[456].price_minor) == 62500
