"""docs/simulator.md against the code: options, faults, bounds."""

import re

from typer.main import get_command

from comanda.cli.main import app
from comanda.pos.simulator import desk
from comanda.pos.simulator.courier import MAX_TRIES_AT_ONCE, CallbackLimits
from comanda.pos.simulator.faults import ANY, DEFAULT_SECONDS, FAULTS, MAX_NEXT

from .pages import read_page

PAGE = read_page("docs/simulator.md")


def test_the_page_has_the_commands_options_and_no_others() -> None:
    command = getattr(get_command(app), "commands")["pos"]  # noqa: B009  # typer's own click
    options = {
        name for parameter in command.params for name in parameter.opts if name.startswith("--")
    }
    told = {
        name
        for row in PAGE.section("The POS simulator").table
        for name in re.findall(r"`(--[a-z-]+)`", row["option"])
    }
    assert told == options - {"--help"}


def test_the_page_has_every_fault_with_its_number_and_the_calls_it_meets() -> None:
    told = {row["fault"].strip("`"): row["meets"] for row in PAGE.section("Faults").table}
    faults = {
        f"{name}={DEFAULT_SECONDS[name]:g}" if name in DEFAULT_SECONDS else name: (
            "any"
            if calls == ANY
            else ", ".join(call for call in ("submit", "lookup", "void") if call in calls)
        )
        for name, (calls, _) in FAULTS.items()
    }
    assert told == faults


def test_the_page_says_how_long_a_callback_is_tried() -> None:
    limits = CallbackLimits()
    prose = " ".join(PAGE.section("Callbacks").prose.split())
    assert limits.first_pause_seconds == 0.25
    assert (
        f"a quarter of a second, then twice that, up to {limits.longest_pause_seconds:g} s" in prose
    )
    assert f"Each try has {limits.call_seconds:g} seconds" in prose
    assert f"After {limits.total_seconds / 60:g} minutes or {limits.tries} tries" in prose
    assert f"after {limits.refusals} the callback is given up" in prose
    assert f"waits {desk.EARLY_PATIENCE_SECONDS:g} seconds for the receiver" in prose


def test_the_page_has_the_bounds() -> None:
    prose = " ".join(PAGE.section("Bounds").prose.split())
    assert f"{desk.MAX_AT_WORK:,} orders" in prose
    assert f"{MAX_NEXT:,} instructions" in prose
    assert f"{MAX_TRIES_AT_ONCE} callbacks" in prose
