"""A4 where clustering is sealed: links between what two clusterings left of every client."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from secure_clove.foundation.seeds import stream
from threat_models.base import Case, Extra, NotApplicable, Outcome, Verdict
from threat_models.evidence import Clustering, clear_vectors
from threat_models.links import FEWEST, SEALED_LEVEL, Linked, Pair, guessed, linked


def outcome(case: Case, found: tuple[Clustering, ...]) -> Outcome:
    """Return how far links get beyond chance: all clients, or those of the same cluster."""
    two = [(one, other) for one, other in pairwise(found) if len(_both(one, other)) >= FEWEST]
    if not two:
        return NotApplicable(
            reason=f"the run has fewer than two clusterings with {FEWEST} clients in common"
        )
    before, after = two[-1]
    case.world.check(case.view.config)
    here, there = _places(before, after), _places(after, before)
    rounds = (before.round, after.round)
    pair = Pair(rounds=rounds, before=before.unnamed[here], after=after.unnamed[there])
    clear = Pair(
        rounds=rounds,
        before=clear_vectors(case, before)[here],
        after=clear_vectors(case, after)[there],
    )
    labels = None if after.labels is None else after.labels[there]
    return _verdict(guessed(pair, stream(0, "links")), linked(clear), labels)


def _both(one: Clustering, other: Clustering) -> list[str]:
    return sorted(set(one.clients) & set(other.clients))


def _places(own: Clustering, other: Clustering) -> NDArray[np.int64]:
    return np.array(
        [own.clients.index(client) for client in own.clients if client in other.clients]
    )


def _within(labels: NDArray[np.int64]) -> float:
    """Return how often a guess among the clients of the same label is right."""
    return len(np.unique(labels)) / len(labels)


def _verdict(seen: Linked, clear: Linked, labels: NDArray[np.int64] | None) -> Verdict:
    clients = clear.links
    bound = 1 / clients if labels is None else _within(labels)
    low, high = seen.interval
    passed = low <= bound
    extras: dict[str, Extra] = {
        "chance": 1 / clients,
        "chance_by_what_is_told": bound,
        "clients": clients,
        "rounds": f"rounds {seen.rounds[0]} to {seen.rounds[1]}",
        "attacker": seen.best,
        "attacker_without": clear.best,
        **{f"with_defence, {name}": hits / seen.links for name, hits in seen.hits.items()},
    }
    return Verdict(
        metric="top-1 share",
        with_defence=seen.share,
        without_defence=clear.share,
        bound=bound,
        interval_with=(low, high),
        interval_without=clear.interval,
        level=SEALED_LEVEL,
        trials=seen.links,
        passed=passed,
        verdict="holds: at chance" if passed else "LEAK: the claim is refuted",
        note=_note(bound, clear.share, is_hidden=labels is None),
        extras=extras,
    )


def _note(bound: float, clear: float, *, is_hidden: bool) -> str:
    left = (
        "The transcript holds nothing of a single client, so guessing"
        if is_hidden
        else "All that the transcript holds of a client is its cluster; guessing within it"
    )
    return f"{left} gets {bound:.2f}. The vectors without noise would link {clear:.2f}."
