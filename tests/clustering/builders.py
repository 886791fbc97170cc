"""What several tests of clustering build."""

import numpy as np
from numpy.typing import NDArray

from secure_clove.clustering.sketch import Moments, axes_of, frequencies, scale_of
from secure_clove.foundation.seeds import Rng


def frame(moments: Moments, *, clusters: int, count: int, rng: Rng) -> NDArray[np.float64]:
    """Return frequencies for up to ``clusters`` clusters of vectors with these moments."""
    axes = axes_of(moments, clusters=clusters)
    scale = scale_of(moments, axes=axes)
    return frequencies(count, len(moments.mean), scale=scale, rng=rng, axes=axes)
