"""What COMANDA_FAILPOINTS may say, and what it may not."""

import pytest

from comanda.config import SettingsUnusable
from comanda.failpoints import PLACES, Failpoint, parse_failpoints


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("t1.before=kill", Failpoint("t1.before", "kill")),
        ("t1.after=kill@3", Failpoint("t1.after", "kill", hit=3)),
        ("commit.before=error@5+", Failpoint("commit.before", "error", hit=5, lasting=True)),
        ("call.after=sleep(2.5)", Failpoint("call.after", "sleep", 2.5)),
        (" commit.before = outage( 10 ) @ 4 ;", Failpoint("commit.before", "outage", 10, hit=4)),
    ],
)
def test_a_failpoint_is_a_place_an_action_and_its_hits(text: str, meant: Failpoint) -> None:
    assert parse_failpoints(text) == (meant,)


def test_several_failpoints_stand_in_their_order() -> None:
    text = "; ".join(f"{place}=kill" for place in PLACES)
    assert tuple(one.place for one in parse_failpoints(text)) == PLACES


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nonsense", "one looks like"),
        ("t1.before", "one looks like"),
        ("t1.before=kill@0", "one looks like"),
        ("t1.before=kill@-1", "one looks like"),
        ("t1.before=kill@3++", "one looks like"),
        ("t1.before=sleep(-1)", "one looks like"),
        ("t1.before=kill, t2.before=kill", "one looks like"),
        ("t4.before=kill", "the places are t1.before"),
        ("t1=kill", "the places are t1.before"),
        ("t1.before=explode", "the actions are kill"),
        ("t1.before=kill(3)", "kill without seconds"),
        ("t1.before=sleep", "sleep(SECONDS)"),
        ("t1.before=sleep(0)", "at most 3600"),
        ("t1.before=sleep(3601)", "at most 3600"),
        ("commit.before=outage(10)@2+", "leave the + away"),
        (" ; ", "none is named"),
    ],
)
def test_what_is_no_failpoint_is_told_in_one_sentence(text: str, said: str) -> None:
    with pytest.raises(SettingsUnusable) as told:
        parse_failpoints(text)
    assert said in str(told.value)
    assert str(told.value).startswith("failpoints: ")


def test_one_wrong_failpoint_among_others_is_the_one_that_is_named() -> None:
    with pytest.raises(SettingsUnusable, match=r"'t9\.after=kill'"):
        parse_failpoints("t1.before=kill; t9.after=kill; t3.after=kill")
