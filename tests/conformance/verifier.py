"""The protocol once more, from docs/spec/protocol.md and without the library: recomputes vectors.

Every function takes the inputs of a vector, as JSON holds them, and returns its outputs, or raises
`Refused` where the vector is one that must be refused. Steps are those of the specification.
"""

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from math import ceil, floor, isfinite
from typing import Any

from tests.conformance import plain
from tests.conformance.plain import frame, framed_hash, pack, refuse_unless, unpack

Json = Any
Names = Sequence[str]

FIELDS = (
    *("protocol", "federation", "config", "roster", "round", "phase", "attempt", "carriage"),
    *("cohort", "asks", "length", "ring_bits", "min_cohort", "stage_ms", "nonce"),
)
"""The session object's, in the order in which they are encoded."""


def raw(text: str) -> bytes:
    return bytes.fromhex(text)


def parts(given: Sequence[Mapping[str, str]]) -> list[str | bytes]:
    return [part["text"] if "text" in part else raw(part["hex"]) for part in given]


# ---- encoding and session (E1, E2, section 3)


def session(given: Json) -> Json:
    refuse_unless(set(given) == set(FIELDS), "other fields")
    fields = {name: given[name] for name in FIELDS}
    cohort, asks = fields["cohort"], fields["asks"]
    refuse_unless(fields["protocol"] == "sca/1", "another protocol")
    refuse_unless(cohort == sorted(set(cohort)), "the cohort")
    refuse_unless(asks == sorted(set(asks)) and asks, "the asks")
    refuse_unless(fields["ring_bits"] in (32, 64) and fields["length"] >= 1, "the ring")
    counted = ("round", "attempt", "stage_ms", "min_cohort")
    refuse_unless(all(fields[name] >= 1 for name in counted), "a count")
    fields["nonce"] = raw(fields["nonce"])
    refuse_unless(len(fields["nonce"]) == 32, "the nonce")
    encoded = pack(fields)
    return {"encoded": encoded.hex(), "sid": sha256(b"secure_clove/v1" + encoded).hexdigest()}


def frames(given: Json) -> Json:
    found = parts(given["parts"])
    return {"frame": frame(*found).hex(), "hash": framed_hash(*found).hex()}


# ---- keys (section 2)


def commitment(given: Json) -> Json:
    found = framed_hash("bc", raw(given["sid"]), given["client"], raw(given["seed"]))
    return {"commitment": found.hex()}


def share_key(given: Json) -> Json:
    info = frame("share", given["source"], given["target"], raw(given["h1"]))
    secret = plain.x25519(raw(given["secret"]), raw(given["public"]))
    return {"key": plain.hkdf(secret, raw(given["sid"]), info).hex()}


def pair_mask_key(given: Json) -> Json:
    low, high = sorted(given["pair"])
    info = frame("mask", low, high, raw(given["h1"]), raw(given["h2"]))
    secret = plain.x25519(raw(given["secret"]), raw(given["public"]))
    return {"key": plain.hkdf(secret, raw(given["sid"]), info).hex()}


def self_mask_key(given: Json) -> Json:
    info = frame("self", given["client"])
    return {"key": plain.hkdf(raw(given["seed"]), raw(given["sid"]), info).hex()}


def public_key(given: Json) -> Json:
    return {"public": plain.x25519_public(raw(given["secret"])).hex()}


def mask_stream(given: Json) -> Json:
    return {"words": plain.stream_words(raw(given["key"]), given["bits"], given["places"])}


def signature(given: Json) -> Json:
    secret, said = raw(given["secret"]), parts(given["parts"])
    signed = plain.sign(secret, *said)
    return {"public": plain.ed25519_public(secret).hex(), "signature": signed.hex()}


def verified(given: Json) -> Json:
    plain.check_signature(raw(given["public"]), raw(given["signature"]), *parts(given["parts"]))
    return {}


# ---- Shamir


def split(given: Json) -> Json:
    draws = iter([raw(draw) for draw in given["draws"]])
    shares = plain.split(raw(given["secret"]), given["threshold"], given["count"], draws)
    return {"shares": [share.hex() for share in shares]}


def weights(given: Json) -> Json:
    return {"weights": [f"{weight:x}" for weight in plain.weights(given["xs"])]}


def combine(given: Json) -> Json:
    return {"secret": plain.combine([raw(s) for s in given["shares"]], given["xs"]).hex()}


# ---- envelopes


def _address(given: Json) -> bytes:
    return frame(raw(given["sid"]), raw(given["h1"]), given["source"], given["target"])


def sealed(given: Json) -> Json:
    key, seed = raw(given["key"]), raw(given["seed"])
    plain.element(key)
    plain.element(seed)
    under = raw(share_key(given)["key"])
    return {"sealed": plain.aead_seal(under, bytes(12), key + seed, _address(given)).hex()}


def unsealed(given: Json) -> Json:
    under = raw(share_key(given)["key"])
    found = plain.aead_open(under, bytes(12), raw(given["sealed"]), _address(given))
    plain.element(found[:33])
    plain.element(found[33:])
    return {"key": found[:33].hex(), "seed": found[33:].hex()}


# ---- sets and what is signed (section 4)


def threshold(count: int) -> int:
    return 2 * count // 3 + 1


def sets(given: Json) -> Json:
    """Return h1, h2 and h3 of encoded adverts and two lists of names."""
    adverts = [raw(body) for body in given["adverts"]]
    adverts.sort(key=lambda body: str(unpack(body)["sender"]))
    return {
        "h1": framed_hash("U1", *adverts).hex(),
        "h2": framed_hash("U2", *sorted(given["u2"])).hex(),
        "h3": framed_hash("U3", *sorted(given["u3"])).hex(),
        "threshold": threshold(len(adverts)),
    }


# ---- messages


def message(given: Json) -> Json:
    """Read one message and refuse parts of another size, disorder and both shares of a client."""
    kind, body = given["kind"], unpack(raw(given["body"]))
    names = {
        "Advert": ["sender", "share_key", "mask_key", "commitment", "signature"],
        "Shares": ["sender", "sealed"],
        "Masked": ["sender", "values", "signature"],
        "Consistency": ["sender", "signature"],
        "Unmask": ["sender", "seeds", "keys"],
        "Directory": ["adverts"],
        "Inbox": ["sealed"],
        "Survivors": ["alive", "dropped"],
        "Signatures": ["signatures"],
    }[kind]
    refuse_unless(isinstance(body, dict) and list(body) == names, "other fields")
    if kind == "Directory":
        for advert in body["adverts"]:
            message({"kind": "Advert", "body": pack(advert).hex()})
        _ascending([advert["sender"] for advert in body["adverts"]])
    if kind == "Survivors":
        _ascending(body["alive"])
        _ascending(body["dropped"])
        refuse_unless(not set(body["alive"]) & set(body["dropped"]), "alive and dropped")
    if kind == "Unmask":
        refuse_unless(not set(body["seeds"]) & set(body["keys"]), "both shares")
    _sizes(body)
    return {}


def _ascending(names: Names) -> None:
    refuse_unless(list(names) == sorted(set(names)), "disorder")


def _sizes(body: Mapping[str, Json]) -> None:
    wanted = {
        **dict.fromkeys(("share_key", "mask_key", "commitment"), 32),
        **{"signature": 64, "signatures": 64, "sealed": 82, "seeds": 33, "keys": 33},
    }
    for name, size in wanted.items():
        found = body.get(name, {})
        several = list(found.values()) if isinstance(found, dict) else [found]
        refuse_unless(all(len(part) == size for part in several), f"the size of {name}")
        ordered = not isinstance(found, dict) or list(found) == sorted(found)
        refuse_unless(ordered, "disorder")


# ---- numbers (N1, N2)


def quantised(given: Json) -> Json:
    """Clip, divide by the step, round at random by a stream a part, add noise, reduce."""
    vector = [float(x) for x in given["vector"]]
    refuse_unless(all(map(isfinite, vector)), "not finite")
    words, at = [], 0
    for (count, step, bound), draws in zip(given["parts"], given["draws"], strict=True):
        for drawn in plain.stream_words(raw(draws), 32, range(count)):
            scaled = min(max(vector[at], -bound), bound) / step
            up = drawn / 2**32 < scaled - floor(scaled)
            words.append((floor(scaled) + up + given["noise"][at]) % 2 ** given["bits"])
            at += 1
    return {"words": words}


def lifted(given: Json) -> Json:
    """Return the floats of a sum, after checking that honest vectors can have it."""
    bits, at, found = given["bits"], 0, []
    for count, step, bound in given["parts"]:
        most = given["clients"] * ceil(bound / step)
        for word in given["words"][at : at + count]:
            signed = word - 2**bits if word >= 2 ** (bits - 1) else word
            refuse_unless(abs(signed) <= most, "beyond what honest clients can reach")
            found.append(signed * step)
        at += count
    return {"values": found}


def ring_bits(given: Json) -> Json:
    fitting = [bits for bits in (32, 64) if 2 * given["largest_sum"] + 1 < 2**bits]
    refuse_unless(fitting, "no ring is large enough")
    return {"bits": fitting[0]}


Check = Callable[[Json], Json]

CHECKS: Mapping[str, Check] = {
    check.__name__: check
    for check in (
        *(session, frames, commitment, share_key, pair_mask_key, self_mask_key, public_key),
        *(mask_stream, signature, verified, split, weights, combine, sealed, unsealed),
        *(sets, message, quantised, lifted, ring_bits),
    )
}
"""Every kind of vector but whole sessions, which `tests.conformance.replay` recomputes."""
