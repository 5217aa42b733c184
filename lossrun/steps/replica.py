"""One seed's copy of the model, with everything that training changes."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Final

import torch
from torch import Tensor, nn

from lossrun.components.losses.reductions import Objective
from lossrun.components.network import Network, Output, activated, before_activation
from lossrun.components.schedules import PlateauState
from lossrun.steps.remembered import BestSoFar, Health
from lossrun.steps.samples import Parts

_DROPOUTS: Final = (
    nn.Dropout,
    nn.Dropout1d,
    nn.Dropout2d,
    nn.Dropout3d,
    nn.AlphaDropout,
    nn.FeatureAlphaDropout,
)


@dataclass(slots=True, eq=False)
class Replica:
    """One seed's model, loss and optimizer, and the progress of its training.

    Attributes:
        weights: Everything that the optimizer updates, including the weights of a loss that learns.
        best: The best epoch so far, by the metric that chooses the best weights.
        output: The activation of the model's last layer.
        stopping: The best value of the metric that early stopping watches; None without early stopping.
        plateau: The state of `reduce_on_plateau`; None for other schedules.
        stopped_epoch: The last epoch of a seed that early stopping has frozen.
        diverged_epoch: The last epoch of a seed that has diverged, and is frozen for good.
        withdrawn_epoch: The last epoch of a seed whose run ended because of another seed.
        thaws: Whether a stopped seed continues with the next epoch.
        health: What the health checks remember of the seed.
        order: The order in which the present epoch takes the training samples.
        generator_state: The state of the seed's dropout stream, kept here while another seed is trained.
        mixed: Whether the model computes in bfloat16 where that is safe (torch's autocast). Weights and losses do not.
        own_optimizer: Whether the optimizer is the user's, which may do more than torch's do.
        best_weights: The model's weights and buffers after the best epoch, on its device; empty before the first.
        counted: The weight of each training sample in the divisor of the loss's mean, (N,); None if all are equal.
    """

    seed: int
    network: nn.Module
    objective: Objective
    optimizer: torch.optim.Optimizer
    weights: list[nn.Parameter]
    parts: Parts
    best: BestSoFar
    output: Output = "none"
    stopping: BestSoFar | None = None
    plateau: PlateauState | None = None
    stopped_epoch: int | None = None
    diverged_epoch: int | None = None
    withdrawn_epoch: int | None = None
    thaws: bool = False
    health: Health = field(default_factory=Health)
    order: Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.int64))
    generator_state: Tensor | None = None
    mixed: bool = False
    own_optimizer: bool = False
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    counted: Tensor | None = None

    def arithmetic(self) -> AbstractContextManager[object]:
        """Return the context to run the model in."""
        if not self.mixed:
            return nullcontext()
        return torch.autocast(self.weights[0].device.type, torch.bfloat16)

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return outputs and pre-activations, (N, K).

        A user's model gives outputs only; pre-activations are computed back from its probabilities.
        """
        network = self.network
        with self.arithmetic():
            result: Tensor = network.preactivations(inputs) if isinstance(network, Network) else network(inputs)
        result = result.to(inputs.dtype)
        if isinstance(network, Network):
            return activated(result, network.output), result
        return result, before_activation(result, self.output)

    @property
    def frozen(self) -> bool:
        return self.frozen_epoch is not None

    @property
    def frozen_epoch(self) -> int | None:
        """The last epoch of a seed that no longer trains; None if it still trains."""
        ends = (self.stopped_epoch, self.diverged_epoch, self.withdrawn_epoch)
        return min((epoch for epoch in ends if epoch is not None), default=None)

    @property
    def draws(self) -> bool:
        """Whether a training step consumes random numbers."""
        return any(isinstance(module, _DROPOUTS) for module in self.network.modules())
