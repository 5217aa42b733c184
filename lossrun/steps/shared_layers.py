"""Dropout and batch norm for a batch that several processes compute together, each a part of it.

They keep the names, weights and buffers of the layers that they replace, so checkpoints hold the same.
"""

from typing import Any, Final

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from lossrun.errors import UsageError
from lossrun.steps.shared_batch import Share

# They multiply by a mask of 0 and 1 / (1 - p), which can be drawn for all samples and cut.
_MASKING: Final = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)
_NORMS: Final = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
_OTHERS: Final = (nn.AlphaDropout, nn.FeatureAlphaDropout)


def share_layers(network: nn.Module, share: Share) -> None:
    """Replace dropout and batch norm inside the network. Raises UsageError for a layer that cannot be shared."""
    for parent in list(network.modules()):
        for name, layer in list(parent.named_children()):
            if isinstance(layer, _MASKING):
                setattr(parent, name, SharedDropout(layer, share))
            elif isinstance(layer, _NORMS):
                setattr(parent, name, SharedBatchNorm(layer, share))
            elif isinstance(layer, _OTHERS):
                raise UsageError(
                    f"model: {type(layer).__name__} is not supported in several processes; use Dropout, or one process"
                )


def has_batch_norm(network: nn.Module) -> bool:
    """Return whether a training step needs statistics of the whole batch."""
    return any(isinstance(layer, _NORMS) for layer in network.modules())


class SharedDropout(nn.Module):
    """Draws the mask of the whole batch, as one process would, and uses its own part of it."""

    def __init__(self, dropout: nn.Module, share: Share) -> None:
        super().__init__()
        self.dropout = dropout
        self.share = share

    def forward(self, inputs: Tensor) -> Tensor:
        if not self.training:
            return inputs
        share = self.share
        # A model may have folded other axes into the axis of the samples.
        each = len(inputs) // share.computed
        mask: Tensor = self.dropout(inputs.new_ones(share.whole * each, *inputs.shape[1:]))
        start = share.first * each if share.first < share.last else 0
        return inputs * mask[start : start + len(inputs)]


class SharedBatchNorm(nn.Module):
    """Batch norm over the whole batch. torch's `SyncBatchNorm` does the same, on GPUs only."""

    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(self, norm: Any, share: Share) -> None:
        super().__init__()
        self.eps, self.momentum, self.share = norm.eps, norm.momentum, share
        self.weight, self.bias = norm.weight, norm.bias
        for name in ("running_mean", "running_var", "num_batches_tracked"):
            self.register_buffer(name, getattr(norm, name))

    def forward(self, inputs: Tensor) -> Tensor:
        if not self.training:
            mean, variance = self.running_mean, self.running_var
            return F.batch_norm(inputs, mean, variance, self.weight, self.bias, training=mean is None, eps=self.eps)
        share, values = self.share, inputs.float() if inputs.dtype == torch.bfloat16 else inputs
        each = len(values) // share.computed
        kept = values[: (share.last - share.first) * each]
        axes = [axis for axis in range(values.ndim) if axis != 1]
        count = share.whole * each * (values[0, 0].numel())
        # The mean first: the difference of two large sums would lose digits.
        mean = _summed(kept.sum(axes), share) / count
        centred = values - _along(mean, values)
        variance = _summed(centred[: len(kept)].square().sum(axes), share) / count
        self._keep(mean.detach(), variance.detach() * (count / max(count - 1, 1)))
        result = centred * _along((variance + self.eps).rsqrt(), values)
        if self.weight is not None:
            result = result * _along(self.weight, values) + _along(self.bias, values)
        return result.to(inputs.dtype)

    @torch.no_grad()
    def _keep(self, mean: Tensor, variance: Tensor) -> None:
        """Move the running statistics towards those of this batch."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        momentum = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), momentum)
        self.running_var.lerp_(variance.to(self.running_var.dtype), momentum)


class _Sum(torch.autograd.Function):
    """A sum over all processes; its gradient is the sum of theirs."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, share: Share) -> Tensor:
        ctx.share = share
        total = values.clone()
        share.add_up(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        total = gradients[0].clone()
        ctx.share.add_up(total)
        return total, None


def _summed(values: Tensor, share: Share) -> Tensor:
    total: Tensor = _Sum.apply(values, share)  # type: ignore[no-untyped-call]
    return total


def _along(channels: Tensor, like: Tensor) -> Tensor:
    """Return values of each channel, (C,), in a shape that multiplies (N, C, ...)."""
    return channels.view(1, -1, *[1] * (like.ndim - 2))
