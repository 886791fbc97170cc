"""The way to a coordinator over HTTP: signed requests, bounded answers, patient retries."""

import ssl
import time
from collections.abc import Callable
from functools import cache
from random import SystemRandom  # noqa: TID251  jitter between retries, nothing secret
from threading import Lock

import httpcore  # noqa: F401  httpx would import it late, and in many threads at once
import httpx
import msgspec

from secure_clove import errors
from secure_clove.engine.messages import Charter, Current
from secure_clove.errors import CloveError, MalformedError, TooLargeError, TransportError
from secure_clove.foundation.codec import decode
from secure_clove.foundation.ids import ClientId, Digest, FederationId
from secure_clove.foundation.seeds import Entropy
from secure_clove.secagg.keys import Identity
from secure_clove.transport.signing import ENROLMENT_TAG, sign

BINARY = "application/octet-stream"
MOST_BYTES = 512 * 2**20
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0
PASSING = frozenset({429, 502, 503, 504})


class Wire:
    """A signed HTTP connection to one coordinator.

    Args:
        url: Of the coordinator, such as ``https://clove.example.org``.
        identity: Signs every request.
        keyid: Name under which the coordinator knows the identity.
        entropy: Source of nonces.
        patience_s: Seconds to go on trying while the coordinator cannot be reached.
        client: Proxies, private CAs and mutual TLS are settings of the httpx client.
    """

    def __init__(
        self,
        url: str,
        identity: Identity,
        keyid: str,
        *,
        entropy: Entropy,
        patience_s: float = 60.0,
        client: httpx.Client | None = None,
    ) -> None:
        self._identity, self._keyid, self._entropy = identity, keyid, entropy
        self._patience_s = patience_s
        self._http = httpx.Client(verify=_trusted()) if client is None else client
        self._is_ours = client is None
        self._url = url.rstrip("/")
        self.bytes_up = 0
        self.bytes_down = 0

    def close(self) -> None:
        """Let go of the connection; a client that was given stays open."""
        if self._is_ours:
            self._http.close()

    def request(
        self, method: str, path: str, *, body: bytes = b"", query: str = "", kind: str = BINARY
    ) -> bytes | None:
        """Send one request, again and again while the coordinator is away; None for 204.

        Every try is signed afresh. A message sent twice is the same message to the coordinator.

        Raises:
            CloveError: the coordinator's refusal, as the library error with its code.
            TransportError: it could not be reached for ``patience_s`` seconds.
        """
        give_up = time.monotonic() + self._patience_s
        pause = FIRST_PAUSE_S
        while True:
            try:
                status, answer = self._send(method, path, body, query, kind)
            except httpx.TransportError as error:
                status, answer, cause = 0, b"", type(error).__name__
            else:
                cause = f"status {status}"
            if status and status not in PASSING:
                return _judge(status, answer)
            if time.monotonic() + pause > give_up:
                raise TransportError(
                    f"no answer from {self._url} for {self._patience_s:g} s ({cause}); "
                    "check the address, the network and whether the coordinator runs"
                )
            time.sleep(pause * SystemRandom().uniform(0.5, 1.0))
            pause = min(2 * pause, LONGEST_PAUSE_S)

    def _send(
        self, method: str, path: str, body: bytes, query: str, kind: str
    ) -> tuple[int, bytes]:
        headers = sign(
            self._identity,
            keyid=self._keyid,
            method=method,
            path=path,
            query=query,
            body=body,
            created=int(time.time()),
            nonce=self._entropy.draw(16).hex(),
        )
        headers |= {"Accept": kind, "Content-Type": kind}
        target = f"{self._url}{path}" + (f"?{query}" if query else "")
        timeout = httpx.Timeout(60.0, connect=5.0)
        with self._http.stream(
            method, target, content=body, headers=headers, timeout=timeout
        ) as response:
            answer = _bounded(response)
        self.bytes_up += len(body)
        self.bytes_down += len(answer)
        return response.status_code, answer


class HttpCarrier:
    """See `secure_clove.engine.ports.Carrier`; long-polls, so a caller need not pause.

    Args:
        wire: Connection under the client's name.
        federation: Which federation.
        me: The client's name.
        wait_s: Seconds a poll may wait at the coordinator.
    """

    def __init__(
        self, wire: Wire, federation: FederationId, me: ClientId, *, wait_s: int = 20
    ) -> None:
        self._wire, self._federation, self._me = wire, federation, me
        self._query = f"wait={wait_s}"

    def charter(self) -> Charter:
        """Fetch the signed configuration and roster."""
        return decode(self._get(f"/v1/federations/{self._federation}"), Charter)

    def current(self) -> Current | None:
        """Fetch what there is to do, waiting for it."""
        path = f"/v1/federations/{self._federation}/sessions/current"
        answer = self._wire.request("GET", path, query=self._query)
        return None if answer is None else decode(answer, Current)

    def artefact(self, content: Digest) -> bytes:
        """Fetch bytes by their hash."""
        return self._get(f"/v1/models/{content}")

    def put(self, sid: str, step: str, body: bytes) -> None:
        """Send one protocol message."""
        self._wire.request("PUT", f"/v1/sessions/{sid}/{step}/{self._me}", body=body)

    def fetch(self, sid: str, resource: str) -> bytes | None:
        """Fetch what the next step needs, waiting for it."""
        return self._wire.request("GET", f"/v1/sessions/{sid}/{resource}", query=self._query)

    def _get(self, path: str) -> bytes:
        answer = self._wire.request("GET", path)
        if answer is None:
            raise MalformedError("the coordinator answered without content")
        return answer


def enrol(wire: Wire, federation: FederationId, identity: Identity, token: str) -> ClientId:
    """Enrol an identity key with a one-time token; return the name that the token stands for.

    The signature over federation and token proves possession of the key.

    Raises:
        CloveError: the token is unknown, or was used with another key.
    """
    proof = identity.sign(ENROLMENT_TAG, federation, token).hex()
    claim = {"token": token, "public_key": identity.public.hex(), "proof": proof}
    path = f"/v1/federations/{federation}/enrolments"
    answer = wire.request("POST", path, body=msgspec.json.encode(claim), kind="application/json")
    try:
        found = msgspec.json.decode(answer or b"", type=dict[str, str])
        return ClientId(found["client"])
    except (msgspec.DecodeError, KeyError) as error:
        raise MalformedError("the coordinator's answer to the enrolment is malformed") from error


_LOADING = Lock()


def _trusted() -> ssl.SSLContext:
    """Return the process's TLS context, loaded once.

    Loading certificates in many threads at once crashes OpenSSL 3.0 (openssl issues 23172, 24480),
    and costs every client what one has paid.
    """
    with _LOADING:
        return _load_trusted()


@cache
def _load_trusted() -> ssl.SSLContext:
    return httpx.create_ssl_context()


def _bounded(response: httpx.Response) -> bytes:
    pieces, size = [], 0
    for piece in response.iter_bytes():
        size += len(piece)
        if size > MOST_BYTES:
            raise TooLargeError(f"the answer has more than {MOST_BYTES} bytes")
        pieces.append(piece)
    return b"".join(pieces)


def _judge(status: int, answer: bytes) -> bytes | None:
    if status == 204:
        return None
    if status < 300:
        return answer
    raise _refusal(status, answer)


def _refusal(status: int, answer: bytes) -> CloveError:
    """Return the library error that a problem document stands for."""
    try:
        problem = msgspec.json.decode(answer, type=dict[str, object])
    except msgspec.DecodeError:
        problem = {}
    code, said = str(problem.get("code", "")), str(problem.get("detail", ""))[:300]
    detail = "".join(letter for letter in said if letter.isprintable())
    make: Callable[[str], CloveError] = _BY_CODE.get(code, TransportError)
    return make(detail or f"the coordinator answered with status {status}")


_BY_CODE: dict[str, type[CloveError]] = {
    kind.code: kind
    for kind in vars(errors).values()
    if isinstance(kind, type)
    and issubclass(kind, errors.RemoteProtocolError)
    and "code" in vars(kind)
}
