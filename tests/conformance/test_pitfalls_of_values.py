"""Pitfalls of numbers, names and keys, through the participants that the SDK runs.

`tests.conformance.test_pitfalls` has the table of all pitfalls.
"""

from itertools import combinations

import numpy as np
import pytest

from secure_clove.clustering.embedding import Embedding, embed
from secure_clove.engine.messages import Reply
from secure_clove.engine.pipeline import unpack
from secure_clove.engine.plan import RAW_LOSS_STEP
from secure_clove.foundation.codec import decode, encode
from secure_clove.foundation.ids import ClientId
from secure_clove.foundation.seeds import Entropy, SimulatedEntropy
from secure_clove.foundation.trees import Vector
from secure_clove.secagg import keys
from secure_clove.secagg.messages import Advert, Shares
from tests.conformance import plain
from tests.conformance.attacks import NAMES
from tests.conformance.liars import LyingCoordinator, Puppet, once_per_session, staged
from tests.conformance.wide import Wide
from tests.engine.builders import Toy

THREE = tuple(ClientId(name) for name in ("a", "b", "c"))
STEP = 2.0**-16


def alike(update: Vector, names: tuple[ClientId, ...] = THREE) -> dict[ClientId, Vector]:
    return dict.fromkeys(names, update)


# Seeds and generators


class Flipped:
    """Entropy with one bit of one draw turned over."""

    is_simulated = True

    def __init__(self, inner: Entropy, number: int, bit: int) -> None:
        self._inner, self._number, self._bit, self.sizes = inner, number, bit, list[int]()

    def draw(self, count: int) -> bytes:
        drawn = int.from_bytes(self._inner.draw(count), "big")
        turn = len(self.sizes) == self._number
        self.sizes.append(count)
        return (drawn ^ (turn << self._bit)).to_bytes(count, "big")

    def fork(self, *labels: str | int) -> "Flipped":
        return self


def masked_by(number: int, bit: int) -> tuple[bytes, list[int]]:
    """Return all masked vectors when one bit of one client's keys is another, and its draws."""
    found: dict[ClientId, Flipped] = {}

    def make(client: ClientId) -> Entropy:
        turned = number if client == THREE[0] else -1
        found[client] = Flipped(SimulatedEntropy(0, "keys", client), turned, bit)
        return found[client]

    wide = Wide(alike(np.zeros(8)), keys=make)
    wide.run()
    return b"".join(sorted(wide.heard)), found[THREE[0]].sizes


@pytest.mark.parametrize("number", [1, 2], ids=["mask secret", "self seed"])
def test_seeds_are_not_folded_to_32_bits(number: int) -> None:
    """A bit far beyond the 32nd changes the masks like any other."""
    streams = {masked_by(-1, 0)[0]}
    bits = (3, 32, 64, 128, 247)
    streams |= {masked_by(number, bit)[0] for bit in bits}

    assert len(streams) == 1 + len(bits)


def test_every_key_is_drawn_whole_and_nothing_smaller_is_ever_drawn() -> None:
    _, sizes = masked_by(-1, 0)

    assert sizes[:3] == [32, 32, 32]
    assert set(sizes[3:]) == {33}  # coefficients of the sharings, by rejection


@pytest.mark.parametrize("known", [np.random.MT19937, np.random.PCG64, np.random.Philox])
def test_no_small_seed_of_a_common_generator_makes_the_masks(known: type) -> None:
    """The search that opens Flower's masks: every pair's mask from a seed of few bits."""
    wide = Wide(alike(np.zeros(64)))
    wide.run()
    differences = {(a - b).tobytes()[:32] for a, b in combinations(wide.words, 2)}
    seen = {words.tobytes()[:32] for words in wide.words} | differences

    for seed in range(1 << 10):
        drawn = np.random.Generator(known(seed)).integers(0, 2**32, 8, dtype=np.uint32)
        assert drawn.tobytes() not in seen


# Masks over the whole ring


def test_masks_take_the_top_value_of_the_ring_and_the_bottom() -> None:
    wide = Wide(alike(np.zeros(60_000)))
    wide.run()

    for words in wide.words:
        assert len(words) > 60_000
        assert (words >> 16).max() >= 0xFFF0  # missed once in e^-14 by chance
        assert (words >> 16).min() <= 0x000F
        assert set(np.unique(words & 0xFF)) == set(range(256))
        assert set(np.unique(words >> 24)) == set(range(256))


def test_sums_that_float_masks_would_swallow_are_exact() -> None:
    """A float32 has 24 bits: next to 2^13 the last 2^-16 would be gone."""
    big, small = 2.0**13, STEP
    updates = {"a": [big, small], "b": [-big, small], "c": [small, small]}
    wide = Wide(
        {ClientId(name): np.array(update) for name, update in updates.items()}, update_bound=big
    )

    assert wide.run().tolist() == [small / 3, 3 * small / 3]


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("bound", [2.0**13, 2.0**20], ids=["32 bits", "64 bits"])
def test_the_modulus_is_a_power_of_two_and_not_one_less(sign: float, bound: float) -> None:
    """Everybody at the end of the range; masks wrap around the ring on the way."""
    wide = Wide(alike(sign * np.full(50, bound)), update_bound=bound)
    model = wide.run()

    assert len(wide.heard[0]) // (4 if bound < 2**14 else 8) >= 50
    assert model.tolist() == [sign * bound] * 50


# Names


@pytest.mark.parametrize(
    "names",
    [
        ("9", "10", "11", "100"),
        ("c9", "c10", "C10", "c1"),
        ("ä", "z", "a", "Z"),
        ("7", "007", "07", "70"),
    ],
    ids=["digits", "letters and digits", "beyond ascii", "one number, several names"],
)
def test_names_that_look_like_numbers_are_ordered_as_strings_by_everybody(
    names: tuple[str, ...],
) -> None:
    """One client drops out after R1, so that the order also counts where masks are taken off."""
    updates = {ClientId(name): np.array([float(2**i), -1.0]) for i, name in enumerate(names)}
    for gone in updates:
        model = Wide(updates).run(silent_after_shares=[gone])
        rest = [update for name, update in updates.items() if name != gone]
        assert model.tolist() == (np.sum(rest, axis=0) / 3).tolist()


# Bytes


def test_words_travel_with_the_least_significant_byte_first() -> None:
    """Losses without privacy: every number of a reply is known."""
    boss = LyingCoordinator(invitation=once_per_session())
    toy = Toy(clients=4, wrap=lambda name, carrier: Puppet(carrier, boss, name))
    toy.start()
    for _ in range(3):
        toy.turn()
    replies = {who: decode(b, Reply) for _, step, who, b in boss.heard if step == "reply"}

    assert replies
    for who, reply in replies.items():
        raw = [reply.values[i : i + 8] for i in range(0, len(reply.values), 8)]
        found = [int.from_bytes(word, "little", signed=True) * RAW_LOSS_STEP for word in raw]
        rows = toy.trainers[who].losses(unpack(toy.initial)["models"])
        expected = embed(rows, Embedding.RAW).mean
        np.testing.assert_allclose(found[: len(expected)], expected, atol=1e-9)


# Shamir


def test_no_client_is_given_a_share_that_is_the_secret() -> None:
    """The first in the order opens everything that was entrusted to it: its x is 1, not 0."""
    stage = staged()
    stage.play()
    (sid,) = stage.boss.sessions
    me, mine = NAMES[0], SimulatedEntropy(0, "keys", NAMES[0]).draw(32)
    adverts = {n: decode(b, Advert) for n, b in stage.boss.said(sid, "advert").items()}
    others = {n: b for n, b in stage.boss.said(sid, "shares").items() if n != me}
    assert len(others) == 6
    for peer, body in others.items():
        secret, seed = opened(sid, adverts, peer, me, mine, decode(body, Shares))
        assert plain.x25519_public(secret[1:]) != adverts[peer].mask_key
        committed = keys.commitment(seed[1:], sid=bytes.fromhex(sid), client=peer)
        assert committed != adverts[peer].commitment


def opened(
    sid: str,
    adverts: dict[ClientId, Advert],
    source: ClientId,
    target: ClientId,
    secret: bytes,
    shares: Shares,
) -> tuple[bytes, bytes]:
    """Return the two shares in an envelope, by the independent verifier's arithmetic."""
    h1 = plain.framed_hash("U1", *(encode(advert) for advert in adverts.values()))
    common = plain.x25519(secret, adverts[source].share_key)
    where = (bytes.fromhex(sid), h1, source, target)
    key = plain.hkdf(common, where[0], plain.frame("share", source, target, h1))
    text = plain.aead_open(key, bytes(12), shares.sealed[target], plain.frame(*where))
    return text[:33], text[33:]


def test_no_two_clients_of_a_session_hold_the_same_shares() -> None:
    """Two answers at one x would count twice toward T; every client's shares differ."""
    stage = staged()
    stage.play()
    (sid,) = stage.boss.sessions
    adverts = {n: decode(b, Advert) for n, b in stage.boss.said(sid, "advert").items()}
    source = NAMES[0]
    sent = decode(stage.boss.said(sid, "shares")[source], Shares)
    seen = set()
    for target in NAMES[1:]:
        mine = SimulatedEntropy(0, "keys", target).draw(32)
        seen.add(opened(sid, adverts, source, target, mine, sent))
    assert len(seen) == 6
