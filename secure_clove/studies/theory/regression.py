"""A client of mixed linear regression in numpy, and CLoVE played among such clients.

Gradient steps on a squared error over batches in a fixed order are an affine map of the model, so
a local training of any length is one product with a (d, d) matrix. That makes the study fast enough
to have seeds; the exchanges are those of a federation.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from secure_clove.algorithms.base import Algorithm, C, Exchange, Learner, Models, Replies, Reveal, S
from secure_clove.clustering.embedding import Embedding, embed
from secure_clove.errors import ConfigError
from secure_clove.foundation.ids import ClientId
from secure_clove.foundation.trees import Tree, Vector, flatten, unflatten


class RegressionLearner:
    """The `Learner` of one client with squared errors, in double precision and without noise."""

    def __init__(
        self,
        x: Vector,
        y: Vector,
        *,
        rate: float,
        epochs: int = 1,
        batch: int | None = None,
    ) -> None:
        """Keep the examples and work out what a local training does to any model.

        Args:
            x: Features, shape (n, d).
            y: Targets, shape (n, 1).
            rate: Of plain gradient descent on the mean squared error of a batch, above 0.
            epochs: Passes over the examples in a local training.
            batch: Examples in a step, in the order in which they lie; None takes all of them.

        Raises:
            ConfigError: a rate, a count or a batch that cannot train, or shapes that do not fit.
        """
        if x.ndim != 2 or len(x) == 0 or y.shape != (len(x), 1):
            raise ConfigError(f"x of shape (n, d) and y (n, 1) expected: {x.shape}, {y.shape}")
        size = len(x) if batch is None else batch
        if not (0 < rate < np.inf and epochs >= 1 and size >= 1):
            raise ConfigError("rate > 0, and epochs and batch from 1 are needed")
        self._x, self._y = x, y
        self._slope, self._shift = _training(x, y, rate=rate, epochs=epochs, size=size)

    @property
    def examples(self) -> int:
        """Count of training examples."""
        return len(self._x)

    @property
    def held_out(self) -> int:
        """None: the theory speaks of models, not of predictions."""
        return 0

    def embedding(self, models: Models) -> Vector:
        """Return the mean squared error ``(K,)`` of K models.

        Source: CLoVE, section 4, the empirical loss.
        """
        table = np.stack(list(models))
        return embed((self._x @ table.T - self._y) ** 2, Embedding.RAW).mean

    def train(self, model: Vector) -> Vector:
        """Return the model ``(d,)`` after local training."""
        trained: Vector = self._slope @ model + self._shift
        return trained

    def update(self, model: Vector) -> Vector:
        """Return what training moves the model ``(d,)`` by, times the examples."""
        return (self.train(model) - model) * self.examples

    def correct(self, model: Vector) -> int:
        """Return 0: nothing is held out."""
        return 0


def play_round(
    algorithm: Algorithm[S, C],
    state: S,
    owns: Mapping[ClientId, C],
    learners: Mapping[ClientId, Learner],
    *,
    round_: int,
) -> tuple[S, Mapping[ClientId, C]]:
    """Return the coordinator's and the clients' states after a round of everybody.

    The exchanges of a federation, without keys, masks, plans or grids: what theory speaks of.

    Args:
        algorithm: What is played.
        state: The coordinator's, before.
        owns: The clients', before.
        learners: Each client's data.
        round_: Counted from 1.
    """
    kept = dict(owns)
    state = algorithm.begin(state, round_, tuple(sorted(learners)))
    while (exchange := algorithm.next(state)) is not None:
        each: dict[ClientId, Tree] = {}
        for client in exchange.cohort(state):
            ask = exchange.ask(state, client)
            kept[client], each[client] = exchange.work(kept[client], ask, learners[client])
        state = exchange.fold(state, _carried(exchange, state, each))
    return state, kept


def _carried(exchange: Exchange[S, C], state: S, each: Mapping[ClientId, Tree]) -> Replies:
    if exchange.reveal is Reveal.EACH:
        return Replies(each=each)
    groups: dict[int, list[Vector]] = defaultdict(list)
    for client, tree in each.items():
        groups[exchange.group(state, client)].append(flatten(tree, exchange.layout))
    return Replies(
        sums={g: unflatten(np.sum(v, axis=0), exchange.layout) for g, v in groups.items()},
        counts={g: len(v) for g, v in groups.items()},
    )


def _training(
    x: Vector, y: Vector, *, rate: float, epochs: int, size: int
) -> tuple[Vector, Vector]:
    """Return A (d, d) and b (d,) such that a model m becomes A m + b."""
    slope, shift = np.eye(x.shape[1]), np.zeros(x.shape[1])
    for start in range(0, len(x), size):
        part, target = x[start : start + size], y[start : start + size, 0]
        step = np.eye(x.shape[1]) - 2 * rate / len(part) * part.T @ part
        slope, shift = step @ slope, step @ shift + 2 * rate / len(part) * part.T @ target
    return _repeated(slope, shift, epochs)


def _repeated(slope: Vector, shift: Vector, times: int) -> tuple[Vector, Vector]:
    powers: Sequence[Vector] = [np.linalg.matrix_power(slope, k) for k in range(times + 1)]
    return powers[-1], np.sum(powers[:-1], axis=0) @ shift
