"""The operator's side: found a federation, see who enrolled, start it, watch its rounds.

The federation key stays here. The coordinator sees signatures of it, never the key.
"""

import secrets
from collections.abc import Iterable, Mapping
from typing import TypeVar

import httpx
import msgspec

from secure_clove.engine.plan import Config, check_roster
from secure_clove.engine.state import RoundReport
from secure_clove.errors import ConfigError, MalformedError
from secure_clove.foundation.codec import encode
from secure_clove.foundation.ids import ClientId, FederationId
from secure_clove.sdk.entropy import SystemEntropy
from secure_clove.sdk.founding import sign_config, sign_roster
from secure_clove.secagg.keys import Identity
from secure_clove.transport.http import BINARY, Wire
from secure_clove.transport.wire import OPERATOR, Founding, token_hash

T = TypeVar("T")

JSON = "application/json"


class Operator:
    """One operator of one coordinator.

    Args:
        url: Of the coordinator.
        key: The federation key; the coordinator knows its public half.
        patience_s: Seconds to go on trying while the coordinator is away.
        http: An httpx client with proxies, private CAs or certificates.
    """

    def __init__(
        self,
        url: str,
        key: Identity,
        *,
        patience_s: float = 60.0,
        http: httpx.Client | None = None,
    ) -> None:
        self._key = key
        self._wire = Wire(
            url, key, OPERATOR, entropy=SystemEntropy(), patience_s=patience_s, client=http
        )

    def create(
        self, config: Config, initial: bytes, clients: Iterable[str]
    ) -> Mapping[ClientId, str]:
        """Found a federation; return a fresh one-time enrolment token for every client name.

        The tokens are shown here and nowhere else: the coordinator keeps their hashes.

        Raises:
            ConfigError: even if all of them enrol, there are too few clients to start.
        """
        names = set(clients)
        check_roster(config, len(names))
        tokens = {ClientId(client): secrets.token_urlsafe(24) for client in sorted(names)}
        founding = Founding(
            config=sign_config(config, self._key),
            initial=initial,
            tokens={client: token_hash(token) for client, token in tokens.items()},
        )
        self._wire.request("POST", "/v1/federations", body=encode(founding))
        return tokens

    def enrolled(self, name: FederationId) -> Mapping[ClientId, bytes | None]:
        """Return the public key of every client, None for those that have not enrolled."""
        found = self._json(f"/v1/federations/{name}/enrolments", dict[str, str | None])
        return {ClientId(c): bytes.fromhex(key) if key else None for c, key in found.items()}

    def start(self, config: Config) -> int:
        """Sign the roster of all that enrolled and start; return how many clients it names.

        Raises:
            ConfigError: too few have enrolled.
        """
        found = self.enrolled(config.federation)
        clients = {client: key for client, key in found.items() if key is not None}
        if len(clients) < config.min_cohort:
            raise ConfigError(
                f"{len(clients)} clients have enrolled, at least {config.min_cohort} are needed"
            )
        roster = sign_roster(config, clients, self._key)
        path = f"/v1/federations/{config.federation}:start"
        self._wire.request("POST", path, body=encode(roster), kind=BINARY)
        return len(clients)

    def rounds(self, name: FederationId, *, after: int = 0) -> tuple[RoundReport, ...]:
        """Return the finished rounds numbered above ``after``."""
        path = f"/v1/federations/{name}/rounds"
        return tuple(self._json(path, list[RoundReport], query=f"after={after}"))

    def close(self) -> None:
        """Let go of the connection."""
        self._wire.close()

    def _json(self, path: str, kind: type[T], *, query: str = "") -> T:
        answer = self._wire.request("GET", path, query=query, kind=JSON)
        try:
            return msgspec.json.decode(answer or b"", type=kind)
        except msgspec.DecodeError as error:
            raise MalformedError(f"the coordinator's answer from {path} is malformed") from error
