"""The models of the paper's experiments, each made by its name and its sizes.

Layers follow the authors' public code where the paper leaves them open. Weights are torch's own
random initialisation, so K initial models differ. Layers with running statistics average as
vectors, but cannot be private; their twins with GroupNorm can.

Source: clove.txt, appendix C; Nokia-Bell-Labs/Loss-Vector-based-Clustered-Federated-Learning.
"""

from collections.abc import Callable, Mapping
from inspect import signature
from itertools import pairwise
from types import MappingProxyType

import torch
from torch import Tensor, nn

from secure_clove.errors import ConfigError
from secure_clove.learn.models import linear

GROUPS = 32
"""Groups of a GroupNorm. Source: Wu and He 2018, section 4.1 (and Opacus' own replacement)."""


def build_model(name: str, *sizes: int, **named: int) -> nn.Module:
    """Return a fresh model of the architecture called ``name``.

    Args:
        name: A key of `ARCHITECTURES`, such as ``paper-cnn``.
        sizes: The architecture's sizes in order, as in ``linear:64:10``; at least 1 each.
        named: The same by name, such as ``classes=10``.

    Raises:
        ConfigError: no such architecture, or sizes that it does not have.
    """
    if name not in ARCHITECTURES:
        raise ConfigError(f"no architecture '{name}'; choose one of {', '.join(ARCHITECTURES)}")
    make = ARCHITECTURES[name]
    try:
        bound = signature(make).bind(*sizes, **named)
    except TypeError as error:
        known = ", ".join(signature(make).parameters) or "no sizes"
        raise ConfigError(f"architecture '{name}' takes {known}: {error}") from error
    if min((*sizes, *named.values()), default=1) < 1:
        raise ConfigError(f"the sizes of architecture '{name}' count from 1")
    return make(*bound.args, **bound.kwargs)


# ---- images


def paper_cnn(classes: int = 10) -> nn.Module:
    """Return the CNN of MNIST and Fashion-MNIST, for 28 × 28 grey images in any layout."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Unflatten(1, (1, 28, 28)),
        nn.Conv2d(1, 6, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(256, classes),
    )


def femnist_cnn(classes: int = 62) -> nn.Module:
    """Return the same CNN for the digits and letters of FEMNIST."""
    return paper_cnn(classes)


def deep_cnn(classes: int = 10) -> nn.Module:
    """Return the CNN of CIFAR-10, with BatchNorm, for images of shape (3, 32, 32)."""
    return _deep_cnn(classes, nn.BatchNorm2d)


def deep_cnn_groupnorm(classes: int = 10) -> nn.Module:
    """Return its twin with GroupNorm, which can be private."""
    return _deep_cnn(classes, lambda channels: nn.GroupNorm(GROUPS, channels))


def _deep_cnn(classes: int, normalise: Callable[[int], nn.Module]) -> nn.Module:
    stages = [
        nn.Sequential(
            nn.Conv2d(before, after, 3, padding=1), normalise(after), nn.ReLU(), nn.MaxPool2d(2)
        )
        for before, after in pairwise((3, 64, 128, 256, 512))
    ]
    return nn.Sequential(
        *stages,
        nn.Flatten(),
        nn.Linear(2048, 1024),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(1024, 512),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(512, classes),
    )


# ---- text


class TextCNN(nn.Module):
    """Convolutions over 3, 4 and 5 words, the strongest answer of each filter, one linear layer.

    Token 0 is padding: its embedding starts at zero and stays there, except in private training,
    whose noise moves every parameter.
    """

    def __init__(self, classes: int, words: int, *, width: int = 100) -> None:
        """Draw an initial model; ``width`` is that of the embedding and of each convolution."""
        super().__init__()
        self.embedding = nn.Embedding(words, width, padding_idx=0)
        self.convolutions = nn.ModuleList(nn.Conv1d(width, width, size) for size in (3, 4, 5))
        self.dropout = nn.Dropout(0.8)
        self.layer = nn.Linear(3 * width, classes)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return one score per class, shape (n, classes), for (n, length >= 5) token numbers."""
        embedded = self.embedding(tokens).transpose(1, 2)
        found = [conv(embedded).relu().amax(2) for conv in self.convolutions]
        scores: Tensor = self.layer(self.dropout(torch.cat(found, 1)))
        return scores


def text_cnn(classes: int = 4, words: int = 32_000) -> nn.Module:
    """Return the TextCNN of AG News, for 200 token numbers below ``words``, padded with 0."""
    return TextCNN(classes, words)


def amazon_mlp(classes: int = 2, features: int = 5000) -> nn.Module:
    """Return the network of the Amazon reviews, for the counts of ``features`` words."""
    return nn.Sequential(
        nn.Linear(features, 1000),
        nn.ReLU(),
        nn.Linear(1000, 500),
        nn.ReLU(),
        nn.Linear(500, 100),
        nn.ReLU(),
        nn.Linear(100, classes),
    )


# ---- without labels


class Autoencoder(nn.Module):
    """An encoder and a decoder whose output has the shape of the input."""

    def __init__(self, *layers: nn.Module) -> None:
        """Keep the layers, in order."""
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Return the reconstruction of ``x``, in its shape."""
        reconstruction: Tensor = self.layers(x)
        return reconstruction.view_as(x)


def autoencoder() -> nn.Module:
    """Return the autoencoder of MNIST, for 784 numbers in [0, 1] in any layout; loss ``mse``."""
    return Autoencoder(
        nn.Flatten(),
        nn.Linear(784, 784),
        nn.ReLU(),
        nn.Linear(784, 392),
        nn.ReLU(),
        nn.Linear(392, 196),
        nn.Linear(196, 392),
        nn.ReLU(),
        nn.Linear(392, 784),
        nn.ReLU(),
        nn.Linear(784, 784),
        nn.Sigmoid(),
    )


def conv_autoencoder() -> nn.Module:
    """Return the autoencoder of CIFAR-10, for images of shape (3, 32, 32); loss ``mse``."""
    return Autoencoder(
        *_halving(3, 32),
        *_halving(32, 64),
        *_halving(64, 128),
        nn.Flatten(),
        nn.Linear(2048, 128),
        nn.Linear(128, 2048),
        nn.Unflatten(1, (128, 4, 4)),
        *_doubling(128, 64, nn.ReLU()),
        *_doubling(64, 32, nn.ReLU()),
        *_doubling(32, 3, nn.Tanh()),
    )


def _halving(before: int, after: int) -> tuple[nn.Module, nn.Module]:
    return nn.Conv2d(before, after, 3, stride=2, padding=1), nn.ReLU()


def _doubling(before: int, after: int, activation: nn.Module) -> tuple[nn.Module, nn.Module]:
    up = nn.ConvTranspose2d(before, after, 3, stride=2, padding=1, output_padding=1)
    return up, activation


# ---- theory


def linear_regression(features: int = 20) -> nn.Module:
    """Return the model of the theory, without bias; loss ``mse`` and targets of shape (n, 1)."""
    return nn.Linear(features, 1, bias=False)


ARCHITECTURES: Mapping[str, Callable[..., nn.Module]] = MappingProxyType(
    {
        "linear": linear,
        "paper-cnn": paper_cnn,
        "femnist-cnn": femnist_cnn,
        "deep-cnn": deep_cnn,
        "deep-cnn-groupnorm": deep_cnn_groupnorm,
        "text-cnn": text_cnn,
        "amazon-mlp": amazon_mlp,
        "autoencoder": autoencoder,
        "conv-autoencoder": conv_autoencoder,
        "linear-regression": linear_regression,
    }
)
"""Every architecture by its name: the one place to add one."""
