"""What the words say the coordinator sees is what it sees."""

import pytest

from secure_clove.studies.visibility import Visibility

NOISED = Visibility.of({"visibility": "noised"})
VISIBLE = Visibility.of({"visibility": "sealed", "membership": "visible"})
HIDDEN = Visibility.of({"visibility": "sealed", "membership": "hidden"})


def test_what_settings_leave_out_is_seen() -> None:
    assert Visibility.of({}) == NOISED


def test_without_a_sealed_clustering_no_membership_is_hidden() -> None:
    assert Visibility.of({"visibility": "noised", "membership": "hidden"}) == NOISED


@pytest.mark.parametrize(
    ("visibility", "said"),
    [
        (NOISED, "each client's directional loss vector, with its noise"),
        (VISIBLE, "sums of directional loss vectors, and which cluster each client is in"),
        (HIDDEN, "sums of directional loss vectors, and how large each cluster is"),
    ],
)
def test_what_the_clustering_sees_is_said(visibility: Visibility, said: str) -> None:
    assert visibility.clustering("directional") == said


def test_raw_losses_are_not_said_to_be_noised() -> None:
    assert NOISED.clustering("raw") == "each client's raw loss vector"


@pytest.mark.parametrize("visibility", [VISIBLE, HIDDEN])
def test_sealed_loss_vectors_are_among_what_is_masked(visibility: Visibility) -> None:
    assert "loss vectors" in visibility.masked
    assert "loss vectors" not in NOISED.masked


def test_the_heading_names_what_is_not_hidden() -> None:
    assert NOISED.in_short.endswith("each client's loss vector")
    assert VISIBLE.in_short.endswith("sums and each client's cluster")
    assert HIDDEN.in_short.endswith("sums and the clusters' sizes")
