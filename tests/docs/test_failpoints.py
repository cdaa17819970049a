"""docs/failpoints.md against the code."""

import re

from comanda.failpoints import ACTIONS, PLACES, parse_failpoints

from .pages import read_page

PAGE = read_page("docs/failpoints.md")


def test_the_places_are_those_of_the_code() -> None:
    named = [name for row in PAGE.section("Places").table for name in row["place"].split(", ")]
    assert tuple(name.strip("`") for name in named) == PLACES


def test_the_actions_are_those_of_the_code() -> None:
    named = {
        cell.partition("(")[0]: "(" in cell for cell in PAGE.section("Actions").column("action")
    }
    assert named == ACTIONS


def test_the_example_can_be_used() -> None:
    (text,) = re.findall(r'COMANDA_FAILPOINTS="(.*)" comanda serve', PAGE.text)
    assert len(parse_failpoints(text)) == 3
