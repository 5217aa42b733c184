"""Compute convolutions as matrix products, for networks of few channels; torch's own kernels are made for many.

A batch of images lies in memory as (height, channels, width, samples), so that all samples are computed side by side.
Then the windows of a row of pixels are rows of one matrix, and a convolution is a product with it. A pool is a sum of
slices (`pools.py`), and elementwise operators keep the order. Shapes do not change, only strides.

Sums are added up in a different order from torch's. Times: tests/bench/README.md.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

import torch
from torch import Tensor, nn

from lossrun.replay.kernels import Decomposition
from lossrun.torch_internals import Operator
from lossrun.torch_internals import storage_address as storage

# With more channels torch's own kernels are faster; so they are for a first layer whose number of filters suits them.
MOST_CHANNELS: Final = 8
_FIRST_LAYER: Final = 3
_FILTERS_AT_A_TIME: Final = 16
# Fewer samples do not fill a processor's vectors; with more, results have left the cache before they are read.
FEWEST_SAMPLES: Final = 8
MOST_SAMPLES: Final = 256
# Bytes of the windows without their margin, which are kept until the backward pass: 25 million for 256 images of
# 8 x 32 x 32 and 3 x 3 filters.
LARGEST_WINDOWS: Final = 2**25


def has_few_channels(layer: nn.Conv2d) -> bool:
    """Return whether a layer has so few channels that products are faster than torch's kernels."""
    first = layer.in_channels <= _FIRST_LAYER
    if layer.in_channels > MOST_CHANNELS or (first and layer.out_channels % _FILTERS_AT_A_TIME == 0):
        return False
    return layer.groups == 1 and all(value == 1 for value in (*layer.stride, *layer.dilation))


class Convolutions:
    """The convolutions of one recording. The forward pass keeps its windows for the backward pass."""

    def __init__(self) -> None:
        self.windows: dict[Any, Tensor] = {}

    def decomposed(self, op: Operator, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Decomposition | None:
        """See `recording.Decompose`."""
        if kwargs:
            return None
        if op is torch.ops.aten.convolution.default and _pays(*args):
            images, weight, bias, _, padding, *_ = args
            margin = _Margin(images, padding)
            return partial(self._forward, images, weight, bias, margin, margin.of_zeros(images))
        if op is torch.ops.aten.convolution_backward.default and _key(args[1], args[2], args[5]) in self.windows:
            gradient, images, weight, _, _, padding, *_, wanted = args
            return partial(self._backward, gradient, images, weight, _Margin(images, padding), wanted)
        return None

    def _forward(
        self, images: Tensor, weight: Tensor, bias: Tensor | None, margin: "_Margin", zeros: Tensor | None
    ) -> Tensor:
        windows = self.windows[_key(images, weight, margin.padding)] = _windows(margin.around(images, zeros), weight)
        result = _matrix(weight).expand(len(windows), -1, -1).bmm(windows)
        if bias is not None:
            result.add_(bias.unsqueeze(1))
        return _as_images(result.view(*result.shape[:2], -1, len(images)))

    def _backward(
        self, gradient: Tensor, images: Tensor, weight: Tensor, margin: "_Margin", wanted: list[bool]
    ) -> tuple[Tensor | None, ...]:
        across = _samples_last(gradient)
        by_row = across.reshape(*across.shape[:2], -1)
        # Autograd makes sure that the images have not changed.
        windows = self.windows[_key(images, weight, margin.padding)]
        return (
            _image_gradient(by_row, weight, margin) if wanted[0] else None,
            _weight_gradient(by_row, windows, weight) if wanted[1] else None,
            by_row.sum((0, 2)) if wanted[2] else None,
        )


def _pays(
    images: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: list[int],
    padding: list[int],
    dilation: list[int],
    transposed: bool,
    output_padding: list[int],
    groups: int,
) -> bool:
    del bias, padding, output_padding
    if transposed or groups != 1 or images.ndim != 4 or any(value != 1 for value in (*stride, *dilation)):
        return False
    if images.device.type != "cpu" or not images.dtype == weight.dtype == torch.float32:
        return False
    windows = images.numel() * weight.shape[3] * images.element_size()
    return FEWEST_SAMPLES <= len(images) <= MOST_SAMPLES and windows <= LARGEST_WINDOWS


def _key(images: Tensor, weight: Tensor, padding: list[int]) -> Any:
    """Identify windows: these pixels, for this layer."""
    memory = storage(images), images.storage_offset(), images.shape, images.stride()
    return *memory, storage(weight), weight.storage_offset(), tuple(padding)


class _Margin:
    """A margin of zeros around the images."""

    def __init__(self, images: Tensor, padding: list[int]) -> None:
        samples, channels, self.height, self.width = images.shape
        self.padding = padding
        self.top, self.left = padding[0], padding[-1]
        self.shape = (self.height + 2 * self.top, channels, self.width + 2 * self.left, samples)

    def of_zeros(self, images: Tensor) -> Tensor | None:
        """Return memory for `around`, made before the recording so that zeros are written once; None if not needed."""
        return images.new_zeros(self.shape) if self.top or self.left else None

    def around(self, images: Tensor, zeros: Tensor | None) -> Tensor:
        """Return (N, C, H, W) as (H + margin, C, W + margin, N)."""
        images = _samples_last(images)
        if zeros is None:
            return images
        self.without(zeros).copy_(images)
        return zeros

    def without(self, padded: Tensor) -> Tensor:
        return padded[self.top : self.top + self.height, :, self.left : self.left + self.width]


def _weight_gradient(gradient: Tensor, windows: Tensor, weight: Tensor) -> Tensor:
    filters, channels, height, width = weight.shape
    return gradient.bmm(windows.mT).sum(0).view(filters, height, channels, width).transpose(1, 2)


def _image_gradient(gradient: Tensor, weight: Tensor, margin: _Margin) -> Tensor:
    """Return the gradient of each pixel: of all windows that it is in, added up over their rows, then their columns."""
    filters, channels, height, width = weight.shape
    by_row = _matrix(weight).view(filters, height, channels * width).permute(1, 2, 0)
    rows = len(gradient)
    all_rows, _, all_columns, samples = margin.shape
    columns = all_columns - width + 1
    spread = gradient.new_empty(all_rows, channels * width, columns * samples)
    torch.bmm(by_row[0].expand(rows, -1, -1), gradient, out=spread[:rows])
    spread[rows:].zero_()
    for row in range(1, height):
        spread[row : row + rows].baddbmm_(by_row[row].expand(rows, -1, -1), gradient)
    spread = spread.view(all_rows, channels, width, columns, samples)
    result = gradient.new_empty(margin.shape)
    result[:, :, :columns].copy_(spread[:, :, 0])
    result[:, :, columns:].zero_()
    for column in range(1, width):
        result[:, :, column : column + columns].add_(spread[:, :, column])
    return _as_images(margin.without(result))


def _windows(padded: Tensor, weight: Tensor) -> Tensor:
    """Return (H, C, W, N) as (rows of windows, weights of a filter, windows in a row x N), the weights as in `_matrix`.

    Only the columns of the windows are copied. Their rows are rows of the images, so that the matrices overlap.
    """
    height, width = weight.shape[2:]
    columns = _copied(padded.unfold(2, width, 1).permute(0, 1, 4, 2, 3))
    rows, channels, _, places, samples = columns.shape
    overlapping = columns.view(rows, channels * width, places * samples).unfold(0, height, 1).permute(0, 3, 1, 2)
    return overlapping.view(-1, height * channels * width, places * samples)


def _matrix(weight: Tensor) -> Tensor:
    """Return (filters, C, height, width) as (filters, height x C x width)."""
    return _copied(weight.transpose(1, 2)).view(len(weight), -1)


def _samples_last(images: Tensor) -> Tensor:
    """Return (N, C, H, W) as (H, C, W, N), contiguous except for the first two axes; a copy if they are not."""
    across = images.permute(2, 1, 3, 0)
    if across.stride(3) == 1 and across.stride(2) == across.shape[3]:
        return across
    # Transposing a matrix is what torch does fastest.
    pixels = _copied(images.reshape(len(images), -1).t())
    return pixels.view(*images.shape[1:], len(images)).transpose(0, 1)


def _as_images(across: Tensor) -> Tensor:
    """Return (H, C, W, N) as (N, C, H, W)."""
    return across.permute(3, 1, 0, 2)


def _copied(tensor: Tensor) -> Tensor:
    return tensor.clone(memory_format=torch.contiguous_format)
