"""What a study may ask for: embeddings by name, and cells that were kept before they had names."""

from typing import Any

import msgspec
import pytest

from secure_clove.clustering.embedding import Embedding
from secure_clove.errors import ConfigError
from secure_clove.studies.play.cell import Cell, UpdateNoise, noise_plan
from secure_clove.studies.play.crew import Alone
from tests.studies.play.builders import images, regression, table

RELATIVE: dict[str, Any] = {"noise": 0.5, "embedding": Embedding.RELATIVE, "embedding_clip": 1.0}
CLIPPED: dict[str, Any] = {"noise": 0.5, "embedding": Embedding.CLIPPED, "embedding_clip": 4.0}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"embedding": Embedding.RELATIVE, "embedding_clip": 1.0}, "without noise"),
        ({"embedding_clip": 1.0}, "without noise"),
        ({"noise": 0.5, "embedding": Embedding.CLIPPED}, "needs a clip"),
        ({"noise": 0.5, "embedding_clip": 1.0}, "clips nothing"),
        ({"noise": 0.5, "embedding": Embedding.RAW}, "without limit"),
    ],
)
def test_an_embedding_that_cannot_be_noised_is_refused(
    changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ConfigError, match=reason):
        regression(**changes)


def test_square_roots_of_differences_are_refused_before_anything_is_played() -> None:
    options = {"square_root": True}
    Alone(images).open(regression(options=options, **CLIPPED))
    with pytest.raises(ConfigError, match="square_root"):
        Alone(images).open(regression(options=options, **RELATIVE))


NOISED = UpdateNoise(multiplier=1.0, clip=1.0, mode="distributed")


@pytest.mark.parametrize("changes", [{"training": "gradient"}, {"noise": 0.5}])
def test_noise_of_updates_is_that_of_gradients_and_not_alone(changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="one step a round"):
        regression(updates=NOISED, **changes)


def test_slots_of_unknown_clients_cannot_share_their_noise() -> None:
    shared = regression(algorithm="ifca", noise=0.5, training="gradient", updates=NOISED)
    with pytest.raises(ConfigError, match="set noise to local"):
        Alone(images).open(shared)


def test_noise_alone_means_directional_embeddings() -> None:
    plan = noise_plan(regression(noise=0.5).setting)
    assert plan is not None
    assert plan.embedding_kind is Embedding.DIRECTIONAL
    assert noise_plan(regression().setting) is None


def test_a_cell_that_was_kept_before_embeddings_had_names_is_the_same_cell() -> None:
    cell = regression(noise=0.5)
    kept = msgspec.to_builtins(cell)
    for name in ("embedding", "embedding_clip", "learning_rate", "updates"):
        del kept["setting"][name]
    assert msgspec.convert(kept, Cell) == cell


@pytest.mark.parametrize("changes", [{"noise": 0.5}, RELATIVE, CLIPPED])
def test_the_planted_clusters_are_found_from_every_embedding(changes: dict[str, Any]) -> None:
    at = table(regression(examples=200, **changes))
    found = list(at.rounds(3, evaluate_every=3))[-1].assignment
    assert len({(at.truth[client], found[client]) for client in at.truth}) == 2
