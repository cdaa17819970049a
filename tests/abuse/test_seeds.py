"""What hostile clients send is made of the seed alone, and is what it claims to be."""

import random

import pytest

from abuse import frames
from abuse.attacks.violations import a_violation
from abuse.frames import NoFrame, take_frames
from abuse.nonsense import as_json, spoil
from abuse.requests import Requests
from abuse.speech import Speech, a_command
from abuse.words import Job
from abuse.world import World
from comanda.actors.domain.messages import BadMessage, decode_command
from fuzz.decoders import DECODERS, events_of


def job(seed: int = 1) -> Job:
    """A process's task, with nobody at its port."""
    return Job(
        port=9,
        seed=seed,
        number=0,
        processes=1,
        rate=100.0,
        only=(),
        tables=("load-51", "load-52"),
        restaurant_id=2,
        staff_token="x",
        pos_secret="whsec_AAAA",
    )


def test_the_same_seed_says_the_same_and_another_something_else() -> None:
    one, again, other = Speech(job(1)), Speech(job(1)), Speech(job(2))
    assert (one.good, one.spoilt) == (again.good, again.spoilt)
    assert one.spoilt != other.spoilt


def test_good_commands_are_good() -> None:
    for seed in range(200):
        decode_command(as_json(a_command(random.Random(seed))))


def test_spoilt_commands_are_mostly_bad_and_always_utf_8() -> None:
    bad = 0
    for seed in range(200):
        chance = random.Random(seed)
        data = spoil(chance, a_command(chance))
        DECODERS["command"](data)
        try:
            decode_command(data.decode())
        except BadMessage:
            bad += 1
    assert bad > 100


def test_a_good_frame_is_read_and_most_violations_are_some() -> None:
    chance = random.Random(3)
    assert events_of([frames.text(b'{"type":"ping"}', chance)]) == ['{"type":"ping"}']
    ends = [events_of([b"".join(a_violation(chance))])[-1:] for _ in range(200)]
    codes = {end[0] for end in ends if end and isinstance(end[0], int)}
    assert codes == {1002, 1003, 1007, 1009}


def test_requests_are_the_seeds_too() -> None:
    requests = Requests(World(job()))
    one = [requests.spoilt(random.Random(seed)).as_bytes() for seed in range(100)]
    again = [requests.spoilt(random.Random(seed)).as_bytes() for seed in range(100)]
    assert one == again
    assert len(set(one)) > 90


@pytest.mark.parametrize(
    "sent", [b"\x82\x01x", b"\x81\x85abcde", b"\xc1\x00", b"\x01\x01x", b"HTTP/1.1 200"]
)
def test_what_no_server_may_send_is_no_frame(sent: bytes) -> None:
    with pytest.raises(NoFrame):
        list(take_frames(bytearray(sent)))


def test_frames_are_taken_out_as_they_become_whole() -> None:
    buffer = bytearray(b"\x81\x02hi\x88\x02\x03\xe8\x81\x05he")
    assert list(take_frames(buffer)) == [(1, b"hi"), (8, b"\x03\xe8")]
    assert buffer == b"\x81\x05he"
    buffer += b"llo"
    assert list(take_frames(buffer)) == [(1, b"hello")]
    assert buffer == b""
