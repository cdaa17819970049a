"""The frame reader's quick way for whole texts, against wsproto's decoder alone."""

import random
from collections.abc import Iterator

import pytest
from wsproto.frame_protocol import Opcode

from comanda.http.frames import CloseReceived, FrameReader, PingReceived, Violation

LIMIT = 300
TEXT, CONTINUATION, BINARY = Opcode.TEXT, Opcode.CONTINUATION, Opcode.BINARY
SIZES = (0, 1, 2, 3, 4, 5, 124, 125, 126, 127, 299, LIMIT, LIMIT + 1)


def masked(opcode: int, payload: bytes, *, final: bool = True, long_form: int = 0) -> bytes:
    """A client's frame; `long_form` writes its length in so many bytes though fewer would do."""
    size = len(payload)
    first = bytes([(0x80 if final else 0) | opcode])
    if size < 126 and not long_form:
        head = first + bytes([0x80 | size])
    elif long_form == 8 or size > 0xFFFF:
        head = first + b"\xff" + size.to_bytes(8, "big")
    else:
        head = first + b"\xfe" + size.to_bytes(2, "big")
    mask = b"\x01\x82\x33\xf4"
    return head + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))


def heard(reads: list[bytes]) -> Iterator[object]:
    """What a reader makes of these reads, up to the violation that ends it."""
    reader = FrameReader(LIMIT)
    try:
        for read in reads:
            reader.feed(read)
            while (event := reader.next_event()) is not None:
                yield event
    except Violation as violation:
        yield violation.code


def through_wsproto_alone(stream: bytes) -> list[object]:
    """Byte by byte no frame is ever whole in one read, so that the decoder has them all."""
    return list(heard([stream[at : at + 1] for at in range(len(stream))]))


def a_stream(chance: random.Random) -> bytes:
    """Frames of all kinds, most of them good."""
    frames = []
    for _ in range(chance.randrange(1, 8)):
        text = ("é" * chance.choice(SIZES))[: chance.choice(SIZES)].encode()
        frames.append(
            chance.choice(
                [
                    masked(TEXT, text),
                    masked(TEXT, text),
                    masked(TEXT, text, final=False) + masked(CONTINUATION, text),
                    masked(Opcode.PING, text[:125]),
                    masked(Opcode.CLOSE, b"\x03\xe8"),
                    masked(BINARY, text),
                    masked(TEXT, b"\xff" + text),
                    masked(TEXT, text, long_form=chance.choice([2, 8])),
                    b"\x81\x03abc",
                    masked(TEXT, text)[:-1],
                ]
                if chance.random() < 0.4
                else [masked(TEXT, text)]
            )
        )
    return b"".join(frames)


@pytest.mark.parametrize("seed", range(200))
def test_a_stream_says_the_same_however_its_reads_were_cut(seed: int) -> None:
    chance = random.Random(seed)
    stream = a_stream(chance)
    cuts = sorted(chance.randrange(len(stream) + 1) for _ in range(chance.randrange(6)))
    reads = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]

    assert list(heard(reads)) == through_wsproto_alone(stream)


@pytest.mark.parametrize("size", SIZES)
def test_a_whole_text_of_any_size_up_to_the_limit_is_read(size: int) -> None:
    expected: list[object] = ["x" * size] if size <= LIMIT else [1009]

    assert list(heard([masked(TEXT, b"x" * size)])) == expected


def test_texts_pings_and_a_close_in_one_read_keep_their_order() -> None:
    stream = (
        masked(TEXT, b"one")
        + masked(Opcode.PING, b"?")
        + masked(TEXT, b"zwei")
        + masked(Opcode.CLOSE, b"\x03\xe8")
    )

    assert list(heard([stream])) == ["one", PingReceived(b"?"), "zwei", CloseReceived(1000)]


@pytest.mark.parametrize(
    "stream",
    [
        masked(CONTINUATION, b"x" * (LIMIT + 1)),
        masked(CONTINUATION, b"x" * (LIMIT + 1), final=False),
        masked(TEXT, b"x", final=False) + masked(TEXT, b"x" * (LIMIT + 1)),
    ],
)
def test_a_frame_out_of_place_that_is_too_long_too_is_out_of_place(stream: bytes) -> None:
    assert through_wsproto_alone(stream) == list(heard([stream])) == [1002]
