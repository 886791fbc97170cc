"""A1: membership inference by a server that sends trap models instead of honest ones.

The adversary chooses the models of all T releases that the run made. Everything is chosen on a
first lot of games, the pattern of the traps and the attacker; what is reported comes from fresh
games.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from secure_clove.clustering.embedding import Embedding, embed
from secure_clove.engine.terms import PrivacyPlan
from secure_clove.foundation.seeds import Entropy
from secure_clove.foundation.trees import Vector
from secure_clove.sdk.entropy import SystemEntropy
from threat_models import statistics as stats
from threat_models import traps
from threat_models.base import Case, Extra, NotApplicable, Outcome, Tick, Verdict
from threat_models.game import ATTACKERS, Game, Mechanism, guarded
from threat_models.statistics import Scores
from threat_models.targets import Target, targets, tripped

LEVEL = 0.999
"""Confidence of every interval and lower bound here, so that correct code is rarely accused."""

TIGHT = 0.02
"""An audit whose AUC ends further below the bound has not tried hard enough."""

SEALED = (
    "Vectors of this run travelled in masked sums; this is what they give away if everybody else "
    "helps the server and every mask is broken."
)

SCREENING, MOST_SCREENING = 4, 4000
"""Part of the trials, one in so many, spent on each pattern for choosing among them; at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a run promises about one example's embeddings.

    Attributes:
        releases: Count T of releases.
        multiplier: Noise multiplier m of each; None: no noise and no promise.
        delta: At which epsilon is stated.
    """

    releases: int
    multiplier: float | None
    delta: float

    @property
    def mu(self) -> float:
        """sqrt(T) / m; infinite without noise."""
        return math.inf if self.multiplier is None else stats.mu_of(self.releases, self.multiplier)

    @property
    def epsilon(self) -> float:
        """The claimed epsilon; infinite without noise."""
        return math.inf if self.multiplier is None else stats.epsilon_of(self.mu, self.delta)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Played:
    """Scores of the fresh games and who made them."""

    pattern: str
    attacker: str
    inside: Scores = field(repr=False)
    outside: Scores = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidate:
    """A pattern with an attacker, and how it did on the screening games.

    Attributes:
        game: With the pattern's models.
        pattern: Its name.
        attacker: Its name.
        weights: (T K,) from replies to a score.
        auc: On the half of the screening games that the attacker was not trained on.
    """

    game: Game = field(repr=False)
    pattern: str
    attacker: str
    weights: Vector = field(repr=False)
    auc: float


def units(trials: int, *, patterns: int = len(traps.PATTERNS)) -> int:
    """Return how many ticks `play` and `contest` give, with so many ``patterns``."""
    return 2 * (trials + patterns * _screening(trials))


def _screening(trials: int) -> int:
    return min(trials // SCREENING, MOST_SCREENING)


def play(
    target: Target, mechanism: Mechanism, trials: int, *, entropy: Entropy, tick: Tick
) -> Played:
    """Choose pattern and attacker on screening games, then play ``trials`` fresh ones a world."""
    games = {pattern: target.game(pattern, mechanism) for pattern in target.models}
    return contest(games, trials, entropy=entropy, tick=tick)


def contest(games: Mapping[str, Game], trials: int, *, entropy: Entropy, tick: Tick) -> Played:
    """Choose among ``games``, by pattern, and attackers; then play ``trials`` fresh ones a world.

    Args:
        games: By the name of their pattern; the one to take where others are no better first.
        trials: In each world, at least 16.
        entropy: Of the noise.
        tick: Told about progress, `units` in all.
    """
    screening = _screening(trials)
    candidates = [
        candidate
        for pattern, game in games.items()
        for candidate in _screened(game, pattern, screening, entropy, tick)
    ]
    chosen = _best(candidates, screening - screening // 2)
    inside, outside = _lots(chosen.game, trials, entropy.fork("fresh"), tick)
    return Played(
        pattern=chosen.pattern,
        attacker=chosen.attacker,
        inside=inside @ chosen.weights,
        outside=outside @ chosen.weights,
    )


def _lots(game: Game, trials: int, entropy: Entropy, tick: Tick) -> tuple[Scores, Scores]:
    inside = game.play(trials, is_inside=True, entropy=entropy, tick=tick)
    return inside, game.play(trials, is_inside=False, entropy=entropy, tick=tick)


def _screened(
    game: Game, pattern: str, trials: int, entropy: Entropy, tick: Tick
) -> Iterator[Candidate]:
    """Yield every attacker on one pattern, trained on half of the games and tried on the rest."""
    half = trials // 2
    inside, outside = _lots(game, trials, entropy.fork("screening", pattern), tick)
    for name, train in ATTACKERS.items():
        weights = train(game, inside[:half], outside[:half])
        found = stats.auc(inside[half:] @ weights, outside[half:] @ weights)
        yield Candidate(game=game, pattern=pattern, attacker=name, weights=weights, auc=found)


def _best(candidates: list[Candidate], games: int) -> Candidate:
    """Return the best candidate; an earlier, simpler one where the difference may be chance."""
    chosen = candidates[0]
    doubt = 2 * math.sqrt(1 / (6 * games))  # twice the standard error of an AUC near 1/2
    for candidate in candidates[1:]:
        if candidate.auc > chosen.auc + doubt:
            chosen = candidate
    return chosen


def judge(played: Played, claim: Claim) -> dict[str, Extra]:
    """Return what the scores say against the claim, as extras of a verdict."""
    mu = stats.mu_lower_bound(played.inside, played.outside, LEVEL)
    count = len(played.inside)
    found: dict[str, Extra] = {
        "epsilon_lower_bound": stats.epsilon_of(mu, claim.delta),
        "epsilon_lower_bound_clopper_pearson": stats.epsilon_lower_bound(
            played.inside, played.outside, delta=claim.delta, level=LEVEL
        ),
        "epsilon_claimed": claim.epsilon if math.isfinite(claim.epsilon) else None,
        "delta": claim.delta,
        "mu_lower_bound": mu,
        "mu_claimed": claim.mu if math.isfinite(claim.mu) else None,
        "releases": claim.releases,
        "noise_multiplier": claim.multiplier,
        "pattern": played.pattern,
        "attacker": played.attacker,
    }
    for name, fpr in (("1_percent", 0.01), ("0_1_percent", 0.001)):
        hits = stats.hits_at(played.inside, played.outside, fpr)
        low, high = stats.share_interval(hits, count, LEVEL)
        found[f"tpr_at_{name}"] = hits / count
        found[f"tpr_at_{name}_low"], found[f"tpr_at_{name}_high"] = low, high
        found[f"tpr_at_{name}_bound"] = (
            stats.tpr_bound(claim.mu, fpr) if claim.multiplier is not None else None
        )
    return found


def is_refuted(claim: Claim, played: Played) -> bool:
    """Return whether the Gaussian lower bound of epsilon passes the claim."""
    mu = stats.mu_lower_bound(played.inside, played.outside, LEVEL)
    return stats.epsilon_of(mu, claim.delta) > claim.epsilon


# ---- on a finished run


@dataclass(frozen=True, slots=True, kw_only=True)
class TrapModels:
    """The attack on a run; see the module.

    Attributes:
        noise: Where the client's noise comes from: the operating system, as in production.
    """

    noise: Entropy = field(default_factory=SystemEntropy, repr=False)
    code: str = "A1"
    title: str = "Membership, with trap models"
    adversary: str = (
        "a server that sends one client models made to expose one example; it knows all examples "
        "of the client and the law of the noise, and asks whether this one is there (the traps "
        "are made from the example, public ones and a class the client does not hold)"
    )

    def work(self, case: Case, trials: int) -> int:
        """Return how many units of work `run` will tell about."""
        return units(trials)

    def run(self, case: Case, trials: int, tick: Tick) -> Outcome:
        """Play the game with the client whose example stands out most among all that took part."""
        releases = case.view.releases
        if not releases:
            return NotApplicable(reason="no client released a loss embedding in this run")
        case.world.check(case.view.config)
        client = max(sorted(releases), key=lambda one: releases[one])
        plan = case.view.config.privacy
        claim = claim_of(plan, releases[client])
        every = targets(case, client, releases[client])
        target = max(every, key=lambda one: one.gap)
        if target.gap <= 0:
            return NotApplicable(reason=f"no example of '{client}' stands out from public ones")
        played = play(target, guarded(plan), trials, entropy=self.noise, tick=tick)
        knowledge: dict[str, Extra] = {
            "client": client,
            "others_tripped": tripped(target),
            "auc_without_defence_or_knowledge_of_others": _auc(bare(every, knows_others=False)),
        }
        found = _verdict(played, claim, bare(every, knows_others=True), knowledge)
        return found if case.view.embeddings else replace(found, note=f"{found.note} {SEALED}")


def claim_of(plan: PrivacyPlan | None, releases: int) -> Claim:
    """Return what a run under ``plan`` promises about ``releases`` embeddings."""
    if plan is None:
        return Claim(releases=releases, multiplier=None, delta=1e-5)
    return Claim(releases=releases, multiplier=plan.embedding, delta=plan.delta)


def bare(every: list[Target], *, knows_others: bool) -> Played:
    """Return the game without privacy, once for every target: nothing in it is random.

    Args:
        every: The targets; those that do not stand out are left out.
        knows_others: Whether the adversary subtracts what the client's other examples contribute.
    """
    games = [target.game("spike", guarded(None)) for target in every if target.gap > 0]
    entropy = SystemEntropy()

    def score(game: Game, *, is_inside: bool) -> float:
        seen = game.play(1, is_inside=is_inside, entropy=entropy, tick=lambda _: None)[0]
        return float((seen - (_others(game) if knows_others else 0.0)) @ game.shift)

    return Played(
        pattern="spike",
        attacker="matched filter",
        inside=np.array([score(game, is_inside=True) for game in games]),
        outside=np.array([score(game, is_inside=False) for game in games]),
    )


def _others(game: Game) -> Vector:
    """Return the raw losses of everything but the target, (T K)."""
    return np.concatenate(
        [embed(game.outside.losses(each), Embedding.RAW).mean for each in game.models]
    )


def _auc(played: Played) -> float:
    return stats.auc(played.inside, played.outside)


def _verdict(played: Played, claim: Claim, raw: Played, knowledge: dict[str, Extra]) -> Verdict:
    found = judge(played, claim)
    reached = _auc(played)
    bound = stats.auc_bound(claim.mu) if claim.multiplier is not None else None
    passed = not is_refuted(claim, played)
    tight = bound is not None and bound - reached <= TIGHT
    extras = {"is_tight": tight, "targets_without": len(raw.inside), **knowledge, **found}
    return Verdict(
        metric="AUC",
        with_defence=reached,
        without_defence=_auc(raw),
        bound=bound,
        interval_with=stats.auc_interval(played.inside, played.outside, LEVEL),
        interval_without=stats.auc_interval(raw.inside, raw.outside, LEVEL),
        level=LEVEL,
        trials=len(played.inside),
        passed=passed,
        verdict=_words(claim, passed=passed, tight=tight),
        note=_note(claim, found),
        extras=extras,
    )


def _words(claim: Claim, *, passed: bool, tight: bool) -> str:
    if claim.multiplier is None:
        return "no promise: the run had no privacy"
    if not passed:
        return "LEAK: the claim is refuted"
    return "holds, and the audit is tight" if tight else "holds, but the audit is loose"


def _note(claim: Claim, found: dict[str, Extra]) -> str:
    head = f"A server that sends trap models in all {claim.releases} embedding releases"
    if claim.multiplier is None:
        return f"{head}, meets no noise in this run."
    return (
        f"{head}, proves an epsilon of at least {found['epsilon_lower_bound']:.2f} at 99.9 % "
        f"confidence; the run claims {claim.epsilon:.2f} at delta {claim.delta:g}."
    )
