"""Which model each cluster of clients trains: the matching of least total loss.

Source: Algorithm 1 line 12 and section 3 ("min-cost bipartite matching").
"""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from secure_clove.errors import ConfigError


def models_of_clusters(
    vectors: NDArray[np.float64], labels: NDArray[np.int64], *, models: int
) -> NDArray[np.int64]:
    """Return the model of each cluster, every model used at most once.

    An edge costs the sum of the losses of the cluster's members on the model. Centring each
    client's vector moves every matching by the same constant, so directional vectors serve as well.

    Args:
        vectors: (M, K) vector of each client.
        labels: (M,) cluster of each client, from 0.
        models: K, count of models.

    Returns:
        (k,) model of each cluster; models without a cluster stay unused.

    Raises:
        ConfigError: more clusters than models, or shapes that do not fit.
    """
    if vectors.ndim != 2 or vectors.shape[1] != models or labels.shape != (len(vectors),):
        raise ConfigError(
            f"vectors of shape (M, {models}) and labels of shape (M,) expected, found "
            f"{vectors.shape} and {labels.shape}"
        )
    if not labels.size or labels.min() < 0 or labels.max() >= models:
        raise ConfigError(f"1 to {models} clusters expected for {models} models, numbered from 0")
    cost = np.zeros((int(labels.max()) + 1, models))
    np.add.at(cost, labels, vectors)
    _, matched = linear_sum_assignment(cost)
    return matched.astype(np.int64)
