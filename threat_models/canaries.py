"""One release of each mechanism, with a canary among the examples and with the canary zeroed out.

The releases are those of the client's own `Guard` over the real learner. The canary moves each as
far as its sensitivity allows, so that a mechanism which keeps exactly its promise is seen to do so.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache, partial

import numpy as np

from secure_clove.algorithms.base import Use
from secure_clove.clustering.embedding import Embedding, embed
from secure_clove.engine.guard import Guard
from secure_clove.engine.ports import Trainer
from secure_clove.engine.terms import NoiseMode, PrivacyPlan
from secure_clove.foundation.seeds import Entropy, SimulatedEntropy, stream
from secure_clove.foundation.trees import Vector
from secure_clove.learn.learner import TorchLearner
from secure_clove.learn.models import linear
from secure_clove.learn.sgd import TrainingSpec
from secure_clove.learn.tasks import TorchTask
from threat_models import traps
from threat_models.game import Game, Mechanism, Replayed, guarded
from threat_models.world import Recipe

MODELS = 5
"""Models in an embedding."""

CLIP = 100.0
"""Of the embeddings that clip, in nats: far above what other examples lose, so that their part of a
vector is near zero, where a square root is steep."""

CHORUS = "chorus"
"""Loud on every model: what cutting each loss by itself lets through most of."""

FEATURES, OUTPUTS, EXAMPLES = 16, 4, 20
"""Of the client whose gradient or count is released: a model of 68 numbers, which takes more noise
than the exact sampler draws."""

RECIPE = Recipe(
    dataset="digits", partition="label-skew-1", seed=3, clusters=2, clients_per_cluster=4
)

Games = Mapping[str, Game]
"""By the name of the models that are sent."""


def embedded(kind: Embedding, plan: PrivacyPlan) -> Games:
    """Return the games with trap models and loss embeddings of one kind, the loudest first."""
    clip = CLIP if kind.is_clipped else None
    mechanism = guarded(replace(plan, embedding_kind=kind, embedding_clip=clip))
    whole, place, models = _trapped()
    inside, outside = Replayed(whole), Replayed(whole, without=place)
    games = {}
    for name, made in models.items():
        with_it, without = (
            embed(one.losses(made[0]), kind, clip=clip).mean for one in (inside, outside)
        )
        games[name] = Game(
            inside=inside,
            outside=outside,
            models=made,
            mechanism=mechanism,
            shift=with_it - without,
        )
    loudest = sorted(games, key=lambda name: -float(np.linalg.norm(games[name].shift)))
    return {name: games[name] for name in loudest}


def moved(mode: NoiseMode, plan: PrivacyPlan) -> Games:
    """Return the game with one gradient step; the shares of distributed noise are those of one.

    The model is zero and so are all targets but the canary's: no other example has a gradient.
    """
    noised = replace(plan, noise=mode)
    (inside, outside), (clear, nothing) = (
        [_regression(noise, canary) for canary in (1e3, 0.0)] for noise in (plan.update, 0.0)
    )
    model, nobody = np.zeros((FEATURES + 1) * OUTPUTS), SimulatedEntropy(0)
    shift = clear.train(model, nobody) - nothing.train(model, nobody)
    return {"zero model": _game(inside, outside, model, shift * EXAMPLES, _updated(noised))}


def counted(plan: PrivacyPlan) -> Games:
    """Return the game with one count of hits over held-out examples: the model always says 0."""
    inside, outside = (_classifier(label) for label in (0, 1))
    model = np.zeros((FEATURES + 1) * OUTPUTS)
    return {"zero model": _game(inside, outside, model, np.ones(1), _hits(plan))}


def _game(
    inside: Trainer, outside: Trainer, model: Vector, shift: Vector, mechanism: Mechanism
) -> Game:
    return Game(
        inside=inside,
        outside=outside,
        models=model[None, None],
        mechanism=mechanism,
        shift=shift,
    )


def _updated(plan: PrivacyPlan) -> Mechanism:
    def release(trainer: Trainer, models: Vector, entropy: Entropy) -> Vector:
        uses = frozenset({Use.UPDATE})
        return Guard(trainer, uses=uses, plan=plan, entropy=entropy).update(models[0])

    return release


def _hits(plan: PrivacyPlan) -> Mechanism:
    def release(trainer: Trainer, models: Vector, entropy: Entropy) -> Vector:
        guard = Guard(trainer, uses=frozenset({Use.HELD_OUT}), plan=plan, entropy=entropy)
        return np.array([float(guard.correct(models[0]))])

    return release


# ---- the clients


@cache
def _trapped() -> tuple[TorchLearner, int, dict[str, Vector]]:
    """Return a client, its example that stands out most, and trap models (1, K, d) for it."""
    federation = RECIPE.federation()
    own, *others = (federation.clients[client] for client in sorted(federation.clients))
    public = np.concatenate([data.train_x for data in others])
    wheres = [traps.direction(x, public) for x in own.train_x]
    place = max(range(len(wheres)), key=lambda at: wheres[at].gap)
    heights = {name: make(1, MODELS) for name, make in traps.PATTERNS.items()}
    heights[CHORUS] = np.full((1, MODELS), traps.LOUD)
    louder = {
        name: np.where(found > 0, found * (2 * CLIP / traps.LOUD), found)
        for name, found in heights.items()
    }
    make = partial(
        traps.models,
        target=own.train_x[place],
        where=wheres[place],
        trap=traps.trap_class(own, place, federation.classes),
        classes=federation.classes,
    )
    features = own.train_x[0].size
    task = TorchTask(
        model=partial(linear, features, federation.classes),
        train=(own.train_x, own.train_y),
        test=(own.test_x, own.test_y),
    )
    learner = TorchLearner(task, TrainingSpec(learning_rate=1.0))
    return learner, place, {name: make(found) for name, found in louder.items()}


def _regression(noise: float, canary: float) -> TorchLearner:
    x = stream(0, "canary").normal(size=(EXAMPLES, FEATURES))
    y = np.zeros((EXAMPLES, OUTPUTS))
    y[0, 0] = canary
    model = partial(linear, FEATURES, OUTPUTS)
    task = TorchTask(model=model, train=(x, y), test=(x[:0], y[:0]), loss="mse")
    spec = TrainingSpec(learning_rate=1.0, clip=1.0, noise_multiplier=noise)
    return TorchLearner(task, spec)


def _classifier(label: int) -> TorchLearner:
    x = stream(0, "canary").normal(size=(EXAMPLES, FEATURES))
    y = np.arange(EXAMPLES) % OUTPUTS
    y[0] = label
    task = TorchTask(model=partial(linear, FEATURES, OUTPUTS), train=(x, y), test=(x, y))
    return TorchLearner(task, TrainingSpec(learning_rate=1.0))
