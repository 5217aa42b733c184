"""Compute batches whose samples are innermost in memory, so that all samples are computed side by side.

torch keeps the numbers of a sample together. With the samples innermost, products of a batch with larger weights are
faster, softmax over a few classes takes a quarter of the time, convolutions of few channels become products
(`convolutions.py`), and elementwise operators keep the order. Shapes do not change, only strides.

Products add up in a different order from torch's, so results differ by about 1e-7, relatively. Times:
tests/bench/README.md.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import torch
from torch import Tensor, nn

from lossrun.components.models import ACTIVATIONS
from lossrun.components.network import Network
from lossrun.replay import pools
from lossrun.replay.convolutions import Convolutions, has_few_channels
from lossrun.replay.kernels import Decomposition
from lossrun.torch_internals import Operator, operators
from lossrun.torch_internals import storage_address as storage

# For dense networks. With fewer samples products are slower in this order; with more, nothing is gained.
FEWEST_SAMPLES: Final = 16
MOST_SAMPLES: Final = 512
# Multiplications of the largest layer. With fewer, a step is all overhead, so the numbers stay torch's own.
LEAST_MULTIPLICATIONS: Final = 200_000

_IMAGES: Final = (nn.Conv2d, nn.AvgPool2d, nn.ZeroPad2d)
_DENSE: Final = (nn.Flatten, nn.Linear, nn.BatchNorm1d, nn.Dropout, *ACTIVATIONS.values())


def suits(network: nn.Module, batch_size: int) -> bool:
    """Return whether every layer keeps the order, and there is something to gain.

    If some layer of images needs torch's own kernels, turning the images to them and back costs what the order gains.
    """
    layers = [module for module in network.modules() if not isinstance(module, nn.Sequential | Network)]
    if any(isinstance(layer, nn.Conv2d) for layer in layers):
        return all(
            has_few_channels(layer) if isinstance(layer, nn.Conv2d) else isinstance(layer, (*_IMAGES, *_DENSE))
            for layer in layers
        )
    dense = [layer.weight for layer in layers if isinstance(layer, nn.Linear)]
    return (
        all(isinstance(layer, _DENSE) for layer in layers)
        and FEWEST_SAMPLES <= batch_size <= MOST_SAMPLES
        and max(weight.numel() for weight in dense) * batch_size >= LEAST_MULTIPLICATIONS
    )


class BatchLast:
    """Computes the operators of one recording in this order, for networks of one architecture that it suits."""

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        layers = [layer for network in networks for layer in network.modules()]
        self.weights = {storage(layer.weight) for layer in layers if isinstance(layer, nn.Linear)}
        self.of_images = any(isinstance(layer, nn.Conv2d) for layer in layers)
        self.convolutions = Convolutions()
        self.rectified: set[int] = set()
        self.masked: set[int] = set()
        aten = torch.ops.aten
        self.decompositions: dict[Operator, Callable[..., Decomposition | None]] = {
            aten.clone.default: self._flattened,
            aten.relu.default: self._relu,
            aten.avg_pool2d_backward.default: self._pool_backward,
            aten.threshold_backward.default: self._relu_backward,
            aten.addmm.default: self._affine,
            aten.mm.default: self._product,
            aten.bernoulli_.float: self._mask,
            aten.native_batch_norm.default: self._batch_norm,
            aten.native_batch_norm_backward.default: self._batch_norm_backward,
        }
        for op in operators(["_to_copy"]):
            self.decompositions[op] = self._pixels
        for op in operators(["_softmax", "_log_softmax"]):
            self.decompositions[op] = partial(self._softmax, op)
        for op in operators(["_softmax_backward_data", "_log_softmax_backward_data"]):
            self.decompositions[op] = partial(self._softmax_backward, op)

    def decomposed(self, op: Operator, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Decomposition | None:
        """See `recording.Decompose`."""
        decompose = self.decompositions.get(op)
        return (
            (decompose and decompose(*args, **kwargs))
            or self.convolutions.decomposed(op, args, kwargs)
            or pools.decomposed(op, args, kwargs)
        )

    def _pixels(self, images: Tensor, **how: Any) -> Decomposition | None:
        """Turn bytes while they become floats."""
        if not self.of_images or images.ndim != 4 or images.is_floating_point() or how.keys() != {"dtype"}:
            return None
        return partial(_turned, images, how["dtype"])

    def _flattened(self, images: Tensor, **how: Any) -> Decomposition | None:
        """Make the copy that flattening needs, in an order in which the numbers of a sample become one axis."""
        turned = images.ndim == 4 and images.stride(0) == 1 and len(images) > 1
        return partial(_turned, images, images.dtype) if self.of_images and turned and how else None

    def _relu(self, images: Tensor) -> Decomposition | None:
        if images.ndim != 4:
            return None

        def rectified() -> Tensor:
            result = torch.clamp_min(images, 0)
            self.rectified.add(storage(result))
            return result

        return rectified

    def _pool_backward(self, gradient: Tensor, images: Tensor, *how: Any) -> Decomposition | None:
        """Include what relu's own backward pass would set to 0, in one go.

        The layers follow each other, so nothing else reads the result or adds to the gradient.
        """
        spread = pools.average_backward(gradient, images, *how, rectified=True)
        if spread is None or storage(images) not in self.rectified:
            return None

        def masked() -> Tensor:
            result: Tensor = spread()
            self.masked.add(storage(result))
            return result

        return masked

    def _relu_backward(self, gradient: Tensor, result: Tensor, threshold: float) -> Decomposition | None:
        del result, threshold
        return (lambda: gradient) if storage(gradient) in self.masked else None

    def _affine(self, bias: Tensor, inputs: Tensor, weight: Tensor, **scales: Any) -> Decomposition | None:
        if scales or storage(weight) not in self.weights:
            return None
        return lambda: torch.addmm(bias.unsqueeze(1), weight.t(), inputs.t()).t()

    def _product(self, gradient: Tensor, weight: Tensor) -> Decomposition | None:
        if storage(weight) not in self.weights:
            return None
        return lambda: torch.mm(weight.t(), gradient.t()).t()

    def _softmax(self, op: Operator, inputs: Tensor, axis: int, half: bool) -> Decomposition | None:
        if not _is_turned(inputs) or axis % 2 == 0:
            return None
        return lambda: op(inputs.t(), 0, half).t()

    def _softmax_backward(
        self, op: Operator, gradient: Tensor, outputs: Tensor, axis: int, dtype: torch.dtype
    ) -> Decomposition | None:
        if not _is_turned(outputs) or axis % 2 == 0:
            return None
        return lambda: op(_across(gradient), outputs.t(), 0, dtype).t()

    def _mask(self, mask: Tensor, share: float = 0.5) -> Decomposition | None:
        """Draw the dropout mask in torch's order, so that each sample gets the numbers it would get anyway.

        A recorded call leaves out arguments that have the operator's default, hence `share`.
        """
        if not _is_turned(mask):
            return None
        return lambda: mask.copy_(torch.empty(mask.shape, dtype=mask.dtype, device=mask.device).bernoulli_(share))

    def _batch_norm(self, inputs: Tensor, *rest: Any) -> Decomposition | None:
        """Normalise as if the samples were the pixels of one image."""
        if not _is_turned(inputs):
            return None

        def normalised() -> tuple[Tensor, ...]:
            result, *statistics = torch.ops.aten.native_batch_norm(inputs.t().unsqueeze(0), *rest)
            return result.squeeze(0).t(), *statistics

        return normalised

    def _batch_norm_backward(self, gradient: Tensor, inputs: Tensor, *rest: Any) -> Decomposition | None:
        if not _is_turned(inputs):
            return None

        def gradients() -> tuple[Tensor, ...]:
            image = _across(gradient).unsqueeze(0), inputs.t().unsqueeze(0)
            first, *others = torch.ops.aten.native_batch_norm_backward(*image, *rest)
            return first.squeeze(0).t(), *others

        return gradients


def _turned(images: Tensor, dtype: torch.dtype) -> Tensor:
    """Return a copy of images (N, C, H, W) that lies in memory as (C, H, W, N)."""
    result = torch.empty((*images.shape[1:], len(images)), dtype=dtype, device=images.device)
    return result.copy_(images.permute(1, 2, 3, 0)).permute(3, 0, 1, 2)


def _across(matrix: Tensor) -> Tensor:
    """Return (N, K) as (K, N), contiguous."""
    return matrix.t() if _is_turned(matrix) else matrix.t().clone(memory_format=torch.contiguous_format)


def _is_turned(tensor: Tensor) -> bool:
    """Return whether it is a matrix (N, K) that lies in memory as (K, N)."""
    return tensor.ndim == 2 and tensor.stride() == (1, len(tensor)) and min(tensor.shape) > 1
