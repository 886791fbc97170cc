"""A message with parts of the wrong size, or said in two ways, does not exist."""

from typing import Any

import pytest

from secure_clove.errors import MalformedError
from secure_clove.foundation.codec import decode, encode
from secure_clove.foundation.ids import ClientId
from secure_clove.secagg.messages import (
    Advert,
    Consistency,
    Directory,
    Inbox,
    Masked,
    Shares,
    Signatures,
    Survivors,
    Unmask,
)

A, B = ClientId("a"), ClientId("b")
KEY, SIGNATURE, SHARE, ENVELOPE = bytes(32), bytes(64), bytes(33), bytes(82)


def advert(sender: ClientId = A, **changes: bytes) -> Advert:
    parts: dict[str, Any] = {
        "share_key": KEY,
        "mask_key": KEY,
        "commitment": KEY,
        "signature": SIGNATURE,
    }
    return Advert(sender=sender, **(parts | changes))


MESSAGES = [
    advert(),
    Shares(sender=A, sealed={B: ENVELOPE}),
    Masked(sender=A, values=memoryview(bytes(8)), signature=SIGNATURE),
    Consistency(sender=A, signature=SIGNATURE),
    Unmask(sender=A, seeds={A: SHARE}, keys={B: SHARE}),
    Directory(adverts=(advert(A), advert(B))),
    Inbox(sealed={B: ENVELOPE}),
    Survivors(alive=(A,), dropped=(B,)),
    Signatures(signatures={A: SIGNATURE}),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_every_message_survives_its_encoding(message: object) -> None:
    assert decode(encode(message), type(message)) == message


@pytest.mark.parametrize(
    ("kind", "parts"),
    [
        (Shares, {"sender": A, "sealed": {B: ENVELOPE[:-1]}}),
        (Masked, {"sender": A, "values": memoryview(bytes(8)), "signature": SIGNATURE[:-1]}),
        (Consistency, {"sender": A, "signature": SIGNATURE + b"\0"}),
        (Unmask, {"sender": A, "seeds": {A: SHARE[:-1]}, "keys": {}}),
        (Unmask, {"sender": A, "seeds": {}, "keys": {A: SHARE + b"\0"}}),
        (Inbox, {"sealed": {B: ENVELOPE + b"\0"}}),
        (Signatures, {"signatures": {A: b""}}),
        (Directory, {"adverts": (advert(B), advert(A))}),
        (Survivors, {"alive": (B, A), "dropped": ()}),
        (Survivors, {"alive": (A,), "dropped": (B, B)}),
    ],
)
def test_a_part_of_another_size_or_order_is_refused(kind: Any, parts: dict[str, Any]) -> None:
    with pytest.raises(MalformedError):
        kind(**parts)


@pytest.mark.parametrize("part", ["share_key", "mask_key", "commitment", "signature"])
def test_an_advert_with_a_part_of_another_size_is_refused(part: str) -> None:
    with pytest.raises(MalformedError):
        advert(A, **{part: bytes(31)})


def test_a_name_listed_twice_in_the_bytes_is_refused() -> None:
    once = encode(Inbox(sealed={A: ENVELOPE}))
    entry = b"\xa1a\xc4\x52" + ENVELOPE
    assert once.endswith(b"\x81" + entry)
    twice = once[: -len(entry) - 1] + b"\x82" + entry + entry

    with pytest.raises(MalformedError):
        decode(twice, Inbox)
