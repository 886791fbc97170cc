"""One private gradient: clipped example by example, noised with whole numbers on a public grid.

From the gradients of the examples on nothing is left to floating point:

* Each example's gradient is clipped to norm ``clip`` and rounded onto a grid of width ``step``, so
  it becomes a row of whole numbers. Rounding moves each of the d coordinates by at most step / 2,
  so in steps a row has norm at most clip / step + sqrt(d) / 2: the sensitivity.
* The rows are summed as whole numbers, hence exactly and in any order.
* The noise is a discrete Gaussian of ``noise_multiplier`` times that sensitivity, so the stated
  multiplier holds with the rounding paid for (about 1 % more noise at d = 650).
* Dividing by the public constant rate * n, converting to float32 and stepping come afterwards and
  cost nothing. n is public, because the unit of privacy zeroes an example out and keeps its place.

A gradient that is not finite counts as zero, as that of a zeroed-out example does: whether one
example overflows must not show.

Source: Abadi et al. 2016, Algorithm 1; privacy.md, "Unit" and "Noise is integer".
"""

from collections.abc import Iterator
from math import isfinite

import torch
from torch import Tensor, nn

from secure_clove.foundation.seeds import Entropy
from secure_clove.learn.executions import Execution
from secure_clove.learn.gradients import ExampleGradients
from secure_clove.learn.tasks import Loss
from secure_clove.privacy.clipping import Grid, gradient_grid
from secure_clove.privacy.mechanisms import discrete_gaussian

CELLS = 2**22
"""Numbers in the per-example gradients held at a time: 16 MiB in float32."""

BLOCK = 2**17
"""Numbers clipped and rounded at a time, in float64: 1 MiB, which a core's own cache holds."""

SLACK = 2.0**-24
"""By how much less than ``clip`` a norm may be, relative. It pays for rounding in float64: the norm
of d numbers is off by less than d 2^-53, factor and product by 2^-53 each. Enough to d = 2^28."""


class PrivateGradient:
    """The noised sum of a module's gradients, each clipped to one norm and put on a grid.

    Attributes:
        grid: The usual one for this module and norm.
    """

    def __init__(
        self, module: nn.Module, loss: Loss, *, clip: float, noise_multiplier: float
    ) -> None:
        """Keep the module.

        Args:
            module: In the mode for training.
            loss: Of each example.
            clip: Norm that one example's gradient is clipped to.
            noise_multiplier: Noise standard deviation over sensitivity; 0 adds none.

        Raises:
            DataError: the module mixes examples or keeps statistics of them, as BatchNorm does.
        """
        self._gradients = ExampleGradients(module, loss)
        self._clip, self._noise_multiplier = clip, noise_multiplier
        self._width, self._room = sum(self._gradients.sizes), torch.empty(0)
        self.grid = gradient_grid(clip, sum(p.numel() for p in module.parameters()))

    def check(self, x: Tensor, y: Tensor) -> None:
        """Refuse a module that does not treat each of two examples on its own.

        Raises:
            DataError: it does not, or gives no gradient per example.
        """
        self._gradients.check(x, y)

    def sum(self, x: Tensor, y: Tensor, *, grid: Grid, execution: Execution) -> Tensor:
        """Return the exact sum over a batch in steps of ``grid``, shape (d,) int64.

        Args:
            x: n inputs; none of them give zeros.
            y: Their targets.
            grid: That clipped gradients are rounded onto.
            execution: How gradients per example are computed.

        Raises:
            DataError: the module gives no gradient per example.
        """
        total = torch.zeros(self._width, dtype=torch.int64, device=x.device)
        for part in _slices(len(y), CELLS // self._width):
            found = self._gradients.of(x[part], y[part], execution=execution)
            for block in _slices(len(found[0]), BLOCK // self._width):
                rows = self._joined([parameter[block] for parameter in found])
                total += whole_rows(rows, clip=self._clip, grid=grid).sum(0).long()
        return total

    def noise(
        self, count: int, entropy: Entropy, *, grid: Grid, share: float = 1.0
    ) -> Iterator[Tensor]:
        """Yield ``count`` noises in steps of ``grid``, shape (d,) int64, one for each sum.

        Args:
            count: How many; several are drawn at a time, up to `BLOCK` numbers.
            entropy: Where they come from.
            grid: Of the sums.
            share: Of the standard deviation, in (0, 1].
        """
        sigma = self._noise_multiplier * share * grid.sensitivity
        for part in _slices(count, BLOCK // self._width):
            steps = min(part.stop, count) - part.start
            drawn = discrete_gaussian(sigma, steps * self._width, entropy)
            yield from torch.from_numpy(drawn.reshape(steps, self._width))

    def assign(self, gradient: Tensor) -> None:
        """Make ``gradient``, shape (d,), that of the module's parameters."""
        trained = self._gradients.parameters.values()
        parts = gradient.float().split_with_sizes(self._gradients.sizes)
        for parameter, part in zip(trained, parts, strict=True):
            parameter.grad = part.view_as(parameter)

    def _joined(self, parts: list[Tensor]) -> Tensor:
        """Return (n, d) float64 in memory that is used again."""
        count = len(parts[0])
        if len(self._room) < count:
            made = torch.empty((count, self._width), dtype=torch.float64, device=parts[0].device)
            self._room = made
        return torch.cat(parts, dim=1, out=self._room[:count])


def _slices(count: int, size: int) -> Iterator[slice]:
    """Cut ``count`` rows into slices of ``size``, or of one if that is less."""
    size = max(1, size)
    return (slice(start, start + size) for start in range(0, count, size))


def whole_rows(rows: Tensor, *, clip: float, grid: Grid) -> Tensor:
    """Return ``rows`` clipped to norm ``clip`` and rounded, in steps: whole numbers.

    Args:
        rows: One gradient a row, shape (n, d), float64; overwritten.
        clip: Norm that each is clipped to.
        grid: That they are rounded onto.
    """
    norms = torch.linalg.vector_norm(rows, dim=1, keepdim=True)
    if not isfinite(norms.sum()):
        rows.masked_fill_(~norms.isfinite(), 0.0)
    factors = (clip * (1 - SLACK) / grid.step / norms).clamp_(max=1 / grid.step)
    return rows.mul_(factors.nan_to_num_(0.0)).round_()
