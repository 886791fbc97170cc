"""One private gradient: clipped example by example, noised with whole numbers on a public grid.

Opacus computes the gradient of each example. From there on nothing is left to floating point:

* Each example's gradient is clipped to norm ``clip`` in float64 and rounded onto a grid of width
  ``step``, so it becomes a row of whole numbers. Rounding moves each of the d coordinates by at
  most step / 2, so in steps a row has norm at most clip / step + sqrt(d) / 2: the sensitivity.
* The rows are summed as whole numbers, hence exactly and in any order.
* The noise is a discrete Gaussian of ``noise_multiplier`` times that sensitivity, so the stated
  multiplier holds with the rounding paid for (about 1 % more noise at d = 650).
* Dividing by the public constant rate * n, converting to float32 and stepping come afterwards and
  cost nothing. n is public, because the unit of privacy zeroes an example out and keeps its place.

A gradient that is not finite counts as zero, as that of a zeroed-out example does: whether one
example overflows must not show.

Source: Abadi et al. 2016, Algorithm 1; privacy.md, "Unit" and "Noise is integer".
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from opacus.grad_sample import GradSampleModule
from opacus.optimizers import DPOptimizer
from opacus.validators import ModuleValidator
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from secure_clove.errors import DataError
from secure_clove.foundation.seeds import Entropy
from secure_clove.privacy.clipping import Grid
from secure_clove.privacy.mechanisms import discrete_gaussian

# Torch's word on the hooks of Opacus on a first layer. Once for the process, since
# `warnings.catch_warnings` in one of several training threads undoes it in the others.
warnings.filterwarnings("ignore", message="Full backward hook is firing", category=UserWarning)

CELLS = 2**22
"""Numbers in the per-example gradients held at a time: 32 MiB in float64."""


class GridOptimizer(DPOptimizer):  # type: ignore[misc]  # opacus has no types
    """An Opacus optimizer with exact sums and whole-number noise of a given entropy."""

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        *,
        clip: float,
        grid: Grid,
        noise_multiplier: float,
        expected_batch: float,
        entropy: Entropy,
    ) -> None:
        """Wrap ``optimizer``.

        Args:
            optimizer: Takes the step once the gradient is private.
            clip: Norm that one example's gradient is clipped to.
            grid: That clipped gradients are rounded onto.
            noise_multiplier: Noise standard deviation over sensitivity; 0 adds none.
            expected_batch: Public constant that the noised sum is divided by.
            entropy: Where the noise comes from.
        """
        super().__init__(
            optimizer,
            noise_multiplier=noise_multiplier,
            max_grad_norm=clip,
            expected_batch_size=expected_batch,
        )
        self._entropy = entropy
        self._sizes: list[int] = [p.numel() for p in self.params]
        self._grid = grid
        self._steps: Tensor | None = None

    @property
    def at_once(self) -> int:
        """Examples whose gradients fit into `CELLS`."""
        return max(1, CELLS // sum(self._sizes))

    def clip_and_accumulate(self) -> None:
        """Clip each example's gradient, round it onto the grid and add it to the sum."""
        rows = torch.cat([g.flatten(1).double() for g in self.grad_samples], dim=1)
        norms = rows.norm(dim=1, keepdim=True)
        rows = torch.where(norms.isfinite(), rows, 0.0)
        # Opacus' own factor: its 1e-6 also keeps float64 rounding below the clipping norm
        factor = (self.max_grad_norm / (norms + 1e-6)).clamp(max=1.0).nan_to_num(0.0)
        total = (rows * (factor / self._grid.step)).round().sum(0).long()
        self._steps = total if self._steps is None else self._steps + total

    def noised(self) -> Tensor:
        """Return the sum of the clipped gradients with its noise, in steps, and forget it."""
        if self._steps is None:
            raise DataError("no gradient was computed, so there is nothing to add noise to")
        sigma = self.noise_multiplier * self._grid.sensitivity
        noise = torch.from_numpy(discrete_gaussian(sigma, len(self._steps), self._entropy))
        found, self._steps = self._steps + noise.to(self._steps.device), None
        return found

    def add_noise(self) -> None:
        """Hand the noised gradient to the wrapped optimizer."""
        parts = torch.split_with_sizes(self.noised(), self._sizes)
        for p, part in zip(self.params, parts, strict=True):
            p.grad = (part.double() * self._grid.step).to(p.dtype).view_as(p)

    def _get_flat_grad_sample(self, p: nn.Parameter) -> Tensor:
        if getattr(p, "grad_sample", None) is None:
            raise DataError(
                "a trainable parameter got no gradient per example; "
                "use it in forward or set requires_grad=False"
            )
        gradients: Tensor = super()._get_flat_grad_sample(p)
        return gradients


def sampled(module: nn.Module) -> nn.Module:
    """Return ``module`` wrapped so that inside `gathering` it leaves one gradient per example.

    Raises:
        DataError: the module mixes examples or keeps statistics of them, as BatchNorm does.
    """
    if any(isinstance(part, _BatchNorm) for part in module.modules()):
        raise DataError(
            "BatchNorm mixes the examples of a batch, so no example can be private; "
            "use GroupNorm instead"
        )
    if any(buffer.is_floating_point() for buffer in module.buffers()):
        raise DataError(
            "the model has floating-point buffers, which would leave without noise; "
            "make them constants of forward or use a layer without running statistics"
        )
    module.train()
    faults = ModuleValidator.validate(module, strict=False)
    if faults:
        raise DataError(f"Opacus cannot make this model private: {faults[0]}")
    try:
        wrapped = GradSampleModule(module, loss_reduction="sum")
    except NotImplementedError as error:
        raise DataError(f"Opacus cannot make this model private: {error}") from error
    wrapped.disable_hooks()
    hooked: nn.Module = wrapped
    return hooked


@contextmanager
def gathering(module: nn.Module) -> Iterator[None]:
    """Let a `sampled` module keep gradients per example; any other is left as it is.

    Outside, the hooks of Opacus do nothing: training the same layers without privacy would pile up
    the gradients of all its steps.
    """
    hooked: Any = module if isinstance(module, GradSampleModule) else None  # opacus has no types
    if hooked is not None:
        hooked.enable_hooks()
    try:
        yield
    finally:
        if hooked is not None:
            hooked.disable_hooks()
