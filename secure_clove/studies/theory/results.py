"""What the study of the theory found, as values and as one small file."""

from dataclasses import dataclass
from pathlib import Path

import msgspec

from secure_clove.errors import ConfigError, StoreError


@dataclass(frozen=True, slots=True, kw_only=True)
class Separation:
    """How far apart the clusters' mean loss vectors are (Lemmas A.1 and A.2).

    Attributes:
        models: One of `MODELS`.
        separation: Delta.
        draws: Draws of optima and models.
        least: Smallest ratio over the draws of distances of means to distances of optima.
        middle: Its median.
        held: Share of draws with a ratio of 1/2 or more.
    """

    models: str
    separation: float
    draws: int
    least: float
    middle: float
    held: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OneShot:
    """How often one k-means finds the clusters (Theorem 4.1).

    Attributes:
        separation: Delta.
        examples: n of each client.
        square_root: Of what: square roots of losses, or losses (Remark A.12).
        share: Seeds in which every client was in its cluster.
        ari: Mean adjusted Rand index.
    """

    separation: float
    examples: int
    square_root: bool
    share: float
    ari: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Convergence:
    """How CLoVE's models approach their optima (Theorem 4.2).

    Attributes:
        way: One of `WAYS`.
        separation: Delta.
        distance: By round: largest distance of a client's model to its optimum, median of seeds.
        ari: By round: mean adjusted Rand index.
        factor: Median of the fitted contraction c_1 of a round; None: too fast to fit.
        least_factor: Its smallest value.
        proximal: Share of seeds in which every model is within Delta / 4 after round 1.
        recovered: Share of seeds with every client in its cluster at the end.
        first_round: Median first round with every client in its cluster; None: half never had one.
    """

    way: str
    separation: float
    distance: tuple[float, ...]
    ari: tuple[float, ...]
    factor: float | None
    least_factor: float | None
    proximal: float
    recovered: float
    first_round: float | None

    def __post_init__(self) -> None:
        """Refuse a course whose rounds do not fit."""
        if not self.distance or len(self.distance) != len(self.ari):
            raise ConfigError("a distance and an index for every round are needed")


@dataclass(frozen=True, slots=True, kw_only=True)
class TheoryResult:
    """Everything the study found.

    Attributes:
        seeds: Draws of every problem, with seeds from 0.
        separations: A line for each collection of models and Delta.
        one_shots: A line for each Delta, n and kind of vector.
        convergences: A line for each way to train and Delta.
    """

    seeds: int
    separations: tuple[Separation, ...]
    one_shots: tuple[OneShot, ...]
    convergences: tuple[Convergence, ...]

    def __post_init__(self) -> None:
        """Refuse a study of nothing."""
        if self.seeds < 1 or not (self.separations and self.one_shots and self.convergences):
            raise ConfigError("at least 1 seed and a line of each kind are needed")


def write_theory(path: Path, result: TheoryResult) -> None:
    """Write ``result`` as JSON, making its folder and replacing the file in one step.

    Raises:
        StoreError: the folder cannot be written.
    """
    draft = path.with_name(f"{path.name}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=1) + b"\n")
        draft.replace(path)
    except OSError as error:
        raise StoreError(f"{path.parent} cannot be used: {error.strerror}") from error


def read_theory(path: Path) -> TheoryResult:
    """Return the result at ``path``.

    Raises:
        StoreError: there is none, or it is damaged.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=TheoryResult)
    except OSError as error:
        raise StoreError(f"{path.name} cannot be read: {error.strerror}") from error
    except (msgspec.DecodeError, ConfigError) as error:
        raise StoreError(f"{path.name} is damaged; run the study again") from error
