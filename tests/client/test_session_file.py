"""Session files: what can be read, and how a mistake is told."""

from pathlib import Path

import pytest

from comanda.client.session_file import (
    MAX_FILE_BYTES,
    SessionFileError,
    UnknownItem,
    find_item,
    load_session_file,
    parse_session,
)
from comanda.client.steps import (
    HAPPENINGS,
    KINDS,
    Add,
    Expect,
    Sight,
    Together,
    normal_line,
    same,
)

HEAD = 'title = "T"\nmembers = ["Ana", "Ben"]\n'
JOIN = '[[steps]]\neveryone = true\ndo = "join"\n'
ADD = '[[steps]]\nmember = "Ana"\ndo = "add"\nitem = "Margherita"\nas = "pizza"\n'


def parse(text: str) -> object:
    return parse_session(text.encode(), "dinner.toml")


def step(text: str) -> str:
    return HEAD + JOIN + ADD + "[[steps]]\n" + text


def test_a_file_is_read_into_its_steps() -> None:
    session = parse_session(
        (
            HEAD
            + 'about = """\nTwo\nlines."""\n[table]\ncode = "t-1"\n[server]\npos_delay = 0.5\n'
            + JOIN
            + ADD
            + '[[steps]]\neveryone = true\ndo = "expect"\nsees = ["cart_updated", '
            + '{ what = "order_failed", error = "no" }]\nwithin = 2\ncart = { total = 625 }\n'
        ).encode(),
        "dinner.toml",
    )
    assert (session.about, session.table_code) == ("Two lines.", "t-1")
    assert session.server is not None
    assert session.server.pos_delay == 0.5
    assert session.steps[1] == Add(member="Ana", item="Margherita", line_name="pizza")
    expect = session.steps[2]
    assert isinstance(expect, Expect)
    assert session.who(expect) == ("Ana", "Ben")
    assert expect.sights == (Sight("cart_updated", {}), Sight("order_failed", {"error": "no"}))
    assert session.where(2) == "dinner.toml: step 2 (line 13)"


def test_a_step_without_a_known_line_is_told_by_its_number() -> None:
    session = parse_session(
        (HEAD + 'steps = [{ everyone = true, do = "join" }]\n').encode(), "dinner.toml"
    )
    assert session.where(1) == "dinner.toml: step 1"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('member = "Ana"\n', "`do` is missing; it is one of: join, add, update"),
        ('member = "Ana"\ndo = "dance"\n', "`do` = 'dance' is unknown; it is one of: join, add"),
        ('member = "Zoe"\ndo = "clear"\n', "'Zoe' is none of the `members`: Ana, Ben"),
        ('do = "clear"\n', "say who: one of `member`, `members` and `everyone = true`"),
        ('member = "Ana"\neveryone = true\ndo = "clear"\n', "say who: one of"),
        ('member = "Ana"\ndo = "add"\nitem = 1\nqyt = 2\n', "`qyt` is unknown; did you mean qty?"),
        ('member = "Ana"\ndo = "add"\n', "missing required field `item`"),
        ('member = "Ana"\ndo = "add"\nitem = 1\nqty = "two"\n', "`qty`: Expected `int`, got `str`"),
        ('member = "Ana"\ndo = "add"\nitem = 1\nas = "pizza"\n', "a line is named 'pizza' already"),
        ('member = "Ana"\ndo = "update"\nline = "piza"\nqty = 1\n', "did you mean pizza?"),
        ('member = "Ana"\ndo = "clear"\nrefused = "locked"\n', "`refused`: Invalid enum value"),
        ('member = "Ana"\ndo = "join"\n', "Ana sits at the table already"),
        ('member = "Ana"\ndo = "come_back"\n', "Ana is here; `come_back` goes with"),
        ('do = "wait"\nseconds = 9999\n', "`seconds`: Expected `float` <= 600"),
        ('member = "Ana"\ndo = "expect"\n', "nothing is expected"),
        ('member = "Ana"\ndo = "expect"\nsees = "order_confirm"\n', "did you mean order_confirmed"),
        ('member = "Ana"\ndo = "expect"\nsees = "xyz"\n', "nothing is called 'xyz'; known are:"),
        ('member = "Ana"\ndo = "expect"\nnever = "failed"\n', "`never`: nothing is called"),
        (
            'member = "Ana"\ndo = "expect"\nsees = { what = "order_failed", eror = "" }\n',
            "`sees` order_failed: `eror` is unknown; did you mean error?",
        ),
        ('member = "Ana"\ndo = "expect"\ncart = { totl = 1 }\n', "`totl`"),
        ('member = "Ana"\ndo = "expect"\ncart = { locked_by = "Zoe" }\n', "'Zoe' is none of the"),
        ('member = "Ana"\ndo = "expect"\nonline = ["Zoe"]\n', "'Zoe' is none of the"),
        ('member = "Ana"\ndo = "send"\n', "one of `message` and `text` is sent"),
        ('member = "Ana"\ndo = "send"\nmessage = { a = "{tea}" }\n', "named a line 'tea'"),
        ('do = "together"\nsteps = []\n', "`steps` is empty"),
        ('do = "together"\nrefused = "cart_locked"\nsteps = [{}]\n', "go with `accepted`"),
        (
            'do = "together"\nsteps = [{ member = "Ana", do = "refresh" }]\n',
            "steps[1]: only add, update, remove, clear, order and resolve can be together",
        ),
        ('do = "together"\nsteps = [{ do = "order" }]\n', "steps[1]: `member` is missing"),
    ],
)
def test_a_mistake_in_a_step_is_told_with_its_place(text: str, sentence: str) -> None:
    with pytest.raises(SessionFileError) as caught:
        parse(step(text))
    assert str(caught.value).startswith("dinner.toml: step 3 (line 11)")
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("before", "text", "sentence"),
    [
        ("", 'member = "Ana"\ndo = "clear"\n', "Ana does not sit at the table yet"),
        (
            JOIN + '[[steps]]\nmember = "Ana"\ndo = "leave"\n',
            'do = "clear"\nmember = "Ana"\n',
            "left",
        ),
        (
            JOIN + '[[steps]]\nmember = "Ana"\ndo = "cut"\n',
            'do = "order"\nmember = "Ana"\n',
            "Ana has no connection",
        ),
    ],
)
def test_nobody_can_act_who_is_not_there(before: str, text: str, sentence: str) -> None:
    with pytest.raises(SessionFileError, match=sentence):
        parse(HEAD + before + "[[steps]]\n" + text)


def test_a_phone_without_network_may_refuse_by_itself() -> None:
    cut = '[[steps]]\nmember = "Ana"\ndo = "cut"\n'
    parse(HEAD + JOIN + cut + '[[steps]]\nmember = "Ana"\ndo = "clear"\nrefused = "cart_locked"\n')


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"title = ", "dinner.toml: Invalid value (at end of document)"),
        (b'title = "\xff"', "dinner.toml: line 1: not UTF-8"),
        (b'title = "T"\nmembers = ["Ana"]\n', "missing required field `steps`"),
        (b'title = "T"\nmember = ["Ana"]\n', "`member` is unknown; did you mean members"),
        (b'title = "T"\nmembers = ["Ana", "Ana"]\nsteps = [{}]\n', "names 'Ana' twice"),
        (
            b'title = "T"\nmembers = []\nsteps = [{}]\n',
            "`members`: Expected `array` of length >= 1",
        ),
    ],
)
def test_a_file_that_cannot_be_read_is_told_by_its_name(data: bytes, sentence: str) -> None:
    with pytest.raises(SessionFileError) as caught:
        parse_session(data, "dinner.toml")
    assert sentence in str(caught.value)


def test_a_missing_and_an_enormous_file_are_told(tmp_path: Path) -> None:
    with pytest.raises(SessionFileError, match="No such file"):
        load_session_file(tmp_path / "none.toml")
    (tmp_path / "big.toml").write_bytes(b"#" * (MAX_FILE_BYTES + 1))
    with pytest.raises(SessionFileError, match="is larger than"):
        load_session_file(tmp_path / "big.toml")


def test_an_item_is_found_by_name_or_id_and_near_names_are_told() -> None:
    menu = {1: "Margherita", 2: "Marinara", 3: "Tiramisù"}
    assert find_item("margherita", menu) == 1
    assert find_item(3, menu) == 3
    with pytest.raises(UnknownItem, match="'Margarita'; near names: Margherita"):
        find_item("Margarita", menu)
    with pytest.raises(UnknownItem, match="no menu item has the id 9"):
        find_item(9, menu)


def test_what_is_together_counts_among_the_items() -> None:
    session = parse_session(
        (
            HEAD
            + JOIN
            + ADD
            + '[[steps]]\ndo = "together"\nsteps = [{ member = "Ben", do = "add", item = 9 }]\n'
        ).encode(),
        "dinner.toml",
    )
    assert list(session.items()) == [(2, "Margherita"), (3, 9)]
    assert isinstance(session.steps[2], Together)


def test_lines_and_values_are_compared_as_people_mean_them() -> None:
    assert normal_line("2x  Margherita (Extra spicy)") == "2 × Margherita (Extra spicy)"
    assert same(1250.0, 1250)
    assert same({"a": [1, {"b": "x"}]}, {"a": (1, {"b": "x", "c": 3}), "d": 4})
    assert not same({"a": 1}, {"b": 1})
    assert not same(True, 1)
    assert not same([1], [1, 2])


def test_the_documentation_explains_every_step_and_its_example_can_be_read() -> None:
    text = Path("docs/sessions.md").read_text("utf-8")
    for kind in KINDS:
        assert f"`{kind}`" in text
    for name in HAPPENINGS:
        assert f"`{name}`" in text
    example = text.split("```toml\n")[1].split("```")[0]
    assert parse_session(example.encode(), "docs/sessions.md").title
