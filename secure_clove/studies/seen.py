"""What a run's coordinator has of its last clustering, read from the store that it keeps."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from secure_clove.algorithms.sealed_state import SealedState
from secure_clove.engine.asks import Ask
from secure_clove.engine.plan import Config
from secure_clove.engine.ports import Store
from secure_clove.engine.state import FederationState
from secure_clove.engine.transcript import summed, transcript
from secure_clove.errors import NotFoundError
from secure_clove.foundation.codec import decode
from secure_clove.foundation.ids import ClientId, FederationId
from secure_clove.foundation.trees import Vector
from secure_clove.studies.maps import CentroidMap, EmbeddingMap


def shown_vectors(
    store: Store,
    name: FederationId,
    *,
    assigned: Mapping[str, int],
    truth: Mapping[ClientId, int],
) -> EmbeddingMap | None:
    """Return the vectors that clients sent for the last clustering; None if they sent none.

    Args:
        store: Of the coordinator.
        name: Of the federation.
        assigned: Model index by client; the others are left out.
        truth: True cluster by client.
    """
    sent = [seen.replies for seen in transcript(store, name) if seen.exchange == "losses"]
    clients = sorted(sent[-1].keys() & assigned.keys()) if sent else []
    if not clients:
        return None
    return EmbeddingMap(
        vectors=np.stack([sent[-1][client]["losses"] for client in clients]),
        clients=tuple(clients),
        assigned=tuple(assigned[client] for client in clients),
        truth=tuple(truth[client] for client in clients),
    )


def sealed_clusters(store: Store, name: FederationId) -> CentroidMap | None:
    """Return the clusters of a sealed clustering; None where none was sealed or found.

    A size is the count of clients that named the cluster, or else the sum of those who joined it.

    Raises:
        NotFoundError: no such federation.
    """
    state = _sealed_state(store, name)
    if state is None or not state.found.owners:
        return None
    named = Counter(state.assignment.values())
    sizes = [named[model] for model in state.found.owners]
    return CentroidMap(
        centroids=state.found.centroids,
        sizes=tuple(sizes if named else _joined(store, name, state)),
        models=state.found.owners,
    )


def ended_with(
    store: Store, name: FederationId, models: Mapping[ClientId, Vector]
) -> dict[ClientId, int]:
    """Return the model index of each client, told by its final model: not by the coordinator.

    Args:
        store: Of the coordinator.
        name: Of the federation.
        models: Final model ``(d,)`` of each client; one that is no model of a sealed clustering is
            left out.

    Raises:
        NotFoundError: no such federation.
    """
    state = _sealed_state(store, name)
    table = [] if state is None else [*state.table]
    found = {client: _place(table, model) for client, model in models.items()}
    return {client: place for client, place in found.items() if place is not None}


def _sealed_state(store: Store, name: FederationId) -> SealedState | None:
    with store.transaction() as tx:
        saved = tx.federation(name)
        if saved is None:
            raise NotFoundError("no such federation")
        federation = decode(saved, FederationState)
        config = decode(federation.config.body, Config)
        state = decode(tx.artefact(federation.algorithm), config.build().state)
    return state if isinstance(state, SealedState) else None


def _joined(store: Store, name: FederationId, state: SealedState) -> list[int]:
    """Return how many clients joined each cluster that stands, by the sum in which it was told."""
    sums = [s for s in summed(store, name) if (s.exchange, s.round) == ("join", state.found.round)]
    with store.transaction() as tx:
        asked = [*Ask(tx.artefact(sums[-1].ask), tx.artefact)["centroids"]]
    total = sums[-1].total["place"]
    places = [_place(asked, centroid) for centroid in state.found.centroids]
    return [0 if place is None else max(0, round(float(total[place]))) for place in places]


def _place(rows: Sequence[Vector], row: Vector) -> int | None:
    """Return where ``row`` stands among ``rows``, to the last bit; None if it does not."""
    return next((place for place, other in enumerate(rows) if np.array_equal(other, row)), None)
