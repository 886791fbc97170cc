"""Founding federations and enrolling clients: blocking calls, one transaction each."""

import re
from collections.abc import Mapping

from api import database
from api.schemas import Enrolment
from api.service import Service, state_of
from secure_clove.engine.messages import Signed
from secure_clove.engine.plan import Config
from secure_clove.engine.state import Phase
from secure_clove.errors import ConflictError, MalformedError, StageClosedError
from secure_clove.foundation.codec import decode
from secure_clove.foundation.ids import ClientId, FederationId
from secure_clove.secagg.keys import verify
from secure_clove.transport.signing import ENROLMENT_TAG, NAME
from secure_clove.transport.wire import OPERATOR, Founding

FEDERATION_NAME = r"[a-z0-9][a-z0-9-]{0,62}"


def found(service: Service, body: bytes) -> FederationId:
    """Found a federation; the same founding again changes nothing.

    Raises:
        MalformedError: not a `Founding`, or a name that does not fit a path.
        ConflictError: another federation has this name.
        CloveError: as `Coordinator.create`.
    """
    founding = decode(body, Founding)
    _check_names(decode(founding.config.body, Config).federation, founding.tokens)
    name = service.coordinator.create(founding.config, founding.initial)
    with service.store.transaction() as tx:
        database.offer(tx.connection, name, founding.tokens)
    return name


def start(service: Service, name: FederationId, body: bytes) -> None:
    """Start a federation with an encoded signed roster; see `Coordinator.start`."""
    service.coordinator.start(name, decode(body, Signed), service.now_ms())


def enrol(service: Service, name: FederationId, claim: Enrolment) -> ClientId:
    """Enrol an identity key; the same claim again has the same answer.

    Raises:
        NotFoundError: no such federation.
        UnknownClientError: no such token.
        BadSignatureError: no proof that the sender has the secret half of the key.
        ConflictError: the token or the key is taken.
        StageClosedError: the federation has started.
    """
    public = bytes.fromhex(claim.public_key)
    with service.store.transaction() as tx:
        state = state_of(tx, name)
        client = database.owner(tx.connection, name, claim.token)
        verify(public, bytes.fromhex(claim.proof), ENROLMENT_TAG, name, claim.token)
        known = database.enrolled(tx.connection, name)[client]
        if known == public:
            return client
        if known is not None:
            raise ConflictError("this token was used with another identity key")
        if state.phase is not Phase.ENROLLING:
            raise StageClosedError("the federation has started; nobody can enrol any more")
        database.enrol(tx.connection, name, client, public)
    return client


def enrolments(service: Service, name: FederationId) -> dict[ClientId, str | None]:
    """Return the identity key in hex of every client that may enrol, None until it has.

    Raises:
        NotFoundError: no such federation.
    """
    with service.store.transaction() as tx:
        state_of(tx, name)
        keys = database.enrolled(tx.connection, name)
    return {client: key.hex() if key else None for client, key in keys.items()}


def _check_names(federation: FederationId, tokens: Mapping[ClientId, str]) -> None:
    if not re.fullmatch(FEDERATION_NAME, federation):
        raise MalformedError("a federation is named by up to 63 of a-z, 0-9 and '-'")
    if any(not re.fullmatch(NAME, client) or client == OPERATOR for client in tokens):
        raise MalformedError(
            "clients are named by up to 64 of A-Z, a-z, 0-9, '.', '_' and '-'; "
            f"'{OPERATOR}' is reserved"
        )
    if any(not re.fullmatch(r"[0-9a-f]{64}", kept) for kept in tokens.values()):
        raise MalformedError("a token hash has 64 hex digits")
    if len(set(tokens.values())) != len(tokens):
        raise MalformedError("two clients have the same token")
