"""How the library computes each kind of vector."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from secure_clove.foundation.codec import decode, encode
from secure_clove.foundation.ids import ClientId
from secure_clove.secagg import keys, masks, messages, ring, shamir, transcript
from secure_clove.secagg.envelope import Address, Entrusted, seal, unseal
from secure_clove.secagg.messages import Advert
from secure_clove.secagg.quantise import Grid, Quantiser, ring_bits_for
from secure_clove.secagg.session import Carriage, Session

Json = Any


def raw(text: str) -> bytes:
    return bytes.fromhex(text)


class Recorded:
    """Entropy that gives what a vector holds, in order."""

    is_simulated = True

    def __init__(self, draws: Sequence[str]) -> None:
        self._draws = [raw(draw) for draw in draws]

    def draw(self, count: int) -> bytes:
        drawn = self._draws.pop(0)
        if len(drawn) != count:
            raise ValueError(f"the vector holds {len(drawn)} bytes where {count} are drawn")
        return drawn

    def fork(self, *labels: str | int) -> "Recorded":
        return self


def _parts(given: Sequence[Mapping[str, str]]) -> list[str | bytes]:
    return [part["text"] if "text" in part else raw(part["hex"]) for part in given]


def session(given: Json) -> Json:
    """Canonical bytes of a session object, and its sid."""
    changes = {"cohort": tuple(given["cohort"]), "asks": tuple(given["asks"])}
    carriage, nonce = Carriage(given["carriage"]), raw(given["nonce"])
    found = Session(**{**given, **changes, "carriage": carriage, "nonce": nonce})
    return {"encoded": encode(found).hex(), "sid": found.sid.hex()}


def frames(given: Json) -> Json:
    """E2: the frame of some parts, and H of them."""
    parts = _parts(given["parts"])
    return {"frame": keys.frame(*parts).hex(), "hash": keys.transcript_hash(*parts).hex()}


def public_key(given: Json) -> Json:
    """X25519 public key of 32 secret bytes."""
    return {"public": keys.public_key(raw(given["secret"])).hex()}


def commitment(given: Json) -> Json:
    """Commitment to a self seed."""
    sid, client = raw(given["sid"]), ClientId(given["client"])
    return {"commitment": keys.commitment(raw(given["seed"]), sid=sid, client=client).hex()}


def share_key(given: Json) -> Json:
    """Key that seals the shares from source to target; secret and public of either side."""
    found = keys.share_key(
        keys.agree(raw(given["secret"]), raw(given["public"])),
        sid=raw(given["sid"]),
        h1=raw(given["h1"]),
        source=given["source"],
        target=given["target"],
    )
    return {"key": found.hex()}


def pair_mask_key(given: Json) -> Json:
    """Key of the mask that two clients share."""
    found = keys.pair_mask_key(
        raw(given["secret"]),
        raw(given["public"]),
        sid=raw(given["sid"]),
        h1=raw(given["h1"]),
        h2=raw(given["h2"]),
        pair=(given["pair"][0], given["pair"][1]),
    )
    return {"key": found.hex()}


def self_mask_key(given: Json) -> Json:
    """Key of a client's own mask."""
    sid = raw(given["sid"])
    return {"key": keys.self_mask_key(raw(given["seed"]), sid=sid, client=given["client"]).hex()}


def mask_stream(given: Json) -> Json:
    """Words of the mask stream of a key at some places."""
    words = ring.zeros(max(given["places"]) + 1, given["bits"])
    masks.apply(words, add=[raw(given["key"])])
    return {"words": [int(words[place]) for place in given["places"]]}


def signature(given: Json) -> Json:
    """Ed25519 signature of H of some parts."""
    identity = keys.Identity.from_bytes(raw(given["secret"]))
    signed = identity.sign(*_parts(given["parts"]))
    return {"public": identity.public.hex(), "signature": signed.hex()}


def verified(given: Json) -> Json:
    """Whether a signature holds."""
    keys.verify(raw(given["public"]), raw(given["signature"]), *_parts(given["parts"]))
    return {}


def split(given: Json) -> Json:
    """Shares of a secret, its coefficients drawn as listed."""
    entropy = Recorded(given["draws"])
    count, secret = given["count"], raw(given["secret"])
    shares = shamir.split(secret, given["threshold"], xs=range(1, count + 1), entropy=entropy)
    return {"shares": [share.hex() for share in shares]}


def weights(given: Json) -> Json:
    """Lagrange weights at zero."""
    return {"weights": [f"{weight:x}" for weight in shamir.weights(given["xs"])]}


def combine(given: Json) -> Json:
    """The secret of shares at some x."""
    shares = [raw(share) for share in given["shares"]]
    return {"secret": shamir.combine(shares, shamir.weights(given["xs"])).hex()}


def _address(given: Json) -> Address:
    names = {"source": ClientId(given["source"]), "target": ClientId(given["target"])}
    return Address(sid=raw(given["sid"]), h1=raw(given["h1"]), **names)


def sealed(given: Json) -> Json:
    """The envelope with two shares from source to target."""
    entrusted = Entrusted(key=raw(given["key"]), seed=raw(given["seed"]))
    agreed, address = keys.agree(raw(given["secret"]), raw(given["public"])), _address(given)
    return {"sealed": seal(entrusted, address, key=address.key(agreed)).hex()}


def unsealed(given: Json) -> Json:
    """The two shares in an envelope from source to target."""
    agreed, address = keys.agree(raw(given["secret"]), raw(given["public"])), _address(given)
    found = unseal(raw(given["sealed"]), address, key=address.key(agreed))
    return {"key": found.key.hex(), "seed": found.seed.hex()}


def sets(given: Json) -> Json:
    """h1 of encoded adverts, h2 and h3 of names, and T."""
    adverts = [decode(raw(body), Advert) for body in given["adverts"]]
    return {
        "h1": transcript.hash_adverts(adverts).hex(),
        "h2": transcript.hash_u2(given["u2"]).hex(),
        "h3": transcript.hash_u3(given["u3"]).hex(),
        "threshold": transcript.threshold(len(adverts)),
    }


def message(given: Json) -> Json:
    """Whether some bytes are a message of this kind."""
    kind: type[object] = getattr(messages, given["kind"])
    decode(raw(given["body"]), kind)
    return {}


def _quantiser(given: Json) -> Quantiser:
    parts = ((count, Grid(step=step, bound=bound)) for count, step, bound in given["parts"])
    return Quantiser(parts=tuple(parts))


def quantised(given: Json) -> Json:
    """Ring elements of a vector on parts of (count, step, bound), rounded by streams of draws."""
    vector = np.array([float(x) for x in given["vector"]])
    noise = np.array(given["noise"], dtype=np.int64)
    entropy = Recorded(given["draws"])
    found = _quantiser(given).encode(vector, given["bits"], entropy, noise=noise)
    return {"words": [int(word) for word in found]}


def lifted(given: Json) -> Json:
    """The floats of a sum over some clients."""
    quantiser, total = _quantiser(given), np.array(given["words"], dtype=np.uint64)
    quantiser.check_range(total, given["bits"], clients=given["clients"])
    return {"values": [float(x) for x in quantiser.decode(total, given["bits"])]}


def ring_bits(given: Json) -> Json:
    """The ring in which sums up to a number cannot overflow."""
    return {"bits": ring_bits_for(given["largest_sum"])}


KINDS: Mapping[str, Callable[[Json], Json]] = {
    kind.__name__: kind
    for kind in (
        *(session, frames, commitment, share_key, pair_mask_key, self_mask_key, public_key),
        *(mask_stream, signature, verified, split, weights, combine, sealed, unsealed),
        *(sets, message, quantised, lifted, ring_bits),
    )
}
"""Every kind of vector but those about whole sessions, which are in `tests.vectors.session`."""
