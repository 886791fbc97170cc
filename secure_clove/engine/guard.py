"""The learner an algorithm is handed: it allows what the exchange declares, once, and noises it.

Source: privacy.md, "The loss embedding" (noise on the public integer grid) and "Metrics and
counts". The ledger charges by the same declaration, so nothing can be used uncharged.
"""

import math

import numpy as np

from secure_clove.algorithms.base import Models, Use
from secure_clove.clustering.embedding import Embedding, embed
from secure_clove.engine.plan import EMBEDDING_STEP, RAW_LOSS_STEP
from secure_clove.engine.ports import Trainer
from secure_clove.engine.terms import PrivacyPlan
from secure_clove.errors import LocalProtocolError
from secure_clove.foundation.seeds import Entropy
from secure_clove.foundation.trees import Vector
from secure_clove.privacy.mechanisms import discrete_gaussian, part_of_noise


class Guard:
    """A `Learner` over a `Trainer` for one exchange of one round."""

    def __init__(
        self,
        trainer: Trainer,
        *,
        uses: frozenset[Use],
        plan: PrivacyPlan | None,
        entropy: Entropy,
        honest: int = 1,
    ) -> None:
        """Stand before ``trainer``.

        Args:
            trainer: The client's data and model.
            uses: What the exchange declares.
            plan: Noise of every release; None adds none.
            entropy: Of the noise.
            honest: Fewest honest clients in the sum of the answers, who share distributed noise.
        """
        self._trainer, self._plan, self._entropy = trainer, plan, entropy
        self._share = part_of_noise(honest)
        self._uses, self._left = uses, set(uses)
        self._hides_clients = plan is not None and plan.unit == "client"

    @property
    def examples(self) -> int:
        """Count of training examples; public under zero-out neighbours."""
        return self._trainer.examples

    @property
    def held_out(self) -> int:
        """Count of held-out examples; public likewise."""
        return self._trainer.held_out

    def embedding(self, models: Models) -> Vector:
        """Return the loss embedding ``(K,)`` on its grid: as the plan says and noised, or raw.

        Of models that come one at a time only the losses are kept (clove.txt, appendix B.1).
        Rounding to the grid moves a coordinate by half a step for either neighbour, so a whole step
        in each coordinate is added to the sensitivity.
        """
        self._take(Use.EMBEDDING)
        rows = self._losses(models)
        if self._plan is None:
            return _steps(embed(rows, Embedding.RAW).mean, RAW_LOSS_STEP) * RAW_LOSS_STEP
        found = embed(rows, self._plan.embedding_kind, clip=self._plan.embedding_clip)
        count = len(found.mean)
        sensitivity = found.sensitivity + EMBEDDING_STEP * math.sqrt(count)
        sigma = self._plan.embedding * sensitivity / EMBEDDING_STEP
        noise = discrete_gaussian(sigma, count, self._entropy.fork("embedding"))
        return (_steps(found.mean, EMBEDDING_STEP) + noise) * EMBEDDING_STEP

    def _losses(self, models: Models) -> Vector:
        """Return the losses ``(n, K)``."""
        if isinstance(models, np.ndarray):
            return self._trainer.losses(models)
        columns = [*map(self._column, models)]  # a loop would still hold a model during the next
        return np.concatenate(columns, axis=1)

    def _column(self, model: Vector) -> Vector:
        return self._trainer.losses(model[None])

    def train(self, model: Vector) -> Vector:
        """Return the model after local training; it stays here, has no noise and costs nothing."""
        self._take(Use.LOCAL)
        return self._trainer.train_locally(model, self._entropy.fork("local"))

    def update(self, model: Vector) -> Vector:
        """Return what training moves the model by, times the examples, private as the plan says.

        Where a whole client is hidden it has no noise yet: that comes when the reply is cut.
        """
        self._take(Use.UPDATE)
        entropy = self._entropy.fork("update")
        if self._hides_clients:
            return (self._trainer.train_locally(model, entropy) - model) * self.examples
        if self._plan is not None and self._plan.noise == "distributed":
            return self._trainer.gradient_step(model, entropy, share=self._share)
        return (self._trainer.train(model, entropy) - model) * self.examples

    def correct(self, model: Vector) -> int:
        """Return the count of held-out hits; one example moves it by at most 1."""
        self._take(Use.HELD_OUT)
        hits = self._trainer.correct(model)
        sigma = self._plan.metrics if self._plan and not self._hides_clients else 0.0
        return hits + int(discrete_gaussian(sigma, 1, self._entropy.fork("metrics"))[0])

    def _take(self, use: Use) -> None:
        if use not in self._left:
            raise LocalProtocolError(f"this exchange has not declared '{use.value}', or used it up")
        self._left.remove(use)


def _steps(vector: Vector, step: float) -> Vector:
    return np.rint(vector / step)
