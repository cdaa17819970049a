"""How a fault is written, and which one a call meets: header, then instruction, then rate."""

import pytest

from comanda.pos.simulator.faults import (
    FAULTS,
    MAX_NEXT,
    Fault,
    Faults,
    FaultUnknown,
    parse_fault,
    parse_rates,
)


def test_each_fault_is_read_as_it_is_written_for_each_call_it_can_meet() -> None:
    for name, (calls, _) in FAULTS.items():
        for call in calls:
            fault = parse_fault(name, call)
            assert fault.name == name
            assert parse_fault(fault.text) == fault


@pytest.mark.parametrize(
    "text",
    ["", "nonsense", "hang=5", "delay=x", "delay=-1", "delay=nan", "delay=1e9", "lookup-lost",
     "lookup-", "void-pending", "down", "delay="],
)  # fmt: skip
def test_what_is_no_fault_is_refused(text: str) -> None:
    with pytest.raises(FaultUnknown):
        parse_fault(text)


def test_a_fault_of_another_call_is_refused_for_this_one() -> None:
    with pytest.raises(FaultUnknown, match="cannot meet a submit"):
        parse_fault("lookup-hang", "submit")
    assert parse_fault("lookup-hang", "lookup") == parse_fault("hang", "lookup")


@pytest.mark.parametrize("rates", [{"hang": 1.1}, {"hang": -0.1}, {"hang": 0.6, "lost": 0.6}])
def test_rates_beyond_all_calls_are_refused(rates: dict[str, float]) -> None:
    with pytest.raises(FaultUnknown):
        parse_rates(rates)


def test_a_header_goes_before_an_instruction_and_that_before_a_rate() -> None:
    faults = Faults(0, parse_rates({"hang": 1.0}))
    faults.instruct([parse_fault("lookup-down"), parse_fault("lost")], None)
    chosen = [
        faults.choose("submit", "A", "reset"),
        faults.choose("submit", "A"),
        faults.choose("submit", "A"),
        faults.choose("submit", "A", "none"),
        faults.choose("lookup", "A"),
        faults.choose("lookup", "A"),
    ]
    assert [fault and fault.name for fault in chosen] == [
        "reset", "lost", "hang", None, "down", None,
    ]  # fmt: skip


def test_too_many_instructions_are_refused_and_change_nothing() -> None:
    faults = Faults()
    with pytest.raises(FaultUnknown):
        faults.instruct([Fault("submit", "hang")] * (MAX_NEXT + 1), {Fault("submit", "lost"): 1.0})
    assert not faults.next
    assert not faults.rates


def drawn(seed: int) -> list[str | None]:
    faults = Faults(seed, parse_rates({"hang": 0.3, "lost": 0.2, "lookup-down": 0.5}))
    calls = [faults.choose("submit", f"ORD-{n % 300}") for n in range(600)]
    return [None if fault is None else fault.name for fault in calls]


def test_rates_are_kept_and_repeated_by_the_seed() -> None:
    once = drawn(1)
    assert once == drawn(1) != drawn(2)
    assert 130 < once.count("hang") < 230
    assert 80 < once.count("lost") < 160
    assert once[:300] != once[300:], "a key's second call would always fail as its first"
