"""BatchNorm replaced by GroupNorm where every example must count on its own.

The founder of a private federation and each of its clients do it alike, so that the architecture
they agree on is the replaced one.
"""

import warnings
from functools import cache, partial
from math import gcd

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from secure_clove.learn.architectures import GROUPS
from secure_clove.learn.models import MakeModel


class ReplacedLayerWarning(UserWarning):
    """A model is trained with other layers than it was made with."""


def private_model(make: MakeModel) -> MakeModel:
    """Return ``make`` with `without_batch_norm` applied to whatever it makes."""
    return partial(_made_private, make)


def without_batch_norm(module: nn.Module) -> nn.Module:
    """Return ``module`` with every BatchNorm replaced by a GroupNorm with its weights.

    The module is changed in place and draws nothing. What cannot be replaced stays: a lazy layer,
    and BatchNorm over a single feature, of which no group would leave anything.

    Warns:
        ReplacedLayerWarning: something was replaced; said once in a process, see `tell`.
    """
    found: dict[_BatchNorm, nn.GroupNorm] = {
        part: _group_norm(part)
        for part in module.modules()
        if isinstance(part, _BatchNorm) and part.num_features > 1
    }
    if not found:
        return module
    tell(len(found))
    for parent in list(module.modules()):
        for name, child in parent._modules.items():
            if isinstance(child, _BatchNorm):
                parent._modules[name] = found.get(child, child)
    return found.get(module, module) if isinstance(module, _BatchNorm) else module


@cache
def tell(count: int) -> None:
    """Warn of ``count`` replaced layers, once: each of many sites in a process replaces them.

    The cache does what Python's own filter does only until a library touches the filters.
    """
    warnings.warn(
        f"BatchNorm mixes the examples of a batch, so none of them could be private: {count} in "
        "the model became GroupNorm, here and at every client. To choose the groups yourself, make "
        "the model with GroupNorm",
        ReplacedLayerWarning,
        stacklevel=3,
    )


def _made_private(make: MakeModel) -> nn.Module:
    return without_batch_norm(make())


def _group_norm(norm: _BatchNorm) -> nn.GroupNorm:
    """Return its replacement: up to `GROUPS` groups of images, and a single one of features.

    A group needs several numbers, else nothing is left of it. Of images each channel has many;
    of features each has one.

    Source: Wu and He 2018, section 4.1; Opacus 1.6, ``validators.batch_norm``, for images.
    """
    count = 1 if isinstance(norm, nn.BatchNorm1d) else gcd(GROUPS, norm.num_features)
    made = nn.GroupNorm(count, norm.num_features, eps=norm.eps, affine=norm.affine)
    if norm.affine:
        made.weight, made.bias = norm.weight, norm.bias
    return made
