"""The gradient of each example: layer by layer from hooks, or of all at once by `vmap`.

Layer by layer, one backward pass goes to the outputs of the layers and computes no gradient of a
weight; the rules of Opacus then make each layer's input and the gradient of its output into one
gradient an example. By `vmap` (functorch) the model sees one example at a time, so any layer that
torch can stack will do. Measured on one core, going by layers took 0.15 (a small linear model) to
0.9 (one of 5 million numbers) of the time.

Ghost clipping is left out. It sums gradients without ever holding one, hence cannot round each of
them onto the public grid, and the error of a float sum would have to be paid for with more noise.
It needs a second backward pass besides: Opacus took 1.2 to 1.4 times as long with it as with hooks,
on a linear model and on the paper's CNN in batches of 64 and 500 (`make bench`: ``dp_step``).
"""

from collections.abc import Iterable
from typing import NamedTuple

import torch
from opacus.grad_sample import GradSampleModule
from opacus.validators import ModuleValidator
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge
from torch.func import functional_call, grad, vmap
from torch.nn.modules.batchnorm import _BatchNorm

from secure_clove.errors import DataError
from secure_clove.learn.executions import Execution
from secure_clove.learn.losses import example_losses
from secure_clove.learn.tasks import Loss

RULES = GradSampleModule.GRAD_SAMPLERS
"""By type of layer: from its input and the gradient of its output to gradients per example. Those
of convolutions read memory as if channels were outermost, whatever the strides say (Opacus 1.6)."""


APART = 1e-3
"""How far outputs may differ with the batch, relative: far more than rounding in float32."""


class _Call(NamedTuple):
    """One use of a layer in a forward pass."""

    layer: nn.Module
    inputs: tuple[Tensor, ...]
    version: int
    output: GradientEdge  # not the tensor: a ReLU in place would put itself in between


class ExampleGradients:
    """One gradient per example of a module's loss; the module itself stays as it is.

    Attributes:
        parameters: Those that are not frozen, by name.
        sizes: Count of numbers of each of them.
    """

    def __init__(self, module: nn.Module, loss: Loss) -> None:
        """Keep the module, in the mode for training.

        Raises:
            DataError: the module mixes examples or keeps statistics of them, as BatchNorm does.
        """
        _check(module)
        self._module, self._loss = module, loss
        self.parameters = {name: p for name, p in module.named_parameters() if p.requires_grad}
        self.sizes = [parameter.numel() for parameter in self.parameters.values()]
        owners = [part for part in module.modules() if _trains(part.parameters(recurse=False))]
        self._layers = owners if all(type(part) in RULES for part in owners) else []

    def check(self, x: Tensor, y: Tensor) -> None:
        """Refuse a module that does not treat each example on its own, as far as a try can tell.

        What an example's gradient is must not depend on its neighbours, or one example could move
        the sum by more than one clipped gradient.

        Args:
            x: Two inputs, or one.
            y: Their targets.

        Raises:
            DataError: as `of`, or the output for an example depends on the other.
        """
        self._module.eval()  # dropout would differ
        if self._layers:
            self._by_layer(x[:1], y[:1])
        with torch.no_grad():
            alone, together = self._module(x[:1]), self._module(x)[:1]
        scale = float(alone.abs().max())
        if not torch.allclose(alone, together, rtol=0, atol=APART * scale, equal_nan=True):
            raise DataError(
                "the model's output for an example depends on the others of its batch, so none "
                "can be private; let forward treat each example on its own"
            )

    def of(self, x: Tensor, y: Tensor, *, execution: Execution) -> list[Tensor]:
        """Return the gradient of the loss of each example, (n, size) for each of `sizes`.

        Args:
            x: n >= 1 inputs.
            y: Their targets.
            execution: `SEQUENTIAL` goes layer by layer wherever Opacus has a rule for each of them;
                `VMAP` takes all examples at once.

        Raises:
            DataError: a trainable parameter is not used, or a layer does not keep examples apart.
            RuntimeError: torch cannot `vmap` the module, or it draws at random there.
        """
        if self._layers and execution is Execution.SEQUENTIAL:
            return self._by_layer(x, y)
        return self._at_once(x, y)

    def _by_layer(self, x: Tensor, y: Tensor) -> list[Tensor]:
        calls, total = self._forward(x, y)
        edges = [call.output for call in calls]
        gradients = torch.autograd.grad(total, edges, allow_unused=True) if edges else ()
        found: dict[nn.Parameter, Tensor] = {}
        with torch.no_grad():
            for call, gradient in zip(calls, gradients, strict=True):
                for parameter, part in _parts(call, gradient):
                    before = found.get(parameter)
                    found[parameter] = part if before is None else before + part
        return [_rows(found, parameter, len(y)) for parameter in self.parameters.values()]

    def _forward(self, x: Tensor, y: Tensor) -> tuple[list[_Call], Tensor]:
        calls: list[_Call] = []

        def keep(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            kept = tuple(tensor.detach().contiguous() for tensor in inputs)
            calls.append(_Call(layer, kept, kept[0]._version, get_gradient_edge(output)))

        hooks = [layer.register_forward_hook(keep) for layer in self._layers]
        try:
            return calls, example_losses(self._module(x), y, self._loss).sum()
        finally:
            for hook in hooks:
                hook.remove()

    def _at_once(self, x: Tensor, y: Tensor) -> list[Tensor]:
        def alone(weights: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
            output = functional_call(self._module, weights, (x[None],))
            return example_losses(output, y[None], self._loss).sum()

        weights = {name: parameter.detach() for name, parameter in self.parameters.items()}
        # where layers are an alternative, both must draw alike: only not at all is certain
        randomness = "error" if self._layers else "different"
        found = vmap(grad(alone), in_dims=(None, 0, 0), randomness=randomness)(weights, x, y)
        return [found[name].flatten(1) for name in weights]


def _trains(parameters: Iterable[nn.Parameter]) -> bool:
    return any(parameter.requires_grad for parameter in parameters)


def _parts(call: _Call, gradient: Tensor | None) -> Iterable[tuple[nn.Parameter, Tensor]]:
    """Return what one use of a layer adds to the gradients, per example; nothing if not used."""
    if gradient is None:
        return ()
    if call.inputs[0]._version != call.version:
        raise DataError(
            f"the input of a {type(call.layer).__name__} is changed in place after its use; "
            "write the change out of place"
        )
    found = _by_rule(call.layer, call.inputs, gradient)
    return ((parameter, part) for parameter, part in found.items() if parameter.requires_grad)


def _by_rule(
    layer: nn.Module, inputs: tuple[Tensor, ...], gradient: Tensor
) -> dict[nn.Parameter, Tensor]:
    if type(layer) is nn.Linear and gradient.ndim == 2:  # as the rule, in half its time
        weight = gradient[:, :, None] * inputs[0][:, None]
        return dict(zip(layer.parameters(), (weight, gradient), strict=False))  # bias or not
    rule = RULES[type(layer)]
    by_opacus: dict[nn.Parameter, Tensor] = rule(layer, list(inputs), gradient.contiguous())
    return by_opacus


def _rows(found: dict[nn.Parameter, Tensor], parameter: nn.Parameter, count: int) -> Tensor:
    part = found.get(parameter)
    if part is None:
        raise DataError(
            "a trainable parameter got no gradient per example; "
            "use it in forward or set requires_grad=False"
        )
    if len(part) != count:
        raise DataError(
            f"a layer saw {len(part)} examples where {count} were given, so none of them can be "
            "clipped on its own; keep the examples in the first dimension of every layer"
        )
    return part.flatten(1)


def _check(module: nn.Module) -> None:
    """Refuse a module whose examples cannot be told apart, or that would leave without noise."""
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
    faults = [*ModuleValidator.validate(module), *GradSampleModule.validate(module)]
    if faults:
        raise DataError(f"Opacus cannot make this model private: {faults[0]}")
