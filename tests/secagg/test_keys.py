"""Keys, signatures and envelopes belong to one session, one direction and one owner."""

from dataclasses import replace

import pytest

from secure_clove.errors import BadSignatureError, ConfigError, MalformedError
from secure_clove.foundation.ids import ClientId
from secure_clove.foundation.seeds import SimulatedEntropy
from secure_clove.secagg.envelope import SEALED_BYTES, Address, Entrusted, seal, unseal
from secure_clove.secagg.keys import (
    Identity,
    SessionKeys,
    agree,
    commitment,
    frame,
    pair_mask_key,
    public_key,
    self_mask_key,
    share_key,
    transcript_hash,
    verify,
)
from secure_clove.secagg.shamir import PRIME

U, V = ClientId("c10"), ClientId("c9")
MINE, THEIRS = SessionKeys.draw(SimulatedEntropy(1)), SessionKeys.draw(SimulatedEntropy(2))
WHERE = Address(sid=b"s" * 32, h1=b"h" * 32, source=U, target=V)
PAIR = Entrusted(key=b"\0" + b"k" * 32, seed=b"\0" + b"b" * 32)


def sealed() -> bytes:
    agreed = agree(MINE.share_secret, public_key(THEIRS.share_secret))
    return seal(PAIR, WHERE, key=WHERE.key(agreed))


def opened(data: bytes, where: Address) -> Entrusted:
    agreed = agree(THEIRS.share_secret, public_key(MINE.share_secret))
    return unseal(data, where, key=where.key(agreed))


def test_a_frame_tells_where_one_part_ends() -> None:
    assert frame("ab", "c") != frame("a", "bc")
    assert frame("a", "") != frame("a")
    assert transcript_hash("ab", "c") != transcript_hash("a", "bc")


def test_a_signature_holds_for_its_content_and_its_signer_only() -> None:
    signer, other = Identity.from_bytes(b"1" * 32), Identity.from_bytes(b"2" * 32)
    signature = signer.sign("R3", b"content")
    verify(signer.public, signature, "R3", b"content")

    for public, parts in (
        (signer.public, ("R3", b"other")),
        (signer.public, ("R2", b"content")),
        (other.public, ("R3", b"content")),
        (b"short", ("R3", b"content")),
    ):
        with pytest.raises(BadSignatureError):
            verify(public, signature, *parts)


def test_an_identity_of_another_size_is_refused() -> None:
    with pytest.raises(ConfigError):
        Identity.from_bytes(bytes(31))


def test_an_identity_does_not_print_its_key() -> None:
    assert repr(Identity.from_bytes(b"1" * 32)) == "Identity()"


def test_both_ends_derive_one_pair_mask_key() -> None:
    common = {"sid": b"s", "h1": b"1", "h2": b"2"}
    mine = pair_mask_key(MINE.mask_secret, public_key(THEIRS.mask_secret), pair=(U, V), **common)
    theirs = pair_mask_key(THEIRS.mask_secret, public_key(MINE.mask_secret), pair=(V, U), **common)

    assert mine == theirs


@pytest.mark.parametrize("part", ["sid", "h1", "h2"])
def test_a_pair_mask_key_is_bound_to_session_adverts_and_u2(part: str) -> None:
    common = {"sid": b"s", "h1": b"1", "h2": b"2"}
    public = public_key(THEIRS.mask_secret)
    keys = [
        pair_mask_key(MINE.mask_secret, public, pair=(U, V), **parts)
        for parts in (common, common | {part: b"other"})
    ]

    assert keys[0] != keys[1]


def test_share_keys_differ_by_direction() -> None:
    agreed = agree(MINE.share_secret, public_key(THEIRS.share_secret))
    there = share_key(agreed, sid=b"s", h1=b"1", source=U, target=V)
    back = share_key(agreed, sid=b"s", h1=b"1", source=V, target=U)

    assert there != back


def test_a_self_mask_key_is_bound_to_session_and_owner() -> None:
    keys = {
        self_mask_key(MINE.seed, sid=b"s", client=U),
        self_mask_key(MINE.seed, sid=b"t", client=U),
        self_mask_key(MINE.seed, sid=b"s", client=V),
    }

    assert len(keys) == 3
    assert all(len(key) == 32 for key in keys)


def test_a_commitment_is_bound_to_session_owner_and_seed() -> None:
    assert (
        len(
            {
                commitment(MINE.seed, sid=b"s", client=U),
                commitment(MINE.seed, sid=b"t", client=U),
                commitment(MINE.seed, sid=b"s", client=V),
                commitment(THEIRS.seed, sid=b"s", client=U),
            }
        )
        == 4
    )


def test_a_point_of_low_order_is_refused() -> None:
    with pytest.raises(MalformedError):
        agree(MINE.mask_secret, bytes(32))


def test_an_envelope_opens_for_its_addressee() -> None:
    found = opened(sealed(), WHERE)

    assert (found.key, found.seed) == (PAIR.key, PAIR.seed)
    assert len(sealed()) == SEALED_BYTES


@pytest.mark.parametrize(
    "where",
    [
        replace(WHERE, sid=b"t" * 32),
        replace(WHERE, h1=b"i" * 32),
        replace(WHERE, source=V, target=U),
        replace(WHERE, source=ClientId("c8")),
    ],
    ids=["session", "adverts", "direction", "sender"],
)
def test_an_envelope_does_not_open_elsewhere(where: Address) -> None:
    with pytest.raises(BadSignatureError):
        opened(sealed(), where)


def test_a_damaged_envelope_does_not_open() -> None:
    with pytest.raises(BadSignatureError):
        opened(bytes([sealed()[0] ^ 1]) + sealed()[1:], WHERE)


def test_shares_outside_the_field_cannot_be_entrusted() -> None:
    with pytest.raises(MalformedError):
        Entrusted(key=PRIME.to_bytes(33, "big"), seed=bytes(33))
