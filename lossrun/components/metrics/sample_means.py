"""Means over samples that count alike, or each by a weight of its own."""

import torch
from torch import Tensor


def mean(values: Tensor, weights: Tensor | None = None) -> Tensor:
    """The mean over the last two axes, outputs and samples. weights: (N,), of the samples."""
    if weights is None:
        return values.mean(dim=(-2, -1))
    return over_samples(values, weights).mean(dim=-1)


def over_samples(values: Tensor, weights: Tensor | None = None) -> Tensor:
    """The mean over the last axis, the samples. weights: (N,)."""
    return values.mean(dim=-1) if weights is None else (values * weights).sum(dim=-1) / weights.sum()


def exact_weights(weights: Tensor) -> Tensor:
    """The weights (N,) in double precision, rounded to whole multiples of a power of 2 so that no sum of some of them
    is rounded: it is the same in whatever order a GPU adds. Relative to their sum they move by 1e-16."""
    weights = weights.detach().double()
    unit = power_of_two(weights.sum())
    return (weights / unit).round_().mul_(unit)


def power_of_two(total: Tensor) -> Tensor:
    """The power of 2 whose whole multiples up to `total` are all exact in double precision. Nothing is read."""
    _, exponent = torch.frexp(total)
    return torch.ldexp(torch.ones_like(total), exponent - 52)
