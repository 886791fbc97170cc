"""The vectors about whole sessions: four clients, one of which goes silent after R1."""

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from secure_clove.foundation.codec import decode, encode
from secure_clove.foundation.ids import ClientId
from secure_clove.foundation.seeds import SimulatedEntropy
from secure_clove.secagg import messages
from secure_clove.secagg.messages import Advert
from secure_clove.secagg.session import Carriage, Session
from tests.secagg.party import STEPS, Party, identity
from tests.vectors.inputs import flipped, refusal, session, some
from tests.vectors.library import KINDS, Recorded, raw

Json = Any

ASKED = {"directory": "shares", "inbox": "masked", "survivors": "consistency"}
ASKED["signatures"] = "unmask"
"""The step that a client takes after it was shown a resource."""

NAMES = ["c10", "c11", "c8", "c9"]
SILENT = {"masked": ["c11"]}


class _Listened(SimulatedEntropy):
    """Remembers what was drawn."""

    def __init__(self, *labels: str | int) -> None:
        super().__init__(0, *labels)
        self.draws: list[str] = []

    def draw(self, count: int) -> bytes:
        drawn = super().draw(count)
        self.draws.append(drawn.hex())
        return drawn


def _session(given: Json) -> Session:
    changes = {"cohort": tuple(given["cohort"]), "asks": tuple(given["asks"])}
    nonce, carriage = raw(given["nonce"]), Carriage(given["carriage"])
    return Session(**{**given, **changes, "nonce": nonce, "carriage": carriage})


def party(given: Json) -> Party:
    """Return the session of a vector before its first message."""
    found = Party(_session(given["session"]))
    for name, draws in given["draws"].items():
        found.entropy[ClientId(name)] = Recorded(draws)  # type: ignore[assignment]
        found.vectors[ClientId(name)] = np.array(given["inputs"][name], dtype=np.uint64)
    return found


def run(given: Json) -> Json:
    """Return all that is said and shown in a session, and its sum."""
    return _run(party(given), given["silent"])


def _run(found: Party, silent: Mapping[str, list[str]]) -> Json:
    inboxes = {}
    for step in STEPS:
        if step == "masked":
            inboxes = {c: encode(found.server.inbox(c, found.bodies)) for c in found.server.u2}
        found.step(step, without=[ClientId(name) for name in silent.get(step, ())])
    server, bodies = found.server, found.bodies
    shown = {
        "directory": server.directory(bodies),
        "survivors": server.survivors(),
        "signatures": server.signatures(bodies),
    }
    said: dict[str, dict[str, str]] = {step: {} for step in STEPS}
    for step, client in sorted(found.stored):
        said[step][client] = found.stored[step, client].hex()
    adverts = list(said["advert"].values())
    sets = KINDS["sets"]({"adverts": adverts, "u2": server.u2, "u3": server.u3})
    threshold = sets.pop("threshold")
    return {
        "threshold": threshold,
        "hashes": {"sid": found.session.sid.hex(), **sets},
        "messages": said,
        "inboxes": {client: body.hex() for client, body in inboxes.items()},
        "resources": {name: encode(body).hex() for name, body in shown.items()},
        "total": [int(word) for word in server.total(bodies)],
    }


def _given(bits: int) -> Json:
    """Return the inputs of one run, its draws as the simulated entropy makes them."""
    asked = session(ring_bits=bits, length=9, cohort=NAMES)
    top = 2**bits - 1
    inputs = {
        name: [top, 0, 1, top - i, 2 ** (bits - 1), 7 * i, 10**6 + i, 2**31, i]
        for i, name in enumerate(NAMES)
    }
    found = Party(_session(asked))
    heard = {ClientId(name): _Listened("vector", bits, name) for name in NAMES}
    found.entropy.update(heard)
    found.vectors = {c: np.array(inputs[c], dtype=np.uint64) for c in heard}
    _run(found, SILENT)
    secrets = {n: SimulatedEntropy(1, "identity", n).draw(32).hex() for n in NAMES}
    draws = {name: entropy.draws for name, entropy in heard.items()}
    given = {"session": asked, "identities": secrets, "draws": draws}
    return given | {"inputs": inputs, "silent": SILENT}


def at(given: Json, step: str) -> Party:
    """Return the session of a vector when ``step`` is about to begin."""
    found = party(given)
    for earlier in STEPS[: STEPS.index(step)]:
        silent = given["silent"].get(earlier, ())
        found.step(earlier, without=[ClientId(name) for name in silent])
    return found


def fetched(given: Json, about: Json) -> None:
    """Show one client a body instead of the true resource."""
    me, resource = ClientId(given["client"]), given["resource"]
    found = at(about, ASKED[resource])
    client, kind = found.clients[me], getattr(messages, resource.capitalize())
    body = decode(raw(given["body"]), kind)
    match resource:
        case "directory":
            client.share(body, found.entropy[me])
        case "inbox":
            client.receive_shares(body)
        case "survivors":
            client.agree(body)
        case _:
            client.unmask(body)


def received(given: Json, about: Json) -> None:
    """Send the coordinator a body instead of the true message."""
    found = at(about, given["step"])
    sender, body = ClientId(given["sender"]), raw(given["body"])
    found.server.receive(given["step"], sender, body, found.now, found.bodies)


def totalled(given: Json, about: Json) -> None:
    """Total a session in which one answer is a body instead of the true one."""
    found = at(about, "unmask")
    found.step("unmask")
    found.stored["unmask", ClientId(given["sender"])] = raw(given["body"])
    found.server.total(found.bodies)


def session_file() -> Json:
    """Return the file of whole sessions."""
    givens = [_given(32), _given(64)]
    answered = [{"in": given, "out": run(given)} for given in givens]
    false = _Falsehoods(answered[0]["out"])
    return {
        "about": "Four clients, one silent after R1: all messages, all hashes, the sum; and lies "
        "about the first of these sessions, told to a client or to the coordinator.",
        "taken": {"run": answered},
        "refused": {
            "fetched": false.fetched(),
            "received": false.received(),
            "totalled": false.totalled(),
            "message": false.messages(),
        },
    }


class _Falsehoods:
    """Lies about one session."""

    def __init__(self, truth: Json) -> None:
        self.truth = truth
        self.directory = _read(raw(truth["resources"]["directory"]))
        self.survivors = _read(raw(truth["resources"]["survivors"]))
        self.signatures = _read(raw(truth["resources"]["signatures"]))
        self.inbox = _read(raw(truth["inboxes"]["c8"]))

    def _advert(self, name: str, **changes: bytes) -> dict[str, Any]:
        mine = next(dict(a) for a in self.directory["adverts"] if a["sender"] == name)
        return mine | changes

    def _signed(self, name: str, **changes: bytes) -> dict[str, Any]:
        a = self._advert(name, **changes)
        keys = (a["share_key"], a["mask_key"], a["commitment"])
        sid = raw(self.truth["hashes"]["sid"])
        signature = identity(ClientId(name)).sign(sid, "R0", name, *keys)
        return a | {"signature": signature}

    def _with(self, *adverts: dict[str, Any]) -> str:
        false = {advert["sender"]: advert for advert in adverts}
        known = [a["sender"] for a in self.directory["adverts"]]
        names = sorted({*known, *false})
        chosen = [Advert(**false.get(n) or self._advert(n)) for n in names]
        return encode(messages.Directory(adverts=tuple(chosen))).hex()

    def _without(self, *names: str) -> str:
        kept = [Advert(**a) for a in self.directory["adverts"] if a["sender"] not in names]
        return encode(messages.Directory(adverts=tuple(kept))).hex()

    def fetched(self) -> list[Json]:
        found = [*self._directories(), *self._inboxes(), *self._survivors(), *self._signatures()]
        return [
            refusal(name, {"client": "c8", "resource": resource, "body": body}, error)
            for resource, name, body, error in found
        ]

    def _directories(self) -> list[tuple[str, str, str, str]]:
        usurped = raw(KINDS["public_key"]({"secret": some("usurper")})["public"])
        copied = self._advert("c9")["share_key"]
        false, other = "BadSignatureError", "RemoteProtocolError"
        return [
            ("directory", "a key swapped", self._with(self._advert("c9", mask_key=usurped)), false),
            ("directory", "a client invented", self._with(
                self._signed("c9") | {"sender": "c99"}), "UnknownClientError"),
            ("directory", "without me", self._without("c8"), other),
            ("directory", "my own keys altered", self._with(
                self._signed("c8", commitment=bytes(32))), other),
            ("directory", "two keys equal", self._with(
                self._signed("c10", mask_key=copied)), other),
            ("directory", "a key of low order", self._with(
                self._signed("c9", share_key=bytes(32))), "MalformedError"),
            ("directory", "too few", self._without("c9", "c10"), "CohortTooSmallError"),
        ]  # fmt: skip

    def _inboxes(self) -> list[tuple[str, str, str, str]]:
        sealed = self.inbox["sealed"]
        mine = _read(raw(self.truth["messages"]["shares"]["c8"]))["sealed"]
        theirs = _read(raw(self.truth["inboxes"]["c9"]))["sealed"]
        false = "BadSignatureError"
        lies = [
            ("my own envelopes reflected", mine, false),
            ("one for somebody else", sealed | {"c10": theirs["c10"]}, false),
            ("a bit flipped", sealed | {"c9": raw(flipped(sealed["c9"].hex(), 40))}, false),
            ("two senders swapped", sealed | {"c9": sealed["c10"], "c10": sealed["c9"]}, false),
            ("one from myself", sealed | {"c8": sealed["c9"]}, "UnknownClientError"),
            ("too few", {"c9": sealed["c9"]}, "CohortTooSmallError"),
        ]
        return [("inbox", name, encode({"sealed": lie}).hex(), e) for name, lie, e in lies]

    def _survivors(self) -> list[tuple[str, str, str, str]]:
        false, few = "RemoteProtocolError", "CohortTooSmallError"
        lies = [
            ("without me", ["c10", "c11", "c9"], ["c8"], false),
            ("one neither alive nor dropped", ["c10", "c8", "c9"], [], false),
            ("a stranger dropped", ["c10", "c11", "c8", "c9"], ["c7"], false),
            ("a stranger alive", ["c10", "c11", "c7", "c8", "c9"], [], false),
            ("too few", ["c8", "c9"], ["c10", "c11"], few),
            ("alive and dropped", ["c10", "c11", "c8", "c9"], ["c11"], "MalformedError"),
            ("one twice", ["c10", "c8", "c9", "c9"], ["c11"], "MalformedError"),
            ("ordered as numbers", ["c8", "c9", "c10"], ["c11"], "MalformedError"),
        ]
        body = [(name, _survivors(alive, dropped), error) for name, alive, dropped, error in lies]
        lie = {**self.survivors, "threshold": 2}
        body += [("a threshold", _record(lie), "MalformedError")]
        return [("survivors", *lie) for lie in body]

    def _signatures(self) -> list[tuple[str, str, str, str]]:
        signed = self.signatures["signatures"]
        hashes = {name: raw(value) for name, value in self.truth["hashes"].items()}
        h3 = raw(KINDS["sets"]({"adverts": [], "u2": [], "u3": NAMES})["h3"])
        said = (hashes["sid"], "R3", hashes["h1"], hashes["h2"], h3)
        split = identity(ClientId("c9")).sign(*said)
        few = {name: signed[name] for name in ("c10", "c8")}
        once, entry = encode({"signatures": few}), encode("c8") + encode(signed["c8"])
        doubled = once.replace(b"\x82", b"\x83", 1) + entry
        lies = [
            ("another view of U3", encode({"signatures": signed | {"c9": split}}).hex(),
             "BadSignatureError"),
            ("one of a dropped client", encode({"signatures": signed | {"c11": split}}).hex(),
             "UnknownClientError"),
            ("fewer than T", encode({"signatures": few}).hex(), "RemoteProtocolError"),
            ("one counted twice", doubled.hex(), "MalformedError"),
        ]  # fmt: skip
        return [("signatures", *lie) for lie in lies]

    def received(self) -> list[Json]:
        said = self.truth["messages"]
        answer = _read(raw(said["unmask"]["c8"]))
        seeds, keys = answer["seeds"], answer["keys"]
        some_share = seeds["c9"]
        unmask = {
            "a seed of the dropped": ({**seeds, "c11": some_share}, keys),
            "a seed for a key": ({"c10": some_share, "c11": some_share, "c8": some_share}, keys),
            "no key": (seeds, {}),
        }
        shares = _read(raw(said["shares"]["c8"]))["sealed"]
        lies = [
            (step, f"another {step} signature", flipped(said[step]["c8"], -1), "BadSignatureError")
            for step in ("advert", "masked", "consistency")
        ]
        masked = raw(said["masked"]["c8"])
        altered = masked.replace(_read(masked)["values"], bytes(36))
        lies += [
            ("masked", "other values than were signed", altered.hex(), "BadSignatureError"),
            ("advert", "another sender", said["advert"]["c9"], "MalformedError"),
            ("shares", "an envelope missing", _shares({"c9": shares["c9"]}), "MalformedError"),
            ("advert", "a pickle", b"\x80\x04K\x01.".hex(), "MalformedError"),
        ]
        lies += [("unmask", n, _unmask(*both), "MalformedError") for n, both in unmask.items()]
        return [
            refusal(name, {"step": step, "sender": "c8", "body": body}, error)
            for step, name, body, error in lies
        ]

    def totalled(self) -> list[Json]:
        answer = _read(raw(self.truth["messages"]["unmask"]["c8"]))
        lies = []
        for kind in ("seeds", "keys"):
            given = dict(answer[kind])
            given[min(given)] = bytes(32) + b"\1"
            both = {**{k: answer[k] for k in ("seeds", "keys")}, kind: given}
            lies.append((f"a false share of {kind}", _unmask(both["seeds"], both["keys"])))
        return [refusal(n, {"sender": "c8", "body": body}, "AbortedError") for n, body in lies]

    def messages(self) -> list[Json]:
        """Return bytes that are no message, whoever gets them and when."""
        said, shown = self.truth["messages"], self.truth["resources"]
        advert, survivors = self._advert("c8"), raw(shown["survivors"])
        last = dict(reversed(advert.items()))
        bodies = [
            ("Advert", "fields in another order", _record(last)),
            ("Advert", "a field missing", _record({k: advert[k] for k in list(advert)[:-1]})),
            ("Advert", "a field more", _record(advert | {"weight": 2})),
            ("Advert", "a short key", _record(advert | {"share_key": bytes(31)})),
            ("Advert", "cut short", said["advert"]["c8"][:-2]),
            ("Advert", "followed by something", said["advert"]["c8"] + "c0"),
            ("Survivors", "a longer form of a length",
             survivors.replace(b"\x93", b"\xdc\0\x03", 1).hex()),
            ("Unmask", "both shares of a client", _unmask({"c9": bytes(33)}, {"c9": bytes(33)})),
            ("Consistency", "a pickle", b"cos\nsystem\n(S'true'\ntR.".hex()),
        ]  # fmt: skip
        return [
            refusal(name, {"kind": kind, "body": body}, "MalformedError")
            for kind, name, body in bodies
        ]


def _read(body: bytes) -> dict[str, Any]:
    """Return the fields of a message in their order."""
    found: dict[str, Any] = msgspec.msgpack.decode(body)
    return found


def _record(fields: Mapping[str, Any]) -> str:
    """Return a map whose names stay in this order, which `encode` would sort."""
    pairs = b"".join(encode(name) + encode(value) for name, value in fields.items())
    return (bytes([0x80 | len(fields)]) + pairs).hex()


def _survivors(alive: list[str], dropped: list[str]) -> str:
    return _record({"alive": alive, "dropped": dropped})


def _shares(sealed: Mapping[str, bytes]) -> str:
    return _record({"sender": "c8", "sealed": sealed})


def _unmask(seeds: Mapping[str, bytes], keys: Mapping[str, bytes]) -> str:
    return _record({"sender": "c8", "seeds": seeds, "keys": keys})
