"""The data of a seed, as tensors on the device."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Samples:
    """A part of the data on the device.

    Attributes:
        inputs: The model's inputs, or raw bytes that `scaled` turns into inputs.
        targets: The loss's targets; scaled in a regression.
        ids: Row numbers in the source of the part.
        dtype: The type of the model's inputs.
        scale: Mean (None for 0) and standard deviation of raw inputs.
        weights: How much each sample counts, (N,); None if all count the same.
    """

    inputs: Tensor
    targets: Tensor
    ids: Tensor
    dtype: torch.dtype
    scale: tuple[Tensor | None, Tensor] | None = None
    weights: Tensor | None = None

    def __len__(self) -> int:
        return len(self.targets)

    def thinned(self, most: int) -> "Samples":
        """Return at most `count` samples, taken evenly from all of them because data may be sorted."""
        every = slice(None, None, -(-len(self) // most))
        weights = None if self.weights is None else self.weights[every]
        return replace(
            self, inputs=self.inputs[every], targets=self.targets[every], ids=self.ids[every], weights=weights
        )

    def scaled(self, inputs: Tensor) -> Tensor:
        """Turn rows of `inputs` into what the model takes."""
        if self.scale is None:
            return inputs
        mean, std = self.scale
        floats = inputs.float() if mean is None else inputs.float().sub_(mean)
        return floats.div_(std).to(self.dtype)


@dataclass(frozen=True, slots=True)
class Parts:
    """The data of one seed. `target_mean` and `target_std` are what the targets of a regression were scaled by."""

    train: Samples
    validation: Samples | None
    test: Samples | None
    target_mean: Tensor
    target_std: Tensor

    def in_original_units(self, values: Tensor) -> Tensor:
        """Return targets or predictions of a regression, (N, K), in original units and double precision."""
        return values.double() * self.target_std + self.target_mean
