"""Average over samples, which count the same or by their weights."""

import torch
from torch import Tensor


def mean(values: Tensor, weights: Tensor | None = None) -> Tensor:
    """Return the mean over the last two axes, outputs and samples. weights: (N,), of the samples."""
    if weights is None:
        return values.mean(dim=(-2, -1))
    return over_samples(values, weights).mean(dim=-1)


def over_samples(values: Tensor, weights: Tensor | None) -> Tensor:
    """Return the mean over the last axis, the samples. weights: (N,)."""
    return values.mean(dim=-1) if weights is None else (values * weights).sum(dim=-1) / weights.sum()


def exact_weights(weights: Tensor) -> Tensor:
    """Return the weights, (N,), rounded so that no sum of some of them is rounded again.

    In double precision, as whole multiples of a power of 2: a sum is the same in whatever order a GPU adds. The weights
    change by 1e-16 relative to their sum.
    """
    weights = weights.detach().double()
    unit = power_of_two(weights.sum())
    return (weights / unit).round_().mul_(unit)


def power_of_two(total: Tensor) -> Tensor:
    """Return the power of 2 whose multiples up to `total` are all exact in double precision. Nothing is read back."""
    _, exponent = torch.frexp(total)
    return torch.ldexp(torch.ones_like(total), exponent - 52)
