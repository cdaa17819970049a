"""docs/abuse.md against the hostile evening: its attacks, its figures, its decoders."""

import re

from abuse.attacks import ATTACKS
from abuse.plan import GROWTH_BYTES_MOST, SHOW_SECONDS, WARM_UP_SECONDS_MOST, WARM_UP_SHARE, Plan
from fuzz.decoders import DECODERS

from .pages import ROOT

TEXT = (ROOT / "docs/abuse.md").read_text(encoding="utf-8")


def test_the_page_names_every_attack_and_no_other() -> None:
    assert re.findall(r"^\| `([a-z-]+)` \|", TEXT, re.MULTILINE) == list(ATTACKS)


def test_the_page_says_the_figures_of_the_plan() -> None:
    assert f"{Plan().tables} honest tables" in TEXT
    assert f"{Plan().rate:,.0f} frames and requests a second" in TEXT
    assert f"at most {GROWTH_BYTES_MOST // 2**20} MB above" in TEXT
    assert (WARM_UP_SHARE, WARM_UP_SECONDS_MOST) == (0.25, 60)
    assert "a quarter of the time and at most a minute" in TEXT
    assert SHOW_SECONDS == 5
    assert "every five seconds" in TEXT


def test_the_page_names_every_decoder() -> None:
    words = {"frames": "websocket frames", "command": "commands", "told": "what a client is told"}
    words |= {name: f"{name}" for name in DECODERS if name not in words}
    assert all(word in TEXT for word in words.values())
