"""What each sum of sealed CLoVE holds, and how far one client can move it.

The shares say how a clustering divides what it may tell of a whole client: features carry the
clusters, moments only their frame (protocol.md, "Client-level noise on the same sketch").
"""

from math import sqrt

from secure_clove.algorithms.base import Content, Part
from secure_clove.clustering.sketch import moment_count


def moment_parts(dimension: int) -> tuple[Part, ...]:
    """Return the parts of ``moments``: a vector of norm 1 and its products."""
    mean = Part(
        name="mean",
        shape=(dimension,),
        content=Content.MOMENT,
        client_norm=1.0,
        client_share=0.15,
    )
    products = Part(
        name="products",
        shape=(moment_count(dimension) - dimension,),
        content=Content.MOMENT,
        client_norm=1.0,
        client_share=0.15,
    )
    return mean, products


def sketch_parts(frequencies: int) -> tuple[Part, ...]:
    """Return the parts of ``sketch``: points on the unit circle, and whether there are any."""
    features = Part(
        name="features",
        shape=(2 * frequencies,),
        content=Content.FEATURE,
        client_norm=sqrt(frequencies),
        client_share=0.65,
    )
    return features, Part(name="clients", content=Content.COUNT)


def fit_part(clusters: int) -> Part:
    """Return the part of ``judge``: a number of [0, 1] for each number of clusters."""
    return Part(
        name="silhouettes",
        shape=(clusters,),
        content=Content.FEATURE,
        client_norm=sqrt(clusters),
        client_share=0.05,
    )


def place_part(clusters: int, *, is_visible: bool) -> Part:
    """Return the part of ``join``: the number of a client's cluster, or a one in its place."""
    shape = () if is_visible else (clusters,)
    return Part(
        name="place", shape=shape, content=Content.COUNT, client_norm=1.0, client_share=0.05
    )
