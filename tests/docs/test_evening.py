"""docs/evening.md against its pictures, and the pictures against the walk that makes them."""

import re

from .pages import ROOT

PICTURES = {path.stem for path in (ROOT / "docs" / "evening").iterdir()}
MOST_BYTES = 1_500_000
"""Of all pictures: the page opens on a phone too."""


def test_the_page_shows_every_picture_of_the_evening() -> None:
    shown = re.findall(r'src="evening/([\w-]+)\.webp"', (ROOT / "docs" / "evening.md").read_text())
    assert sorted(shown) == sorted(PICTURES)


def test_the_walk_takes_every_picture_of_the_evening() -> None:
    walk = (ROOT / "tests" / "page" / "test_evening.py").read_text()
    assert sorted(re.findall(r'shot\("([\w-]+)"\)', walk)) == sorted(PICTURES)


def test_the_pictures_are_light() -> None:
    sizes = [path.stat().st_size for path in (ROOT / "docs" / "evening").iterdir()]
    assert 0 < sum(sizes) < MOST_BYTES
