"""What an algorithm is: a list of exchanges, each saying what the coordinator may learn.

An algorithm does no privacy, no I/O and no masking of its own. It declares; the engine decides how
a reply travels and hands out a `Learner` that charges and noises whatever touches data.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Generic, Protocol, TypeVar

from secure_clove.errors import ConfigError
from secure_clove.foundation.ids import ClientId
from secure_clove.foundation.trees import Layout, Slot, Tree, Vector

S = TypeVar("S")
"""Coordinator state of an algorithm: a frozen, codec-encodable dataclass."""

C = TypeVar("C")
"""A client's own state of an algorithm: likewise, and it never leaves the client."""


class Reveal(Enum):
    """What the coordinator may learn from an exchange."""

    SUM = "sum"  # the sum over each group, nothing per client
    EACH = "each"  # every reply: needs local noise and a policy that allows it


class Use(Enum):
    """How an exchange touches a client's data; each use is a release that the ledger charges."""

    EMBEDDING = "embedding"  # losses of several models, as one noised vector
    UPDATE = "update"  # local training whose result is sent
    LOCAL = "local"  # local training whose result never leaves the client: nothing to charge
    HELD_OUT = "metrics"  # correct predictions on held-out examples


class Content(Enum):
    """What the numbers of a reply's part are, hence their range and grid."""

    EMBEDDING = "embedding"  # a loss embedding
    UPDATE = "update"  # a model difference times the number of examples
    COUNT = "count"  # an integer from 0 to the largest data set a client may have
    HELD_OUT = "held-out"  # such an integer counted over held-out examples, hence noised
    FEATURE = "feature"  # a number in [-1, 1] computed from a noised embedding
    MOMENT = "moment"  # a number of a noised embedding, or the product of two


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One named array of a reply.

    Attributes:
        name: Its name in the tree.
        shape: Its shape.
        content: What it holds.
        client_norm: L2 norm to which it is cut where a whole client is protected, hence how far
            one client moves its sum.
        client_sigma: Standard deviation that the honest clients' noise in every sum has to have;
            0: none is added.
    """

    name: str
    shape: tuple[int, ...] = ()
    content: Content
    client_norm: float = 0.0
    client_sigma: float = 0.0


Models = Iterable[Vector]
"""Models ``(d,)`` one after another: an array ``(K, d)``, or what fetches each at its turn."""


class RowByRow(Mapping[str, Vector], ABC):
    """A tree from which the rows of an array can be had one at a time, never holding them all."""

    @abstractmethod
    def rows(self, name: str) -> Iterator[Vector]:
        """Return the rows of the array called ``name``, in order."""


def rows(tree: Tree, name: str) -> Models:
    """Return the rows of an array: the array itself, unless ``tree`` hands them out one by one."""
    return tree.rows(name) if isinstance(tree, RowByRow) else tree[name]


class Learner(Protocol):
    """The only way an algorithm touches data. Models are flat vectors ``(d,)``."""

    @property
    def examples(self) -> int:
        """Count of training examples."""

    @property
    def held_out(self) -> int:
        """Count of held-out examples."""

    def embedding(self, models: Models) -> Vector:
        """Return the ``(K,)`` loss embedding of K models, noised as the plan says.

        Each model is let go of before the next one is taken, unless they come as one array.
        """

    def train(self, model: Vector) -> Vector:
        """Return the model after local training that stays here, ``(d,)``."""

    def update(self, model: Vector) -> Vector:
        """Return what training moves the model by, times the examples, noised as the plan says."""

    def correct(self, model: Vector) -> int:
        """Count the held-out examples that the model gets right, noised as the plan says."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Replies:
    """What the coordinator got from one exchange.

    Attributes:
        each: Reply of every client that answered (`Reveal.EACH`).
        sums: Sum over every group that completed (`Reveal.SUM`).
        counts: Clients in each of these sums.
        coins: Of each of these sums, 32 bytes that nobody chose (protocol.md, R1.6).
    """

    each: Mapping[ClientId, Tree] = field(default_factory=dict)
    sums: Mapping[int, Tree] = field(default_factory=dict)
    counts: Mapping[int, int] = field(default_factory=dict)
    coins: Mapping[int, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange(Generic[S, C]):
    """One question to a cohort and what becomes of the answers.

    Attributes:
        name: Unique within the algorithm.
        reveal: What the coordinator may learn.
        uses: How the clients' data are touched.
        parts: Contents of one client's reply.
        at_most: Most times one client answers it in a federation; None is once a round.
        allowance: Exchanges of one allowance are answered `at_most` times all together; empty:
            each has its own.
        cohort: Who is asked, given the state.
        group: Which sum a client's reply belongs to.
        ask: What a client is sent; coordinator side, pure.
        work: From the client's state, the ask and its data to its next state and its reply.
        toss: From the client's next state and the session's coin to the reply, where that depends
            on the coin; `work` then returns an empty one. It touches no data. Masked sums only:
            the coin falls when the cohort's keys are known.
        hiding_cohort: Fewest clients whose replies the sums tell little of; in a smaller cohort a
            reply counts as shown.
        fold: From the state and the replies to the next state; coordinator side, pure.
        reads_losses: Whether it takes embeddings for losses, from 0 up, which not all of them are.
    """

    name: str
    reveal: Reveal
    uses: frozenset[Use]
    parts: tuple[Part, ...]
    cohort: Callable[[S], tuple[ClientId, ...]]
    group: Callable[[S, ClientId], int]
    ask: Callable[[S, ClientId], Tree]
    work: Callable[[C, Tree, Learner], tuple[C, Tree]]
    fold: Callable[[S, Replies], S]
    at_most: int | None = None
    allowance: str = ""
    toss: Callable[[C, bytes], Tree] | None = None
    hiding_cohort: int = 1
    reads_losses: bool = False

    @property
    def layout(self) -> Layout:
        """The reply's arrays in their fixed order."""
        return tuple(Slot(name=part.name, shape=part.shape) for part in self.parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a federation stands after an exchange, as far as its coordinator may know.

    Attributes:
        assignment: Model of each client; empty where the choice stays on the clients.
        stable_share: Share of clients that declared stability in the last training, if they do.
        accuracy: Noised accuracy on held-out examples of the models sent out last.
    """

    assignment: Mapping[ClientId, int] = field(default_factory=dict)
    stable_share: float | None = None
    accuracy: float | None = None


class Algorithm(Protocol[S, C]):
    """A federated algorithm. Its methods are pure; randomness comes from its seed."""

    @property
    def exchanges(self) -> tuple[Exchange[S, C], ...]:
        """Every exchange it may ever ask for: its whole leak surface."""

    @property
    def state(self) -> type[S]:
        """Type of the coordinator's state."""

    @property
    def own(self) -> type[C]:
        """Type of the client's state."""

    @property
    def initial_models(self) -> int:
        """How many initial models it starts from."""

    def start(self, initial: Vector) -> S:
        """Return the state before round 1, from `initial_models` models ``(count, d)``."""

    def enrol(self) -> C:
        """Return a client's state before it takes part."""

    def begin(self, state: S, round_: int, cohort: tuple[ClientId, ...]) -> S:
        """Open a round, counted from 1, among ``cohort``."""

    def next(self, state: S) -> Exchange[S, C] | None:
        """Return the exchange to hold now, or None when the round is over."""

    def standing(self, state: S) -> Standing:
        """Return what is known of the federation."""

    def personal(self, state: S, client: ClientId) -> Tree | None:
        """Return what a client is sent at the end; `mine` turns it into its model.

        None if the client never got a model.
        """

    def mine(self, own: C, gift: Tree) -> Vector:
        """Return the client's own model ``(d,)`` from what it was sent."""


def check_initial(initial: Vector, *, count: int, parameters: int) -> Vector:
    """Return ``initial`` if it holds ``count`` models of ``parameters`` numbers.

    Raises:
        ConfigError: it has another shape.
    """
    if initial.shape != (count, parameters):
        raise ConfigError(
            f"initial models have shape {initial.shape}, ({count}, {parameters}) expected"
        )
    return initial
