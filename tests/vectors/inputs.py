"""The inputs of all vectors but whole sessions: what must be taken, and what must be refused."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from tests.vectors.library import KINDS

Json = Any

PRIME = 2**256 + 297
FALSE = "BadSignatureError"


def some(label: str, size: int = 32) -> str:
    """Return ``size`` bytes that mean nothing, as hex."""
    return (sha256(label.encode()).digest() * 3)[:size].hex()


def key_of(label: str) -> str:
    return str(KINDS["public_key"]({"secret": some(label)})["public"])


SID, H1, H2 = some("sid"), some("h1"), some("h2")
U, V = "c10", "c9"
LOW_ORDER = {
    "zero": "00" * 32,
    "one": "01" + "00" * 31,
    "order 8": "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "p": "ed" + "ff" * 30 + "7f",
}
"""Points with which no secret can be agreed."""


def session(**changes: Json) -> Json:
    fields = {
        "protocol": "sca/1",
        "federation": "wards",
        "config": some("config"),
        "roster": some("roster"),
        "round": 1,
        "phase": "train/2",
        "attempt": 1,
        "carriage": "masked",
        "cohort": ["c10", "c11", "c8", "c9"],
        "asks": [some("ask")],
        "length": 6,
        "ring_bits": 32,
        "min_cohort": 3,
        "stage_ms": 20000,
        "nonce": some("nonce"),
    }
    return fields | changes


def refusal(name: str, given: Json, error: str) -> Json:
    return {"name": name, "in": given, "error": error}


SESSION = {
    "about": "The session object P, its canonical bytes and sid; frames and hashes (E1, E2).",
    "taken": {
        "session": [
            session(),
            session(carriage="each", asks=sorted([some("one"), some("two")]), ring_bits=64),
            session(
                cohort=sorted(["Ä-Station", "ward", "z" * 40]), stage_ms=86400000, length=2**16
            ),
            session(round=128, attempt=3, min_cohort=256, federation="f" * 31, phase="p" * 256),
            session(cohort=sorted(f"site-{i}" for i in range(17))),
        ],
        "frames": [
            {"parts": []},
            {"parts": [{"text": ""}]},
            {"parts": [{"text": "ab"}, {"text": "c"}]},
            {"parts": [{"text": "a"}, {"text": "bc"}]},
            {"parts": [{"text": "Grüße"}, {"hex": "00ff"}, {"hex": "00" * 300}]},
        ],
    },
    "refused": {
        "session": [
            refusal("another protocol", session(protocol="sca/2"), "ConfigError"),
            refusal("ids in the order of numbers", session(cohort=["c8", "c10"]), "ConfigError"),
            refusal("a client twice", session(cohort=["c8", "c8", "c9"]), "ConfigError"),
            refusal("no ask", session(asks=[]), "ConfigError"),
            refusal("an ask twice", session(asks=[some("ask")] * 2), "ConfigError"),
            refusal("a ring of 31 bits", session(ring_bits=31), "ConfigError"),
            refusal("no length", session(length=0), "ConfigError"),
            refusal("a short nonce", session(nonce="00" * 31), "ConfigError"),
            refusal("round 0", session(round=0), "ConfigError"),
            refusal("attempt 0", session(attempt=0), "ConfigError"),
            refusal("no smallest cohort", session(min_cohort=0), "ConfigError"),
            refusal("no time", session(stage_ms=0), "ConfigError"),
        ],
    },
}


def share(**changes: Json) -> Json:
    fields = {"secret": some("C of u"), "public": key_of("C of v"), "sid": SID, "h1": H1}
    return fields | {"source": U, "target": V} | changes


def pair(**changes: Json) -> Json:
    fields = {"secret": some("M of u"), "public": key_of("M of v"), "sid": SID, "h1": H1, "h2": H2}
    return fields | {"pair": [U, V]} | changes


SAID = [{"hex": SID}, {"text": "R3"}, {"hex": H1}, {"hex": H2}, {"hex": some("h3")}]
SIGNED = KINDS["signature"]({"secret": some("identity"), "parts": SAID})
ORDER = 2**252 + 27742317777372353535851937790883648493


def other_signature() -> str:
    """Return the same signature with s + the group's order: it would hold under a lax rule."""
    raw = bytes.fromhex(SIGNED["signature"])
    s = int.from_bytes(raw[32:], "little") + ORDER
    return (raw[:32] + s.to_bytes(32, "little")).hex()


def claim(**changes: Json) -> Json:
    return {**SIGNED, "parts": SAID} | changes


KEYS = {
    "about": "Keys of a session, mask streams and signatures (section 2).",
    "taken": {
        "public_key": [{"secret": some("C of u")}, {"secret": "00" * 32}, {"secret": "ff" * 32}],
        "commitment": [
            {"sid": SID, "client": U, "seed": some("b of u")},
            {"sid": SID, "client": V, "seed": some("b of u")},
            {"sid": some("another sid"), "client": U, "seed": some("b of u")},
        ],
        "share_key": [
            share(),
            share(secret=some("C of v"), public=key_of("C of u")),
            share(source=V, target=U),
            share(h1=some("other adverts")),
        ],
        "pair_mask_key": [
            pair(),
            pair(secret=some("M of v"), public=key_of("M of u"), pair=[V, U]),
            pair(h2=some("another U2")),
            pair(sid=some("another sid")),
        ],
        "self_mask_key": [
            {"seed": some("b of u"), "sid": SID, "client": U},
            {"seed": some("b of u"), "sid": SID, "client": V},
        ],
        "mask_stream": [
            {"key": key, "bits": bits, "places": places}
            for key in ("00" * 32, some("a mask key"))
            for bits, places in (
                (32, [0, 1, 3, 4, 7, 8, 9, 16383, 16384, 32767, 32768, 32775, 32776, 70000]),
                (64, [0, 1, 2, 3, 4, 5, 8191, 8192, 16383, 16384, 16387, 16388, 35000]),
            )
        ],
        "signature": [
            {"secret": some("identity"), "parts": SAID},
            {"secret": some("identity"), "parts": [{"text": "R3"}]},
        ],
        "verified": [claim()],
    },
    "refused": {
        "share_key": [
            refusal(f"a point of low order: {name}", share(public=point), "MalformedError")
            for name, point in LOW_ORDER.items()
        ],
        "pair_mask_key": [
            refusal(f"a point of low order: {name}", pair(public=point), "MalformedError")
            for name, point in LOW_ORDER.items()
        ],
        "mask_stream": [
            refusal(
                f"a key of {size} bytes",
                {"key": some("k", size), "bits": 32, "places": [0]},
                "LocalProtocolError",
            )
            for size in (4, 16, 31, 33)
        ],
        "signature": [
            refusal("a key of 31 bytes", {"secret": "11" * 31, "parts": SAID}, "ConfigError")
        ],
        "verified": [
            refusal("another step", claim(parts=[SAID[0], {"text": "R2"}, *SAID[2:]]), FALSE),
            refusal("parts joined", claim(parts=[{"hex": SID + "5233"}, *SAID[2:]]), FALSE),
            refusal("another signer", claim(public=key_of("identity")), FALSE),
            refusal("s beyond the order", claim(signature=other_signature()), FALSE),
            refusal("a short key", claim(public="00" * 31), FALSE),
            refusal("a short signature", claim(signature=SIGNED["signature"][:-2]), FALSE),
        ],
    },
}

OUTSIDE = (PRIME + 5).to_bytes(33, "big").hex()
DRAWS = [f"{2 * label:02x}" + some(f"coefficient {label}") for label in range(8)]
SHARED = {"secret": some("secret"), "threshold": 3, "count": 4, "draws": DRAWS[:2]}
SHARES = [str(found) for found in KINDS["split"](SHARED)["shares"]]

SHAMIR = {
    "about": "Shamir's sharing over p = 2^256 + 297: 33-byte shares at x = 1, 2, ... (S4).",
    "taken": {
        "split": [
            SHARED,
            {"secret": "00" * 32, "threshold": 1, "count": 3, "draws": []},
            {"secret": "ff" * 32, "threshold": 2, "count": 3, "draws": [OUTSIDE, DRAWS[0]]},
            {"secret": some("secret"), "threshold": 5, "count": 7, "draws": DRAWS[::2]},
        ],
        "weights": [
            {"xs": [1]},
            {"xs": [1, 2, 3]},
            {"xs": [4, 2, 1]},
            {"xs": [1, 3, 5, 7, 40, 256]},
        ],
        "combine": [
            {"xs": xs, "shares": [SHARES[x - 1] for x in xs]}
            for xs in ([1, 2, 3], [2, 3, 4], [4, 1, 3], [1, 2, 3, 4])
        ],
    },
    "refused": {
        "split": [
            refusal("a short secret", {**SHARED, "secret": "00" * 31}, "LocalProtocolError"),
            refusal("a threshold of 0", {**SHARED, "threshold": 0}, "LocalProtocolError"),
            refusal("more than all", {**SHARED, "threshold": 5}, "LocalProtocolError"),
        ],
        "weights": [
            refusal("x = 0", {"xs": [0, 1, 2]}, "LocalProtocolError"),
            refusal("an x twice", {"xs": [1, 2, 2]}, "LocalProtocolError"),
            refusal("a negative x", {"xs": [-1, 2]}, "LocalProtocolError"),
            refusal("x = p", {"xs": [1, PRIME]}, "LocalProtocolError"),
        ],
        "combine": [
            refusal(
                "x = 0",
                {"xs": [0, 1, 2], "shares": SHARES[:3]},
                "LocalProtocolError",
            ),
            refusal(
                "a share of 32 bytes",
                {"xs": [1, 2, 3], "shares": [SHARES[0][2:], *SHARES[1:3]]},
                "MalformedError",
            ),
            refusal(
                "a share that is p",
                {"xs": [1], "shares": [PRIME.to_bytes(33, "big").hex()]},
                "MalformedError",
            ),
            refusal(
                "shares of no secret",
                {"xs": [1], "shares": [(PRIME - 1).to_bytes(33, "big").hex()]},
                "AbortedError",
            ),
        ],
    },
}

TWO = {"key": "00" + some("share of m"), "seed": "01" + "00" * 31 + "28"}
SEALED = str(KINDS["sealed"](share(**TWO))["sealed"])


def opened(**changes: Json) -> Json:
    """Return how the target opens the envelope."""
    ends = {"secret": some("C of v"), "public": key_of("C of u"), "sealed": SEALED}
    return share(**(ends | changes))


def flipped(data: str, at: int) -> str:
    raw = bytearray.fromhex(data)
    raw[at] ^= 1
    return raw.hex()


ENVELOPES = {
    "about": "Envelopes: two shares under ChaCha20-Poly1305, zero nonce, AAD of the direction.",
    "taken": {"sealed": [share(**TWO), share(**TWO, source=V, target=U)], "unsealed": [opened()]},
    "refused": {
        "sealed": [
            refusal("a share that is p", share(**TWO | {"key": f"{PRIME:066x}"}), "MalformedError"),
            refusal("a short share", share(**TWO | {"seed": "00" * 32}), "MalformedError"),
        ],
        "unsealed": [
            refusal("the first bit", opened(sealed=flipped(SEALED, 0)), "BadSignatureError"),
            refusal("the last bit", opened(sealed=flipped(SEALED, -1)), "BadSignatureError"),
            refusal("cut short", opened(sealed=SEALED[:-2]), "BadSignatureError"),
            refusal("another session", opened(sid=some("another")), "BadSignatureError"),
            refusal("other adverts", opened(h1=some("another")), "BadSignatureError"),
            refusal("reflected", opened(source=V, target=U), "BadSignatureError"),
            refusal("another sender", opened(source="c8"), "BadSignatureError"),
            refusal("another key", opened(secret=some("C of w")), "BadSignatureError"),
            refusal("low order", opened(public=LOW_ORDER["zero"]), "MalformedError"),
        ],
    },
}

COARSE = [[2, 0.25, 4.0], [1, 1.0, 100.0]]
FINE = [[3, 2.0**-16, 8.0]]
KEYED = [some("rounding of block 0"), some("rounding of block 1")]


def numbers(**changes: Json) -> Json:
    fields = {"parts": COARSE, "bits": 32, "vector": ["0.3", "-0.3", "7.9"], "noise": [0, 0, 0]}
    return fields | {"draws": KEYED} | changes


def summed(**changes: Json) -> Json:
    return {"parts": COARSE, "bits": 32, "clients": 2, "words": [32, 2**32 - 32, 200]} | changes


QUANTISE = {
    "about": "Floats to ring elements and sums back (N1, N2): parts are (count, step, bound).",
    "taken": {
        "quantised": [
            numbers(),
            numbers(draws=KEYED[::-1]),
            numbers(draws=KEYED[::-1], bits=64),
            numbers(vector=["-0.0", "1.0", "-7.0"]),
            numbers(vector=["9e9", "-9e9", "1e300"], noise=[5, -5, 1]),
            numbers(parts=FINE, vector=["0.1", "-0.7", "8.0"], draws=KEYED[:1]),
        ],
        "lifted": [
            summed(),
            summed(bits=64, words=[32, 2**64 - 32, 2**64 - 200]),
            summed(parts=FINE, clients=25, words=[25 * 2**19, 2**32 - 25 * 2**19, 1]),
        ],
        "ring_bits": [
            {"largest_sum": most} for most in (1, 2**31 - 2, 2**31 - 1, 2**31, 2**63 - 2, 2**63 - 1)
        ],
    },
    "refused": {
        "quantised": [
            refusal(f"a vector with {bad}", numbers(vector=["0", bad, "0"]), "DataError")
            for bad in ("nan", "inf", "-inf")
        ],
        "lifted": [
            refusal("one step too far", summed(words=[33, 0, 0]), "AbortedError"),
            refusal("one step too far down", summed(words=[0, 2**32 - 33, 0]), "AbortedError"),
            refusal("the least integer", summed(words=[0, 0, 2**31]), "AbortedError"),
        ],
        "ring_bits": [refusal("no ring holds it", {"largest_sum": 2**63}, "ConfigError")],
    },
}

FILES: Mapping[str, Json] = {
    "session": SESSION,
    "keys": KEYS,
    "shamir": SHAMIR,
    "envelopes": ENVELOPES,
    "quantise": QUANTISE,
}
"""The files by name, with the cases to take still unanswered."""
