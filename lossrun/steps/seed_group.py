"""Seed groups: seeds that are trained together, either a single seed or several as a stack (`seed_stack.py`).

A seed group defines what is computed; a step (`step.py`) decides how: operation by operation, or replayed.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from lossrun.steps.randomness import generator_state, set_generator_state
from lossrun.steps.replica import Replica
from lossrun.steps.samples import Samples
from lossrun.torch_internals import bare_step


class SeedGroup(Protocol):
    """Seeds that are trained as one computation.

    Attributes:
        replicas: All seeds of the group.
        active: The seeds that still train.
        computed: The seeds that are computed: the active ones, and in a stack also frozen ones that have not left it
            yet.
        network: The model that computes for all of them.
        axis: The leading axis of all computed tensors: () for a single seed, (computed,) for a stack.
        weights: What the optimizer updates.
        buffers: The buffers of batch norm and similar layers.
        optimizer: One optimizer for all of them.
        update: Takes one step of the optimizer, by the gradients of the weights.
        own_rates: Whether each seed has its own learning rate.
        train: The training samples; of seeds with different splits one split after the other.
    """

    replicas: Sequence[Replica]
    active: Sequence[Replica]
    computed: Sequence[Replica]
    network: nn.Module
    axis: tuple[int, ...]
    weights: Sequence[Tensor]
    buffers: Sequence[Tensor]
    optimizer: torch.optim.Optimizer
    update: Callable[[], object]
    own_rates: bool
    train: Samples

    def set_rates(self, rates: Sequence[float]) -> None:
        """Set the learning rate of the next update, for each of `replicas`."""
        ...

    def begin_epoch(self) -> bool:
        """Update which seeds still train, and their orders; return whether the weights have moved to other memory."""
        ...

    def publish(self) -> None:
        """Make the state of each seed's own optimizer current; see `Step`."""
        ...

    def keep_best(self, improved: Sequence[Replica]) -> None:
        """Keep the present weights of these seeds as their best ones: copies on the device, without waiting for it."""
        ...

    def rows(self, start: int, stop: int) -> Tensor:
        """Return the rows of the samples at `[start, stop)` of each computed seed's order, seed by seed, flat."""
        ...

    def losses(self, inputs: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
        """Return the mean loss of a training batch, shape `axis`.

        Args:
            inputs: (*axis, N, ...).
            targets: (*axis, N) or with more axes.
            weights: How much each sample counts, (*axis, N).
        """
        ...

    def combined(self, losses: Tensor) -> Tensor:
        """Add up losses and gradients over the processes that compute a part of the batch."""
        ...

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return outputs and pre-activations, (*axis, N, K); every seed gets the same inputs, (N, ...)."""
        ...

    def mean_losses(self, outputs: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
        """Return the objective of outputs (*axis, N, K), shape `axis`; all seeds share targets and weights."""
        ...

    def for_all(self, values: Tensor) -> Tensor:
        """Return values of shape `axis` as one for each of `replicas`, (seeds,); 0 for a frozen one."""
        ...


class LoneSeed:
    """A single seed, in its own model and optimizer."""

    axis: tuple[int, ...] = ()
    own_rates = False

    def __init__(self, replica: Replica) -> None:
        self.replica = replica
        self.replicas: Sequence[Replica] = [replica]
        self.active: Sequence[Replica] = self.replicas
        self.computed: Sequence[Replica] = self.replicas
        self.network = replica.network
        self.train = replica.parts.train
        self.weights: Sequence[Tensor] = replica.weights
        self.buffers: Sequence[Tensor] = [*replica.network.buffers(), *replica.objective.buffers()]
        self.optimizer = replica.optimizer
        self.update = self.optimizer.step if replica.own_optimizer else bare_step(self.optimizer)

    def set_rates(self, rates: Sequence[float]) -> None:
        for parameters in self.optimizer.param_groups:
            parameters["lr"] = rates[0]

    def begin_epoch(self) -> bool:
        self.active = [] if self.replica.frozen else self.replicas
        return False

    def publish(self) -> None:
        """Do nothing: everything is in its place already."""

    def keep_best(self, improved: Sequence[Replica]) -> None:
        for replica in improved:
            replica.best_weights = {
                name: tensor.detach().clone() for name, tensor in replica.network.state_dict().items()
            }

    def rows(self, start: int, stop: int) -> Tensor:
        return self.replica.order[start:stop]

    def losses(self, inputs: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
        with self.replica.arithmetic():
            outputs = self.replica.network(inputs)
        loss: Tensor = self.replica.objective(outputs.to(inputs.dtype), targets, weights)
        return loss

    def combined(self, losses: Tensor) -> Tensor:
        return losses

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        return self.replica.forward(inputs)

    def mean_losses(self, outputs: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
        loss: Tensor = self.replica.objective(outputs, targets, weights)
        return loss

    def for_all(self, values: Tensor) -> Tensor:
        return values.reshape(-1)


def gather(group: SeedGroup, samples: Samples, rows: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
    """Return raw inputs, targets and, where samples have them, weights of these rows, with the group's leading axis."""
    size = (*group.axis, -1)
    inputs, targets = samples.inputs.index_select(0, rows), samples.targets.index_select(0, rows)
    weights = None if samples.weights is None else samples.weights.index_select(0, rows).view(size)
    return inputs.view(*size, *inputs.shape[1:]), targets.view(*size, *targets.shape[1:]), weights


def minimised(group: SeedGroup, losses: Tensor, batch_size: int) -> Tensor:
    """Return the number to minimise. Its gradient contains each seed's, because no loss depends on another seed's
    weights.

    `losses`: means over the batch, shape `axis`; a reduction such as a sum multiplies them by a factor.
    """
    # One number instead of a gradient for each seed: given such gradients, torch imports sympy, which takes 0.4 s.
    total = losses.sum() if group.axis else losses
    factor = group.replicas[0].objective.factor(batch_size)
    return total if factor == 1 else total * factor


def gradient_norm(group: SeedGroup) -> Tensor:
    """Return the Euclidean norm of the gradient over all weights of each seed, shape `axis`."""
    gradients = [weight.grad for weight in group.weights if weight.grad is not None]
    if not gradients:
        return torch.zeros(group.axis, device=group.weights[0].device)
    if not group.axis:
        return torch.nn.utils.get_total_norm(gradients)
    return torch.stack([gradient.flatten(1).square().sum(1) for gradient in gradients]).sum(0).sqrt()


def take_generator(group: SeedGroup) -> None:
    """Set torch's generator to the state of this group's stream."""
    if (state := group.replicas[0].generator_state) is not None:
        set_generator_state(state, group.replicas[0].weights[0].device)


def keep_generator(group: SeedGroup) -> None:
    """Keep the state of the group's stream."""
    state = generator_state(group.replicas[0].weights[0].device)
    for replica in group.replicas:
        replica.generator_state = state
