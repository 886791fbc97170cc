"""Found a federation: sign configuration and roster with a key the coordinator never has."""

from collections.abc import Mapping

from secure_clove.engine.messages import CONFIG_TAG, ROSTER_TAG, Roster, Signed
from secure_clove.engine.plan import Config
from secure_clove.foundation.ids import ClientId
from secure_clove.secagg.keys import Identity


def sign_config(config: Config, federation_key: Identity) -> Signed:
    """Return the configuration under the federation's signature."""
    return Signed.seal(config, CONFIG_TAG, federation_key)


def sign_roster(
    config: Config, clients: Mapping[ClientId, bytes], federation_key: Identity
) -> Signed:
    """Return the roster under the federation's signature.

    Args:
        config: Of the federation.
        clients: Ed25519 public key of every client.
        federation_key: Signs; whoever holds it decides who takes part.
    """
    roster = Roster(federation=config.federation, config=config.hash, clients=clients)
    return Signed.seal(roster, ROSTER_TAG, federation_key)
