"""A4: linkability, whether what a client sends gives away which of the last round it was.

The adversary sees what two rounds left it of every client, without names, and pairs it up. Where
vectors travel on their own, the coordinator knows the senders anyway; the measurement says how much
the vectors alone would give away to whoever gets hold of them without names. Where clustering is
sealed there is no vector: at most a client's cluster, and with hidden membership nothing.
"""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from secure_clove.clustering.plane import to_plane
from secure_clove.foundation.seeds import stream
from secure_clove.sdk.simulate import simulate
from threat_models import sealed_links, shadows
from threat_models.base import Case, Extra, NotApplicable, Outcome, Tick, Verdict
from threat_models.evidence import clusterings
from threat_models.links import FEWEST, LEVEL, Linked, Pair, Vectors, learned, linked
from threat_models.views import CoordinatorView, SingleReplies, coordinator_view
from threat_models.world import World

TRAINED = 3
"""Rounds that the run without privacy clusters at least: the models of the first one are untrained
and may see nothing but labels, so only later pairs show what clear vectors give away."""


def pairs(view: CoordinatorView) -> tuple[Pair, ...]:
    """Return the consecutive embedding exchanges of a transcript, as far as clients are in both."""
    seen = view.embeddings
    found = (_pair(one, two) for one, two in pairwise(seen))
    return tuple(pair for pair in found if len(pair) >= FEWEST)


def _pair(one: SingleReplies, two: SingleReplies) -> Pair:
    both = sorted(one.replies.keys() & two.replies.keys())

    def stacked(seen: SingleReplies) -> Vectors:
        vectors = [
            np.concatenate([part.ravel() for part in seen.replies[c].values()]) for c in both
        ]
        return np.array(vectors).reshape(len(both), -1)

    return Pair(rounds=(one.round, two.round), before=stacked(one), after=stacked(two))


def by_shadows(case: Case, pair: Pair) -> Vectors:
    """Return costs (M, M) by a predictor learned from shadow clients, of which links are known.

    They are made of public examples and noised as the run's clients are.
    """
    found = {each.round: each for each in clusterings(case.view)}
    before, after = (found[number] for number in pair.rounds)
    crowd, rng = shadows.draw(case, stream(0, "shadows")), stream(0, "shadows", "noise")
    x, y = (
        crowd.vectors(each.models, sigma=shadows.noise_of(case, each), rng=rng)
        for each in (before, after)
    )
    return learned(x, y, to_plane(pair.before), to_plane(pair.after))


# ---- the measurement


@dataclass(frozen=True, slots=True, kw_only=True)
class Linkability:
    """The attack on a run; see the module."""

    code: str = "A4"
    title: str = "Linking a client to its last round"
    adversary: str = (
        "a server that sees what two rounds left it of every client, vector or cluster, without "
        "names; one attacker has the true links of all other clients, one makes clients of its own"
    )

    def work(self, case: Case, trials: int) -> int:
        """Return how many units of work `run` will tell about."""
        return 1

    def run(self, case: Case, trials: int, tick: Tick) -> Outcome:
        """Link what the run left of its clients, and what it would have left without defence."""
        sealed = tuple(each for each in clusterings(case.view) if each.is_sealed)
        if sealed:
            tick(1)
            return sealed_links.outcome(case, sealed)
        found = pairs(case.view)
        if not found:
            tick(1)
            return NotApplicable(
                reason="the run has fewer than two consecutive rounds of single replies "
                f"with {FEWEST} clients in common"
            )
        case.world.check(case.view.config)
        bare = pairs(without_privacy(case.world, case.view))
        tick(1)
        noised = [linked(pair, _further(case, pair)) for pair in found]
        clear = [linked(pair) for pair in bare]
        if noised[-1].rounds not in {pair.rounds for pair in clear}:
            return NotApplicable(
                reason=f"without privacy {_between(noised[-1])} hold no {FEWEST} clients in common"
            )
        return _verdict(noised, clear, case.world)


def _further(case: Case, pair: Pair) -> dict[str, Vectors]:
    """Return the costs of the attacker with shadow clients; it knows directional vectors alone."""
    return {"shadows": by_shadows(case, pair)} if case.view.config.privacy else {}


def without_privacy(world: World, view: CoordinatorView) -> CoordinatorView:
    """Return the coordinator's view of the same federation without privacy.

    It clusters for as many rounds as the run did, even where clear vectors would settle earlier, so
    that the same pairs of rounds are compared; and for `TRAINED` rounds at least.
    """
    rounds = max(TRAINED, view.embeddings[-1].round)
    options = {**view.config.options, "clustering_rounds": rounds, "stable_rounds": rounds + 1}
    changes = {"privacy": None, "rounds": rounds, "options": options}
    with TemporaryDirectory() as folder:
        simulate(world.settings.model_copy(update=changes), world.tasks, folder=Path(folder))
        return coordinator_view(Path(folder))


def _verdict(with_it: list[Linked], without: list[Linked], world: World) -> Verdict:
    """Judge the run's last pair of rounds, when its models are trained longest."""
    noised = with_it[-1]
    bare = next(pair for pair in without if pair.rounds == noised.rounds)
    chance = 1 / noised.links
    by_cluster = min(1.0, len(set(world.federation.truth.values())) / noised.links)
    low, high = noised.interval
    extras: dict[str, Extra] = {
        "chance": chance,
        "chance_within_cluster": by_cluster,
        "clients": noised.links,
        "clients_without": bare.links,
        "rounds": _between(noised),
        "attacker": noised.best,
        "attacker_without": bare.best,
        **{f"with_defence, {_between(pair)}": pair.share for pair in with_it},
        **{f"without_defence, {_between(pair)}": pair.share for pair in without},
    }
    told = "above" if low > chance else "not distinguishable from"
    return Verdict(
        metric="top-1 share",
        with_defence=noised.share,
        without_defence=bare.share,
        bound=None,
        interval_with=(low, high),
        interval_without=bare.interval,
        level=LEVEL,
        trials=noised.links,
        passed=True,
        verdict=f"no promise: {told} chance ({chance:.2f})",
        note=(
            f"Guessing gets {chance:.2f}, guessing within the right cluster {by_cluster:.2f}. "
            f"Without noise the vectors of {_between(without[-1])} link {without[-1].share:.2f}. "
            "Privacy of single examples promises nothing about whole clients, and in this mode "
            "the coordinator knows the senders anyway; only a sealed clustering takes the vectors "
            "away from it."
        ),
        extras=extras,
    )


def _between(pair: Linked) -> str:
    return f"rounds {pair.rounds[0]} to {pair.rounds[1]}"
