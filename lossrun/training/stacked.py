"""All seeds as one batched computation: as many small models as there are seeds cost little more than one.

Weights, buffers and optimizer state of all seeds lie in stacked tensors with a leading seed axis. Each seed's own model
keeps views of its slice, so that evaluation and checkpoints see nothing of the stack. The numbers agree with those of
the seed-by-seed step to rounding (batched matrix products add up in another order), not to the bit.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.func import functional_call

from lossrun.catalog import get
from lossrun.catalog.declaration import Optimizer
from lossrun.config import Config
from lossrun.training.replica import Replica

# Weights of one seed. Beyond it a lone model's matrices keep two cores busy already, and stacking them gains nothing
# (tests/bench/seeds.py).
MOST_WEIGHTS: Final = 40_000

MakeOptimizer = Callable[[Sequence[Tensor]], torch.optim.Optimizer]


def why_not(config: Config, replicas: Sequence[Replica]) -> str:
    """Why these seeds must be trained one after the other; empty where they may be stacked. Decided by rule, never by
    timing: a resumed run decides alike."""
    for kind, choice in (("model", config.model), ("loss", config.loss), ("optimizer", config.optimizer)):
        if choice.is_plugin:
            return f"a {kind} of your own"
    optimizer = get("optimizer", config.optimizer.name)
    assert isinstance(optimizer, Optimizer)
    if not optimizer.elementwise:
        return f"{config.optimizer.name} looks at whole weight matrices"
    if config.schedule.name == "reduce_on_plateau":
        return "each seed has a learning rate of its own"
    if any(replica.parts is not replicas[0].parts for replica in replicas):
        return "each seed has a split of its own"
    if replicas[0].draws:
        return "dropout draws from a stream per seed"
    if any(isinstance(module, nn.Conv2d) for module in replicas[0].network.modules()):
        return "convolutions"
    count = sum(weight.numel() for weight in replicas[0].weights)
    return f"{count:,} weights keep the cores busy" if count > MOST_WEIGHTS else ""


class StackedStep:
    """See `step.Step`. Seeds that are frozen leave the stack at the next epoch."""

    kind = "stacked"

    def __init__(self, replicas: Sequence[Replica], make_optimizer: MakeOptimizer) -> None:
        self.replicas = replicas
        self.make_optimizer = make_optimizer
        self.active: list[int] = []

    def begin_epoch(self) -> None:
        """Stack the seeds that still train, unless they are stacked already, and their orders."""
        active = [index for index, replica in enumerate(self.replicas) if not replica.frozen]
        if active != self.active:
            self.publish()
            self.active = active
            self._stack([self.replicas[index] for index in active])
        self.orders = torch.stack([self.replicas[index].order for index in active])

    def __call__(self, start: int, stop: int, rates: Sequence[float]) -> Tensor:
        for weight in self.weights:
            weight.grad = None
        batch, train = self.orders[:, start:stop], self.replicas[0].parts.train
        inputs, targets = (
            samples.index_select(0, batch.reshape(-1)).view(*batch.shape, *samples.shape[1:])
            for samples in (train.inputs, train.targets)
        )
        losses = self.batched(self.parameters, self.buffers, inputs, targets)
        # No seed's loss depends on another's weights: the gradient of the sum holds each seed's own.
        factor = self.replicas[0].objective.factor(stop - start)
        (losses.sum() if factor == 1 else losses.sum() * factor).backward()
        for group in self.optimizer.param_groups:
            group["lr"] = rates[self.active[0]]
        self.optimizer.step()
        return self._for_all(losses.detach())

    def gradient_norm(self) -> Tensor:
        squares = [weight.grad.flatten(1).square().sum(1) for weight in self.weights if weight.grad is not None]
        return self._for_all(torch.stack(squares).sum(0).sqrt())

    def publish(self) -> None:
        """Give each seed's optimizer its slice of the state."""
        for place, index in enumerate(self.active):
            replica = self.replicas[index]
            for stacked, weight in zip(self.weights, replica.weights, strict=True):
                if state := self.optimizer.state.get(stacked):
                    replica.optimizer.state[weight] = {
                        name: value.clone() if value.ndim == 0 else value[place] for name, value in state.items()
                    }

    def _stack(self, replicas: Sequence[Replica]) -> None:
        self.weights = [
            torch.stack([weight.detach() for weight in slices]).requires_grad_()
            for slices in zip(*(replica.weights for replica in replicas), strict=True)
        ]
        names = [name for name, _ in replicas[0].network.named_parameters()]
        self.parameters = dict(zip(names, self.weights, strict=True))
        self.buffers = {
            name: torch.stack([replica.network.get_buffer(name) for replica in replicas])
            for name, _ in replicas[0].network.named_buffers()
        }
        self.optimizer = self.make_optimizer(self.weights)
        for position, stacked in enumerate(self.weights):
            states = [replica.optimizer.state.get(replica.weights[position], {}) for replica in replicas]
            if states[0]:
                self.optimizer.state[stacked] = {name: _stacked([s[name] for s in states]) for name in states[0]}
        for place, replica in enumerate(replicas):
            for stacked, weight in zip(self.weights, replica.weights, strict=True):
                weight.data = stacked.data[place]
            for name, buffer in self.buffers.items():
                module, _, attribute = name.rpartition(".")
                setattr(replica.network.get_submodule(module), attribute, buffer[place])

        network, objective = replicas[0].network, replicas[0].objective

        def loss(parameters: dict[str, Tensor], buffers: dict[str, Tensor], inputs: Tensor, targets: Tensor) -> Any:
            return objective(functional_call(network, (parameters, buffers), (inputs,)), targets)

        self.batched = torch.func.vmap(loss)

    def _for_all(self, values: Tensor) -> Tensor:
        """Values of the active seeds, (active,), as one per seed, (seeds,): 0 for the frozen."""
        if len(self.active) == len(self.replicas):
            return values
        whole = values.new_zeros(len(self.replicas))
        whole[self.active] = values
        return whole


def _stacked(values: Sequence[Any]) -> Any:
    """One tensor with a leading seed axis; a count of steps, alike for all seeds, stays one number."""
    return values[0].clone() if values[0].ndim == 0 else torch.stack(list(values))
