"""Collect the losses of the epoch in progress, step by step, and compute the results at its end."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass(slots=True)
class EpochSums:
    """The epoch in progress. Tensors are in double precision; all but `rates` are on the device.

    Attributes:
        losses: The mean loss of each step done so far, (steps, seeds).
        gradient_norm: Of the epoch's last step, (seeds,); 0 before.
        first_gradient_norm: Of the epoch's first step, (seeds,); for messages.
        rates: The learning rates of the epoch's last step, (seeds,); 0 before.
        samples: The number of samples in each step done so far.
        counted: What each step's mean divides by, (steps, seeds), where that is not the number of its samples. It
            follows from the order of the samples, so no checkpoint holds it.
    """

    losses: Tensor
    gradient_norm: Tensor
    first_gradient_norm: Tensor
    rates: Tensor
    samples: list[int] = field(default_factory=list)
    counted: Tensor | None = None

    @classmethod
    def zero(cls, steps: int, seeds: int, device: torch.device) -> "EpochSums":
        def zeros(*shape: int) -> Tensor:
            return torch.zeros(shape, dtype=torch.float64, device=device)

        return cls(
            losses=zeros(steps, seeds),
            gradient_norm=zeros(seeds),
            first_gradient_norm=zeros(seeds),
            rates=torch.zeros(seeds, dtype=torch.float64),
        )

    def add(self, samples: Sequence[int]) -> Tensor:
        """Add steps, each with its number of samples; return where to write their mean losses, (steps, seeds)."""
        first = len(self.samples)
        self.samples += samples
        return self.losses[first : first + len(samples)]

    def mean(self) -> Tensor:
        """Return the mean loss of a sample so far, (seeds,).

        The sum of all losses divided by what they count for; the mean of the steps' means would be another number.
        """
        if self.counted is not None:
            steps = len(self.samples)
            return _weighted_mean(self.losses[:steps], self.counted[:steps])
        samples = torch.tensor(self.samples, dtype=torch.float64, device=self.losses.device)
        return samples @ self.losses[: len(samples)] / samples.sum()

    def recent(self) -> Tensor:
        """Return the loss of each seed in the last tenth of the steps so far, (seeds,).

        In all of the steps, if no sample of the last tenth counts.
        """
        steps = len(self.samples)
        first = steps - max(steps // 10, 1)
        if self.counted is None:
            return self.losses[first:steps].mean(dim=0)
        losses, counted = self.losses[:steps], self.counted[:steps]
        late = _weighted_mean(losses[first:], counted[first:])
        return torch.where(counted[first:].ne(0).any(dim=0), late, _weighted_mean(losses, counted))

    def first(self) -> Tensor:
        """Return the loss of each seed in the first step in which any sample counts, (seeds,)."""
        if self.counted is None:
            return self.losses[0]
        return self.losses.gather(0, self.counted.ne(0).byte().argmax(dim=0, keepdim=True))[0]

    def first_bad(self, seed: int) -> int | None:
        """Return the first step, from 1, at which the loss of the seed at this place was NaN or infinite, if any."""
        bad = (~self.losses[: len(self.samples), seed].isfinite()).nonzero()
        return int(bad[0]) + 1 if len(bad) else None

    def reset(self) -> None:
        self.gradient_norm.zero_()
        self.rates.zero_()
        self.samples.clear()


def _weighted_mean(losses: Tensor, counted: Tensor) -> Tensor:
    """Return the weighted mean over the first axis; 0 where nothing counts."""
    return (losses * counted).sum(dim=0) / counted.sum(dim=0).clamp(min=torch.finfo(torch.float64).tiny)
