"""Seeds stacked into tensors with a leading seed axis, and computed as one."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.overrides import TorchFunctionMode

from lossrun.components.network import Network, activated
from lossrun.steps.pooled_samples import pooled
from lossrun.steps.replica import Replica
from lossrun.steps.stack_update import MakeOptimizer, OneRate, OwnRates, StackUpdate


class SeedStack:
    """Several seeds that are computed as one, in little more than the time of a single small model.

    Weights, buffers and optimizer state lie in stacked tensors. Each seed's own model keeps views of its slice, so that
    evaluation and checkpoints need not know of the stack. The numbers agree with runs of a single seed up to rounding,
    not bit for bit, because batched matrix products add up in another order. The dropout masks of all seeds are drawn
    from the stream of the first.

    A frozen seed gets its own copy of its weights. Its place in the stack is still computed, because a new stack would
    cost more, and nothing reads the results, which may be NaN. Once half of the stack is frozen, a new stack is made
    without the frozen seeds.
    """

    def __init__(self, replicas: Sequence[Replica], make_optimizer: MakeOptimizer, *, own_rates: bool = False) -> None:
        """`replicas` share their data or may be pooled; their models are lossrun's own. `own_rates`: see `OwnRates`."""
        self.replicas = replicas
        self.make_optimizer = make_optimizer
        self.own_rates = own_rates
        self.active: Sequence[Replica] = ()
        self.computed: Sequence[Replica] = ()
        self.axis: tuple[int, ...] = (0,)
        self.network = replicas[0].network
        self.train, self.starts = pooled(replicas)
        self.weights: Sequence[Tensor] = ()
        self.buffers: Sequence[Tensor] = ()
        self.best: dict[str, Tensor] = {}
        self.update: Callable[[], object]

    def begin_epoch(self) -> bool:
        active = [replica for replica in self.replicas if not replica.frozen]
        computed = still_computed(self.replicas)
        changed = active != self.active
        moved = bool(active) and computed != self.computed
        if changed:
            self.publish()
            for place, replica in enumerate(self.computed):
                if replica.frozen and replica in self.active:
                    self._take_out(place, replica)
            self.active = active
        if moved:
            self.computed, self.axis = computed, (len(computed),)
            self._stack(computed)
        if active:
            self.orders = torch.stack([replica.order + self.starts[replica] for replica in computed])
            if changed:
                # Made once, because an index that is a list would be copied to the device in every step, with a wait
                # for the copy.
                device = self.orders.device
                self.places = torch.tensor([self.replicas.index(replica) for replica in active], device=device)
                self.kept = torch.tensor([computed.index(replica) for replica in active], device=device)
                self.rated = [self.replicas.index(replica) for replica in computed]
        return moved

    def set_rates(self, rates: Sequence[float]) -> None:
        self.rule.set_rates([rates[place] for place in self.rated])

    def publish(self) -> None:
        """Give the optimizer of each active seed its slice of the state."""
        for place, replica in enumerate(self.computed):
            if replica not in self.active:
                continue
            for moved, weight in zip(self.rule.moved, replica.weights, strict=True):
                if state := self.optimizer.state.get(moved):
                    replica.optimizer.state[weight] = {
                        name: value.clone() if value.ndim == 0 else value[place] for name, value in state.items()
                    }

    def keep_best(self, improved: Sequence[Replica]) -> None:
        """Copy once for all of them. The best weights of each seed are views of the stacked ones."""
        if not improved:
            return
        present = {**self.parameters, **self.states}
        if not self.best:
            self.best = {name: present[name].detach().clone() for name in self.network.state_dict()}
            for place, replica in enumerate(self.computed):
                for name, tensor in replica.best_weights.items():
                    self.best[name][place].copy_(tensor)
        places = [self.computed.index(replica) for replica in improved]
        index = torch.tensor(places, device=self.weights[0].device)
        for name, tensor in self.best.items():
            tensor.index_copy_(0, index, present[name].detach().index_select(0, index))
        for place, replica in zip(places, improved, strict=True):
            replica.best_weights = {name: tensor[place] for name, tensor in self.best.items()}

    def _take_out(self, place: int, replica: Replica) -> None:
        """Give a seed that is frozen from now on its own weights, buffers and optimizer state."""
        for weight in replica.weights:
            weight.data = weight.data.clone()
            state = replica.optimizer.state.get(weight, {})
            replica.optimizer.state[weight] = {name: value.clone() for name, value in state.items()}
        for name, buffer in self.states.items():
            _set_buffer(replica.network, name, buffer[place].clone())

    def rows(self, start: int, stop: int) -> Tensor:
        return self.orders[:, start:stop].reshape(-1)

    def losses(self, inputs: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
        each = (inputs, targets) if weights is None else (inputs, targets, weights)
        losses: Tensor = self._losses(self.parameters, self.states, *each)
        return losses

    def combined(self, losses: Tensor) -> Tensor:
        return losses

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        preactivations = self._preactivations(self.parameters, self.states, inputs)
        return activated(preactivations, self.output), preactivations

    def mean_losses(self, outputs: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
        shared = (targets,) if weights is None else (targets, weights)
        axes = (0, *[None] * len(shared))
        losses: Tensor = vmap(self.computed[0].objective, in_dims=axes)(outputs, *shared)
        return losses

    def for_all(self, values: Tensor) -> Tensor:
        if len(self.active) == len(self.replicas):
            return values
        whole = torch.zeros(len(self.replicas), dtype=values.dtype, device=values.device)
        return whole.index_copy_(0, self.places, values.index_select(0, self.kept))

    def _stack(self, replicas: Sequence[Replica]) -> None:
        first = replicas[0]
        network, objective = first.network, first.objective
        assert isinstance(network, Network)
        self.network, self.output = network, network.output
        self.weights = [
            torch.stack([weight.detach() for weight in slices]).requires_grad_()
            for slices in zip(*(replica.weights for replica in replicas), strict=True)
        ]
        self.parameters = dict(zip((name for name, _ in network.named_parameters()), self.weights, strict=True))
        self.states = {
            name: torch.stack([replica.network.get_buffer(name) for replica in replicas])
            for name, _ in network.named_buffers()
        }
        self.buffers = list(self.states.values())
        self.best = {}
        self.rule: StackUpdate = (
            OwnRates(self.weights, self.make_optimizer, replicas)
            if self.own_rates
            else OneRate(self.weights, self.make_optimizer)
        )
        self.optimizer, self.update = self.rule.optimizer, self.rule
        # State that the seeds share, such as the count of steps, is taken from a seed that still trains.
        lead = next(place for place, replica in enumerate(replicas) if not replica.frozen)
        for position, moved in enumerate(self.rule.moved):
            states = [replica.optimizer.state.get(replica.weights[position], {}) for replica in replicas]
            if states[lead]:
                self.optimizer.state[moved] = {
                    name: _stacked([state.get(name, value) for state in states], value)
                    for name, value in states[lead].items()
                }
        for place, replica in enumerate(replicas):
            if replica.frozen:
                continue  # its place is still computed, but the seed keeps its own weights
            for stacked, weight in zip(self.weights, replica.weights, strict=True):
                weight.data = stacked.data[place]
            for name, buffer in self.states.items():
                _set_buffer(replica.network, name, buffer[place])

        def preactivations(parameters: dict[str, Tensor], states: dict[str, Tensor], inputs: Tensor) -> Tensor:
            body = {name.removeprefix("body."): tensor for name, tensor in (parameters | states).items()}
            with first.arithmetic(), _LinearInTwo():
                result: Tensor = functional_call(network.body, body, (inputs,))
            return result.to(inputs.dtype)

        def loss(
            parameters: dict[str, Tensor], states: dict[str, Tensor], inputs: Tensor, *targets_and_weights: Tensor
        ) -> Tensor:
            outputs = activated(preactivations(parameters, states, inputs), network.output)
            result: Tensor = objective(outputs, *targets_and_weights)
            return result

        self._losses = vmap(loss, randomness="different")
        self._preactivations = vmap(preactivations, in_dims=(0, 0, None))


class _LinearInTwo(TorchFunctionMode):
    """Computes a linear layer as a product and a sum.

    vmap does the same, but also multiplies by 1, forward and backward, which takes a tenth of a small step.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is F.linear:
            inputs, weight, bias = args
            product = inputs @ weight.t()
            # Under autocast the product is bfloat16, and so is what a linear layer gives.
            return product + bias.to(product.dtype)
        return func(*args, **(kwargs or {}))


def still_computed(replicas: Sequence[Replica]) -> list[Replica]:
    """Return the replicas that a stack computes. They follow from the epochs at which seeds were frozen.

    Frozen seeds leave the stack together, whenever they are at least half of it. So a run that is resumed computes the
    same replicas as the run that was never stopped, and with them the same bits.
    """
    computed = list(replicas)
    for epoch in sorted({replica.frozen_epoch for replica in replicas if replica.frozen_epoch is not None}):
        active = [one for one in computed if one.frozen_epoch is None or one.frozen_epoch > epoch]
        if 2 * len(active) <= len(computed):
            computed = active
    return computed


def _stacked(values: Sequence[Any], lead: Any) -> Any:
    """Return one tensor with a leading seed axis. A count of steps stays a single number: the one of `lead`."""
    return lead.clone() if lead.ndim == 0 else torch.stack(list(values))


def _set_buffer(network: nn.Module, name: str, buffer: Tensor) -> None:
    module, _, attribute = name.rpartition(".")
    setattr(network.get_submodule(module), attribute, buffer)
