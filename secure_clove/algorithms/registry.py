"""Algorithms by name: the one place to add a system."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from secure_clove.algorithms.averaging import FedAvg
from secure_clove.algorithms.base import Algorithm, Reveal
from secure_clove.algorithms.client_averaging import ClientFedAvg
from secure_clove.algorithms.clove import Clove
from secure_clove.algorithms.ifca import Ifca
from secure_clove.algorithms.local import LocalOnly
from secure_clove.algorithms.sealed import SealedClove
from secure_clove.errors import ConfigError

Options = Mapping[str, bool | int | float | str]


def build(
    name: str,
    *,
    parameters: int,
    clusters: int,
    seed: int,
    smallest: int,
    options: Options,
) -> Algorithm[Any, Any]:
    """Return the algorithm called ``name``.

    Args:
        name: One of `NAMES`.
        parameters: Length d of a model.
        clusters: Number K of models; algorithms with one model ignore it.
        seed: Of the algorithm's own choices.
        smallest: Fewest clients a cluster may have.
        options: Settings of that algorithm alone.

    Raises:
        ConfigError: no such algorithm, or an option it does not have.
    """
    own: Any = options
    try:
        match name:
            case "clove":
                return Clove(
                    parameters=parameters, clusters=clusters, seed=seed, smallest=smallest, **own
                )
            case "sealed-clove":
                return SealedClove(
                    parameters=parameters, clusters=clusters, seed=seed, smallest=smallest, **own
                )
            case "fedavg":
                return FedAvg(parameters=parameters, **own)
            case "dp-fedavg":
                return ClientFedAvg(parameters=parameters, **{"client_noise": 0.0, **own})
            case "ifca":
                return Ifca(parameters=parameters, clusters=clusters, seed=seed, **own)
            case "local":
                return LocalOnly(parameters=parameters, **own)
    except TypeError as error:
        raise ConfigError(f"algorithm '{name}' does not have one of {sorted(options)}") from error
    raise ConfigError(f"no algorithm is called '{name}'; there are {', '.join(NAMES)}")


NAMES = ("clove", "sealed-clove", "fedavg", "dp-fedavg", "ifca", "local")


@dataclass(frozen=True, slots=True, kw_only=True)
class Surface:
    """One row of the leak surface: what one exchange of an algorithm shows the coordinator."""

    algorithm: str
    exchange: str
    reveal: Reveal
    uses: tuple[str, ...]


def surface() -> tuple[Surface, ...]:
    """List every exchange of every algorithm with what it reveals."""
    variants: tuple[tuple[str, str, Options], ...] = (
        *((name, name, {}) for name in NAMES),
        ("sealed-clove hidden", "sealed-clove", {"membership": "hidden"}),
    )
    return tuple(
        Surface(
            algorithm=title,
            exchange=exchange.name,
            reveal=exchange.reveal,
            uses=tuple(sorted(use.value for use in exchange.uses)),
        )
        for title, name, options in variants
        for exchange in build(
            name, parameters=1, clusters=2, seed=0, smallest=1, options=options
        ).exchanges
    )
