"""An open masked session and the messages of its clients, for tests that misuse them."""

from dataclasses import dataclass, replace

import httpx
from sqlalchemy import select

from secure_clove.engine.plan import Config
from secure_clove.foundation.codec import encode
from secure_clove.foundation.ids import ClientId
from secure_clove.sdk.entropy import SystemEntropy
from secure_clove.secagg.client import SumClient
from secure_clove.secagg.session import Session
from secure_clove.stores.sql import BODIES, EVENTS, FEDERATIONS, SESSIONS
from tests.api.server import CLIENTS, PROBLEM, Caller, LiveServer, TestCarrier, identity, started

SECRET = b"a very secret marker of the body"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSession:
    """A session that waits for adverts.

    Attributes:
        server: Where it is.
        config: Of its federation.
        session: The session object.
        callers: Its clients.
    """

    server: LiveServer
    config: Config
    session: Session
    callers: dict[ClientId, Caller]

    @property
    def sid(self) -> str:
        return self.session.sid.hex()

    def path(self, client: str, step: str = "advert") -> str:
        return f"/v1/sessions/{self.sid}/{step}/{client}"

    def advert(self, client: ClientId) -> bytes:
        """A fresh valid advert: two of them differ."""
        keys = {c: identity(c).public for c in self.session.cohort}
        _, advert = SumClient.open(
            self.session, me=client, identity=identity(client), roster=keys, entropy=SystemEntropy()
        )
        return encode(advert)

    def put(self, client: ClientId, body: bytes, step: str = "advert") -> httpx.Response:
        return self.callers[client].send("PUT", self.path(client, step), body)

    def all_advertise(self) -> None:
        for client in CLIENTS:
            assert self.put(client, self.advert(client)).status_code == 204

    def on(self, server: LiveServer) -> "OpenSession":
        """The same session on a server that has been restarted."""
        callers = {client: Caller(server, client) for client in self.callers}
        return replace(self, server=server, callers=callers)


def open_session(server: LiveServer) -> OpenSession:
    """Start a federation and let all its clients show up, which opens its first session."""
    config = started(server)
    callers = {client: Caller(server, client) for client in CLIENTS}
    for client in CLIENTS:
        current = TestCarrier(callers[client], config.federation).current()
    assert current is not None
    assert current.invitation is not None
    return OpenSession(
        server=server, config=config, session=current.invitation.session, callers=callers
    )


def everything(server: LiveServer) -> list[list[tuple[object, ...]]]:
    """All that the coordinator has stored, but for nonces: refusals must not change it."""
    with server.service.store.transaction() as tx:
        return [
            [tuple(row) for row in tx.connection.execute(select(table))]
            for table in (FEDERATIONS, SESSIONS, BODIES, EVENTS)
        ]


def refused(answer: httpx.Response, status: int, code: str) -> None:
    """Check that an answer is the problem document with this status and code, and no echo."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == PROBLEM
    problem = answer.json()
    assert set(problem) == {"type", "title", "status", "code", "detail"}
    assert (problem["status"], problem["code"]) == (status, code)
    assert SECRET.decode() not in answer.text
