"""Compute average pooling as sums of strided slices, because torch's own kernel takes its windows one by one.

For 128 images of 6 x 28 x 28 it takes 80 us instead of 740 forward and 200 instead of 720 backward. The sums are added
up in another order. Results lie in memory in the order of the images.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import torch
from torch import Tensor

from lossrun.replay.kernels import Decomposition
from lossrun.torch_internals import Operator


def decomposed(op: Operator, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Decomposition | None:
    """See `recording.Decompose`. Only for windows that cover the image side by side; other pools stay as they are."""
    decompose = None if kwargs else _DECOMPOSITIONS.get(op)
    return decompose(*args) if decompose else None


def _average(images: Tensor, window: list[int], *how: Any) -> Decomposition | None:
    return partial(_averaged, images, window[0]) if _tiles(images, window, *how) else None


def average_backward(
    gradient: Tensor, images: Tensor, window: list[int], *how: Any, rectified: bool = False
) -> Decomposition | None:
    """Return the gradient of the images. `rectified`: they are results of relu, whose backward pass is done as well."""
    if not _tiles(images, window, *how):
        return None
    return partial(_spread_where_positive if rectified else _spread, gradient, images, window[0])


def _tiles(
    images: Tensor,
    window: list[int],
    stride: list[int] | None = None,
    padding: Any = (0,),
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor: int | None = None,
) -> bool:
    """Return whether square windows cover each pixel once; then `ceil_mode` and `count_include_pad` do nothing."""
    del ceil_mode, count_include_pad
    side = window[0]
    square = all(value == side for value in (*window, *(stride or ())))
    fits = images.shape[-2] % side == 0 and images.shape[-1] % side == 0
    # In bfloat16 torch adds up in float32.
    exact = images.dtype in (torch.float32, torch.float64)
    return exact and square and fits and divisor is None and not any(padding) and images.ndim == 4


def _averaged(images: Tensor, side: int) -> Tensor:
    if side == 1:
        return images.clone()
    bands = _sum([images[:, :, row::side] for row in range(side)])
    return _sum([bands[..., column::side] for column in range(side)]).mul_(1 / side**2)


def _sum(parts: list[Tensor]) -> Tensor:
    total = parts[0] + parts[1]
    for part in parts[2:]:
        total.add_(part)
    return total


def _spread(gradient: Tensor, images: Tensor, side: int) -> Tensor:
    result = torch.empty_like(images)
    height, width = gradient.shape[2:]
    windows = result.view(*result.shape[:2], height, side, width, side)
    torch.mul(gradient.unsqueeze(3).unsqueeze(5).expand_as(windows), 1 / side**2, out=windows)
    return result


def _spread_where_positive(gradient: Tensor, images: Tensor, side: int) -> Tensor:
    result = torch.empty_like(images)
    share = gradient * (1 / side**2)
    for row in range(side):
        for column in range(side):
            read, written = images[..., row::side, column::side], result[..., row::side, column::side]
            torch.ops.aten.threshold_backward.grad_input(share, read, 0, grad_input=written)
    return result


_DECOMPOSITIONS: Final[dict[Operator, Callable[..., Decomposition | None]]] = {
    torch.ops.aten.avg_pool2d.default: _average,
    torch.ops.aten.avg_pool2d_backward.default: average_backward,
}
