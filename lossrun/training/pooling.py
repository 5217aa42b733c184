"""Average pooling of a recording as sums of strided slices: torch's own takes its windows one by one.

6 channels of 28 x 28, 128 images: 80 us instead of 740 forward, 200 instead of 720 backward. The sums are added up in
another order.
"""

from functools import partial
from typing import Any

import torch
from torch import Tensor

from lossrun.training.tape import Call, Kernel


def faster_pool(call: Call) -> Kernel | None:
    """A kernel for windows that tile the image side by side; None for everything else."""
    if call.op is torch.ops.aten.avg_pool2d.default:
        images, window, *rest = call.args
        return _forward(images, window[0], call.result) if _tiles(images, window, *rest) else None
    if call.op is torch.ops.aten.avg_pool2d_backward.default:
        gradient, images, window, *rest = call.args
        return _backward(gradient, window[0], call.result) if _tiles(images, window, *rest) else None
    return None


def _tiles(
    images: Tensor,
    window: list[int],
    stride: list[int] | None = None,
    padding: Any = (0,),
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor: int | None = None,
) -> bool:
    """Whether square windows cover every pixel of contiguous images once. `ceil_mode` and `count_include_pad` change
    nothing then."""
    del ceil_mode, count_include_pad
    side = window[0]
    square = all(value == side for value in (*window, *(stride or ())))
    fits = images.shape[-2] % side == 0 and images.shape[-1] % side == 0
    return square and fits and divisor is None and not any(padding) and images.ndim == 4 and images.is_contiguous()


def _forward(images: Tensor, side: int, result: Tensor) -> Kernel:
    count, channels, height, width = images.shape
    bands = images.view(count, channels, height // side, side, width).unbind(3)
    sums = images.new_empty(count, channels, height // side, width)
    columns = sums.view(count, channels, height // side, width // side, side).unbind(4)

    def pool() -> None:
        _add_up(bands, sums)
        _add_up(columns, result)
        result.mul_(1 / side**2)

    return pool if side > 1 else partial(result.copy_, images)


def _backward(gradient: Tensor, side: int, result: Tensor) -> Kernel:
    count, channels, height, width = result.shape
    windows = result.view(count, channels, height // side, side, width // side, side)
    places = [windows[:, :, :, row, :, column] for row in range(side) for column in range(side)]
    share = torch.empty_like(gradient)

    def spread() -> None:
        torch.mul(gradient, 1 / side**2, out=share)
        for place in places:
            place.copy_(share)

    return spread


def _add_up(parts: tuple[Tensor, ...], out: Tensor) -> None:
    torch.add(parts[0], parts[1], out=out)
    for part in parts[2:]:
        out.add_(part)
