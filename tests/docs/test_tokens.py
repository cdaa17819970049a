"""No token that stands on a page opens a server that other machines can reach."""

import re
from pathlib import Path

import pytest

from comanda.exposure import LEAST_TOKEN_CHARACTERS, PUBLISHED_TOKENS

from .pages import PAGES, ROOT

SHOWN = re.compile(
    r"""(?:_TOKEN=|_token["']?:?\s*[=:]\s*|Bearer\s+|token["']\s*:\s*)["']?([\w.~+/=-]+)"""
)
WORDS = {"TOKEN"}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_token_on_a_page_is_too_short_or_known_as_published(path: Path) -> None:
    shown = set(SHOWN.findall(path.read_text("utf-8"))) - WORDS
    assert {one for one in shown if len(one) >= LEAST_TOKEN_CHARACTERS} <= PUBLISHED_TOKENS


def test_the_published_tokens_do_stand_on_a_page() -> None:
    text = "".join(path.read_text("utf-8") for path in PAGES)
    assert all(token in SHOWN.findall(text) for token in PUBLISHED_TOKENS)
