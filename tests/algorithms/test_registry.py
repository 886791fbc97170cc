"""Algorithms by name, and the table of what each of them shows."""

from typing import Any

import pytest

from secure_clove.algorithms.base import Reveal
from secure_clove.algorithms.registry import NAMES, Surface, build, surface
from secure_clove.errors import ConfigError

COMMON: dict[str, Any] = {"parameters": 5, "clusters": 3, "seed": 0, "smallest": 1}


@pytest.mark.parametrize("name", NAMES)
def test_every_name_stands_for_an_algorithm(name: str) -> None:
    assert build(name, **COMMON, options={}).exchanges


@pytest.mark.parametrize("name", ["", "CLoVE", "clove ", "fedprox"])
def test_an_unknown_name_is_refused_with_those_there_are(name: str) -> None:
    with pytest.raises(ConfigError, match=f"there are {', '.join(NAMES)}"):
        build(name, **COMMON, options={})


@pytest.mark.parametrize("name", NAMES)
def test_an_option_that_the_algorithm_does_not_have_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=r"does not have one of .*'momentum'"):
        build(name, **COMMON, options={"momentum": 1})


@pytest.mark.parametrize("option", ["parameters", "clusters", "seed", "smallest"])
def test_an_option_cannot_replace_what_the_configuration_fixes(option: str) -> None:
    with pytest.raises(ConfigError):
        build("clove", **COMMON, options={option: 3})


def test_an_option_reaches_its_algorithm() -> None:
    made: Any = build("clove", **COMMON, options={"clustering_rounds": 7})
    assert made.clustering_rounds == 7


SEALED = (
    ("moments", Reveal.SUM, ("embedding",)),
    ("sketch", Reveal.SUM, ()),
    ("join", Reveal.EACH, ()),
    ("rejoin", Reveal.EACH, ()),
    ("arrive", Reveal.EACH, ("embedding",)),
    ("train", Reveal.SUM, ("metrics", "update")),
)


def sealed(exchange: str, reveal: Reveal, uses: tuple[str, ...]) -> Surface:
    return Surface(algorithm="sealed-clove", exchange=exchange, reveal=reveal, uses=uses)


def hidden(exchange: str, uses: tuple[str, ...]) -> Surface:
    name = "sealed-clove hidden"
    return Surface(algorithm=name, exchange=exchange, reveal=Reveal.SUM, uses=uses)


def test_the_leak_surface_is_exactly_this() -> None:
    assert surface() == (
        Surface(algorithm="clove", exchange="losses", reveal=Reveal.EACH, uses=("embedding",)),
        Surface(algorithm="clove", exchange="train", reveal=Reveal.SUM, uses=("metrics", "update")),
        *(sealed(name, reveal, uses) for name, reveal, uses in SEALED),
        Surface(
            algorithm="fedavg", exchange="train", reveal=Reveal.SUM, uses=("metrics", "update")
        ),
        Surface(
            algorithm="dp-fedavg", exchange="train", reveal=Reveal.SUM, uses=("metrics", "update")
        ),
        Surface(
            algorithm="ifca",
            exchange="train",
            reveal=Reveal.SUM,
            uses=("embedding", "metrics", "update"),
        ),
        Surface(algorithm="local", exchange="turn", reveal=Reveal.SUM, uses=("local",)),
        *(hidden(name, uses) for name, _, uses in SEALED if name != "rejoin"),
    )
