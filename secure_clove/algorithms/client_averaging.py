"""Federated averaging that hides whole clients: every update is cut, and noised in the sum alone.

A client sends its whole update divided by the round's norm, cut to length 1, and each client counts
alike, so how many examples it has does not show. The norm may follow a quantile of the updates'
lengths: beside its update each client sends whether that is within the norm, in the same masked sum
and under its own noise.

Source: McMahan et al. 2018 (DP-FedAvg); Andrew et al. 2021, algorithm 1 (adaptive clipping), with
the noise shared among the clients (protocol.md, noise ``distributed``).
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from secure_clove.algorithms.base import (
    Content,
    Exchange,
    Learner,
    Part,
    Replies,
    Reveal,
    Use,
)
from secure_clove.algorithms.one_model import OneModel, OneModelOwn, OneModelState
from secure_clove.errors import ConfigError, RemoteProtocolError
from secure_clove.foundation.trees import Tree, Vector

UPDATE, WITHIN, ACCURACY = 0.9, 0.05, 0.05
"""Shares of a round's budget, in terms of 1 / noise^2, that the three parts of a reply get."""

HALF = 0.5
"""A share of [0, 1] is sent less one half, which halves how far one client moves the sum."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClientFedAvgState(OneModelState):
    """One model for everybody; its accuracy is noised.

    Attributes:
        norm: Length at which the next updates are cut.
    """

    norm: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientFedAvg(OneModel[ClientFedAvgState]):
    """One global model, averaged over whole clients that stay hidden.

    Attributes:
        parameters: Length d of a model.
        client_noise: Noise of a round's sum, as a multiple of how far one client moves it; 0 hides
            nobody.
        norm: Length at which the updates of round 1 are cut.
        quantile: Share of the updates that the norm shall not cut, in [0, 1); 0 keeps it as it is.
        norm_rate: How fast it follows, above 0.
        server_momentum: Share of the last move that is made again, in [0, 1).
        server_smoothing: Share of the average of a model's places that stays when a new one enters
            it, in [0, 1); clients take that average home. 0: the last place.
    """

    client_noise: float
    norm: float = 1.0
    quantile: float = 0.0
    norm_rate: float = 0.2
    state = ClientFedAvgState

    def __post_init__(self) -> None:
        """Refuse settings that cannot work.

        Raises:
            ConfigError: which.
        """
        if not 0 <= self.client_noise < math.inf:
            raise ConfigError(f"client_noise is {self.client_noise}; give a finite number from 0")
        if not 0 < self.norm < math.inf or not 0 < self.norm_rate < math.inf:
            raise ConfigError("norm and norm_rate are finite numbers above 0")
        if not 0 <= self.quantile < 1:
            raise ConfigError("quantile lies in [0, 1); 0 keeps the norm as it is")
        OneModel.__post_init__(self)

    @property
    def exchanges(self) -> tuple[Exchange[ClientFedAvgState, OneModelOwn], ...]:
        """``train:SUM``."""
        train: Exchange[ClientFedAvgState, OneModelOwn] = Exchange(
            name="train",
            reveal=Reveal.SUM,
            uses=frozenset({Use.UPDATE, Use.HELD_OUT}),
            parts=self._parts,
            cohort=lambda state: state.cohort,
            group=lambda state, client: 0,
            ask=lambda state, client: {"model": state.model, "norm": np.array(state.norm)},
            work=lambda own, ask, learner: (own, _reply(ask, learner)),
            fold=self._fold,
        )
        return (train,)

    @property
    def _parts(self) -> tuple[Part, ...]:
        return (
            self._part("update", (self.parameters,), norm=1.0, share=UPDATE),
            self._part("within", (), norm=HALF, share=WITHIN),
            self._part("accuracy", (), norm=HALF, share=ACCURACY),
        )

    def _part(self, name: str, shape: tuple[int, ...], *, norm: float, share: float) -> Part:
        sigma = self.client_noise * norm / math.sqrt(share)
        return Part(
            name=name, shape=shape, content=Content.FEATURE, client_norm=norm, client_sigma=sigma
        )

    def _started(self, model: Vector) -> ClientFedAvgState:
        return ClientFedAvgState(model=model, norm=self.norm)

    def _fold(self, state: ClientFedAvgState, replies: Replies) -> ClientFedAvgState:
        if 0 not in replies.sums:
            return replace(state, is_trained=True)
        total, clients = replies.sums[0], replies.counts[0]
        mean = total["update"] / clients
        return replace(
            state.moved(self.motion, state.model + state.norm * mean),
            norm=self._followed(state.norm, _share(total["within"], clients)),
            accuracy=_share(total["accuracy"], clients),
        )

    def _followed(self, norm: float, within: float) -> float:
        """Return the next norm. Source: Andrew et al. 2021, algorithm 1, last line."""
        if not self.quantile:
            return norm
        return norm * math.exp(-self.norm_rate * (within - self.quantile))


def _reply(ask: Tree, learner: Learner) -> dict[str, Vector]:
    norm = float(ask["norm"])
    if not 0 < norm < math.inf:
        raise RemoteProtocolError("the norm that updates are cut to is not a number above 0")
    hits = learner.correct(ask["model"])
    update = learner.update(ask["model"]) / (learner.examples * norm)
    accuracy = hits / learner.held_out - HALF if learner.held_out else 0.0
    within = HALF if float(np.linalg.norm(update)) <= 1 else -HALF
    return {"update": update, "within": np.array(within), "accuracy": np.array(accuracy)}


def _share(total: Vector, clients: int) -> float:
    """Return a mean of shares, kept within [0, 1] since noise may leave it."""
    return min(1.0, max(0.0, float(total) / clients + HALF))
