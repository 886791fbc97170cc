"""How far each release of a round stands out of its noise, as the coordinator can tell.

It is computed from what was released and from the public plan alone, so it is post-processing and
costs no privacy. A release has the power P, its sum of squares; the plan lets expect the power N of
the noise in it. The two are independent, so P - N estimates the power of the signal, and

    signal to noise = sqrt(max(0, P - N) / N),

the norm of the signal over the norm of the noise. Batches that are sampled count as signal: their
randomness is not what the plan adds.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from math import sqrt
from typing import Any

import numpy as np

from secure_clove.algorithms.base import Content, Exchange, Replies
from secure_clove.clustering.embedding import project
from secure_clove.clustering.sketch import read_moments
from secure_clove.engine.plan import EMBEDDING_STEP, Config
from secure_clove.engine.terms import PrivacyPlan, TrainingPlan
from secure_clove.foundation.trees import Tree, Vector
from secure_clove.privacy.clipping import gradient_grid
from secure_clove.privacy.mechanisms import part_of_noise


@dataclass(frozen=True, slots=True, kw_only=True)
class Power:
    """Squares of one kind of release, added up.

    Attributes:
        released: Of the released numbers.
        noise: Of the noise in them, as expected; None where its law is not known.
    """

    released: float = 0.0
    noise: float | None = 0.0

    def __add__(self, other: "Power") -> "Power":
        """Return both together."""
        is_known = self.noise is not None and other.noise is not None
        noise = (self.noise or 0.0) + (other.noise or 0.0) if is_known else None
        return Power(released=self.released + other.released, noise=noise)

    @property
    def ratio(self) -> float | None:
        """Norm of the signal over that of the noise; None without a noise of known law."""
        if not self.noise:
            return None
        return sqrt(max(0.0, self.released - self.noise) / self.noise)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """What the exchanges of a round have released so far, in squares.

    Attributes:
        embeddings: Clients whose embeddings were released, alone or in a sum.
        squares: Sum of their embeddings' squared norms, in the sum-zero plane.
        trained: Clients in the sums that tell counts of examples.
        spread: Noise power that an embedding of each of them would have, added up.
        update: Of the summed updates.
        metrics: Of the summed held-out hits.
    """

    embeddings: int = 0
    squares: float = 0.0
    trained: int = 0
    spread: float = 0.0
    update: Power = Power()
    metrics: Power = Power()

    @property
    def embedding(self) -> Power:
        """Of one client's embedding, on average; without noise where no examples were counted."""
        if not self.embeddings or not self.trained:
            return Power()
        return Power(released=self.squares / self.embeddings, noise=self.spread / self.trained)


def heard(
    signals: Signals,
    config: Config,
    exchange: Exchange[Any, Any],
    replies: Replies,
    *,
    honest: Mapping[int, int | None],
) -> Signals:
    """Return ``signals`` with what an exchange released.

    Args:
        signals: Of the exchanges before it in the round.
        config: The federation's; without a privacy plan nothing is measured.
        exchange: What was held.
        replies: What the coordinator got.
        honest: For each sum the fewest honest clients that shared noise was made for; None where
            they are not known.
    """
    plan = config.privacy
    if plan is None:
        return signals
    vectors = [*_embeddings(exchange, replies)]
    found = replace(
        signals,
        embeddings=signals.embeddings + sum(count for count, _ in vectors),
        squares=signals.squares + sum(squares for _, squares in vectors),
    )
    if config.hides_clients:
        return replace(found, update=sum(_hidden(exchange, replies, honest), start=found.update))
    if not _names(exchange, Content.UPDATE):
        return found
    counted = _arrays(exchange, Content.HELD_OUT, replies.sums.values())
    hits = sum(float(array.sum()) for array in counted)
    members = sum(replies.counts[group] for group in replies.sums)
    examples = [*_spread(config, plan, replies)]
    metrics = Power(released=hits**2, noise=members * plan.metrics**2)
    return replace(
        found,
        trained=found.trained + sum(count for count, _ in examples),
        spread=found.spread + sum(power for _, power in examples),
        update=sum(_updates(config, plan, exchange, replies, honest), start=found.update),
        metrics=found.metrics + metrics,
    )


def _hidden(
    exchange: Exchange[Any, Any], replies: Replies, honest: Mapping[int, int | None]
) -> Iterator[Power]:
    """Yield what the sums of updates show, that hide whole clients, and their noise."""
    for part in exchange.parts:
        for group, total in replies.sums.items() if part.shape else ():
            fewest, count = honest[group], total[part.name].size
            share = None if fewest is None else replies.counts[group] / fewest
            noise = None if share is None else share * count * part.client_sigma**2
            yield Power(released=float(np.sum(total[part.name] ** 2)), noise=noise)


def embedding_noise(plan: PrivacyPlan, *, models: int, examples: float) -> float:
    """Return the expected squared norm of one embedding's noise in the sum-zero plane.

    Args:
        plan: Its kind and its multiplier.
        models: Numbers in the embedding.
        examples: Of the client, above 0.
    """
    radius = plan.embedding_kind.radius(models)
    sensitivity = radius / examples + EMBEDDING_STEP * sqrt(models)
    return (models - 1) * (plan.embedding * sensitivity) ** 2


def update_variance(
    plan: PrivacyPlan, training: TrainingPlan, *, parameters: int, honest: int | None
) -> float | None:
    """Return the variance of the noise that one client adds to a coordinate of a summed update.

    An update is sent times the client's examples, by which the noise of a gradient was divided: how
    many they are does not matter. With SGD the noise of step t of T moves the end by the learning
    rate times 1 + β + ... + β^(T - t), β the momentum. Beyond one step this is to first order: how
    a noise bends the gradients of later steps is left out.

    Args:
        plan: Noise and clipping of a step.
        training: Optimizer and steps.
        parameters: Length d of a model.
        honest: Fewest honest clients that shared noise was made for.

    Returns:
        None for Adam, which divides by what it saw, and where shares are not known.
    """
    scale = training.learning_rate / training.rate
    if plan.noise == "distributed":
        grid = gradient_grid(plan.clip * scale, parameters)
        step = None if honest is None else part_of_noise(honest) * grid.step
    else:
        grid = gradient_grid(plan.clip, parameters)
        step = None if training.optimizer == "adam" else scale * grid.step
    if step is None:
        return None
    return (step * plan.update * grid.sensitivity) ** 2 * _moves(training)


def _moves(training: TrainingPlan) -> float:
    """Return the sum of squares of how far a unit gradient of each step moves the end."""
    decay, moved, squares = training.momentum, 0.0, 0.0
    for _ in range(training.steps):
        moved = 1.0 + decay * moved
        squares += moved**2
    return squares


def _embeddings(exchange: Exchange[Any, Any], replies: Replies) -> Iterator[tuple[int, float]]:
    """Yield how many embeddings there are and the sum of their squares, of each that is shown.

    The trace of summed second moments is that sum for a whole cohort.
    """
    for name in _names(exchange, Content.EMBEDDING):
        for reply in replies.each.values():
            yield 1, _squared(project(reply[name]))
    names = _names(exchange, Content.MOMENT)
    for group, total in replies.sums.items() if names else ():
        count = replies.counts[group]
        moments = read_moments(np.concatenate([total[name] for name in names]), count=count)
        yield count, count * (_squared(moments.mean) + float(np.trace(moments.covariance)))


def _spread(config: Config, plan: PrivacyPlan, replies: Replies) -> Iterator[tuple[int, float]]:
    """Yield the clients of each group and the noise power of their embeddings, if all had alike."""
    models = config.build().initial_models
    for group, total in replies.sums.items():
        count, examples = replies.counts[group], float(total["examples"].sum())
        if examples:
            noise = embedding_noise(plan, models=models, examples=examples / count)
            yield count, count * noise


def _updates(
    config: Config,
    plan: PrivacyPlan,
    exchange: Exchange[Any, Any],
    replies: Replies,
    honest: Mapping[int, int | None],
) -> Iterator[Power]:
    """Yield the power of each group's summed update; a client fills one slot of those there are."""
    for group, total in replies.sums.items():
        variance = update_variance(
            plan, config.training, parameters=config.parameters, honest=honest[group]
        )
        numbers = replies.counts[group] * config.parameters
        noise = None if variance is None else numbers * variance
        squares = map(_squared, _arrays(exchange, Content.UPDATE, [total]))
        yield Power(released=sum(squares), noise=noise)


def _names(exchange: Exchange[Any, Any], content: Content) -> list[str]:
    return [part.name for part in exchange.parts if part.content is content]


def _arrays(
    exchange: Exchange[Any, Any], content: Content, sums: Iterable[Tree]
) -> Iterator[Vector]:
    names = _names(exchange, content)
    return (np.ravel(total[name]) for total in sums for name in names)


def _squared(vector: Vector) -> float:
    return float(np.dot(vector, vector))
