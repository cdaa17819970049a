"""docs/chaos.md against the proof: its disturbances and its checks."""

import re

from chaos.checks import CHECKS
from chaos.plan import (
    CYCLES_AN_EVENING,
    DISTURBANCES,
    LOCK_LIMIT_SECONDS,
    POS_TIMEOUT_SECONDS,
    Plan,
)

from .pages import ROOT

TEXT = (ROOT / "docs/chaos.md").read_text(encoding="utf-8")


def test_the_page_names_every_disturbance_and_no_other() -> None:
    assert re.findall(r"^\| `([a-z-]+)` \|", TEXT, re.MULTILINE) == list(DISTURBANCES)


def test_the_page_names_every_check() -> None:
    named = re.findall(r"^\| (I\d+|integrity) \|", TEXT, re.MULTILINE)
    said = [(check.__doc__ or "").partition(":")[0] for check in CHECKS[:-1]]
    assert named == [*said, "integrity"]


def test_the_page_says_the_figures_of_the_plan() -> None:
    assert f"{Plan().tables} tables" in TEXT
    assert f"After {CYCLES_AN_EVENING} cycles" in TEXT
    assert f"limit is {POS_TIMEOUT_SECONDS:g} s and the\nlock's {LOCK_LIMIT_SECONDS:g} s" in TEXT
