"""Shamir's secret sharing of 32-byte secrets: any T shares rebuild one, fewer say nothing.

Over the prime field of p = 2^256 + 297, the smallest prime above 2^256, so that a secret is one
element. Client number i of the sorted U1, counted from 0, has x = i + 1. Source: Shamir 1979;
protocol.md, "Shamir".
"""

from collections.abc import Sequence

from secure_clove.errors import AbortedError, LocalProtocolError, MalformedError
from secure_clove.foundation.seeds import Entropy

PRIME = 2**256 + 297
SECRET_BYTES = 32
SHARE_BYTES = 33
_BITS = PRIME.bit_length()


def split(
    secret: bytes, threshold: int, *, xs: Sequence[int], entropy: Entropy
) -> tuple[bytes, ...]:
    """Return shares of ``secret`` at ``xs``, 33 bytes each.

    Args:
        secret: 32 bytes.
        threshold: Shares that rebuild it, 1 to as many as there are.
        xs: Where to make shares: the places of their holders, which count from 1.
        entropy: Where the coefficients come from.

    Raises:
        LocalProtocolError: the secret has another length, the threshold is out of range, or an x is
            zero, out of the field, or occurs twice.
    """
    if len(secret) != SECRET_BYTES or not 1 <= threshold <= len(xs):
        raise LocalProtocolError(
            f"expected a {SECRET_BYTES}-byte secret and 1 <= threshold {threshold} <= {len(xs)}"
        )
    _check_places(xs)
    coefficients = [_random_element(entropy) for _ in range(threshold - 1)]
    polynomial = [*coefficients, int.from_bytes(secret, "big")]
    return tuple(_evaluate(polynomial, x).to_bytes(SHARE_BYTES, "big") for x in xs)


def weights(xs: Sequence[int]) -> tuple[int, ...]:
    """Return the Lagrange weights at zero for shares at ``xs``; they serve every secret.

    Raises:
        LocalProtocolError: an x is zero, out of the field, or occurs twice.
    """
    _check_places(xs)
    return tuple(_weight(x, [other for other in xs if other != x]) for x in xs)


def combine(shares: Sequence[bytes], weights: Sequence[int]) -> bytes:
    """Return the 32-byte secret that ``shares`` hold.

    Args:
        shares: Exactly T shares.
        weights: Their Lagrange weights, in the same order.

    Raises:
        MalformedError: a share is not an element of the field.
        AbortedError: the shares do not belong to one 32-byte secret.
    """
    pairs = zip(shares, weights, strict=True)
    secret = sum(element(share) * weight for share, weight in pairs) % PRIME
    if secret >> (8 * SECRET_BYTES):
        raise AbortedError(
            "the shares of one secret do not fit together: a client sent a false one"
        )
    return secret.to_bytes(SECRET_BYTES, "big")


def element(share: bytes) -> int:
    """Return the field element that ``share`` encodes.

    Raises:
        MalformedError: not 33 bytes, or not below p.
    """
    value = int.from_bytes(share, "big")
    if len(share) != SHARE_BYTES or value >= PRIME:
        raise MalformedError("a share is 33 bytes that encode an element below 2^256 + 297")
    return value


def _random_element(entropy: Entropy) -> int:
    while True:  # rejection sampling: uniform; half of the draws are kept
        value = int.from_bytes(entropy.draw(SHARE_BYTES), "big") % (1 << _BITS)
        if value < PRIME:
            return value


def _check_places(xs: Sequence[int]) -> None:
    if len(set(xs)) != len(xs) or not all(0 < x < PRIME for x in xs):
        raise LocalProtocolError("the x of shares must be distinct and between 1 and p - 1")


def _evaluate(polynomial: Sequence[int], x: int) -> int:
    value = 0
    for coefficient in polynomial:  # Horner, highest degree first
        value = value * x + coefficient
    return value % PRIME  # once: x is small, and reducing costs more than a longer product


def _weight(x: int, others: Sequence[int]) -> int:
    above = below = 1
    for other in others:
        above = above * other % PRIME
        below = below * (other - x) % PRIME
    return above * pow(below, -1, PRIME) % PRIME
