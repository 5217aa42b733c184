"""Seed groups: seeds that are trained together, a lone one or several stacked into tensors with a leading seed axis.

A seed group says what there is to compute; a step (`step.py`) decides how: operation by operation, or replayed.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.overrides import TorchFunctionMode

from lossrun.components.network import Network, activated
from lossrun.steps.randomness import generator_state, set_generator_state
from lossrun.steps.replica import Replica
from lossrun.steps.samples import Samples
from lossrun.steps.stack_update import MakeOptimizer, OneRate, OwnRates, StackUpdate
from lossrun.torch_internals import bare_step


class SeedGroup(Protocol):
    """Seeds that are trained as one computation.

    Attributes:
        replicas: All seeds of the group.
        active: Those that still train.
        computed: Those that are computed: the active ones, and in a stack also frozen ones that have not left it yet.
        network: The model that computes for all of them.
        axis: The leading axis of everything that is computed for them: () for a lone seed, (computed,) for a stack.
        weights: What the optimizer updates.
        buffers: What batch norm and the like keep.
        optimizer: One for all of them.
        update: Takes one step of the optimizer, by the gradients of the weights.
        own_rates: Whether each seed has a learning rate of its own.
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

    def set_rates(self, rates: Sequence[float]) -> None:
        """Take in the learning rate of the next update, for each of `replicas`."""
        ...

    def begin_epoch(self) -> bool:
        """Take in which seeds still train, and their orders; return whether the weights have moved to other memory."""
        ...

    def publish(self) -> None:
        """Make the state of each seed's own optimizer current; see `Step`."""
        ...

    def keep_best(self, improved: Sequence[Replica]) -> None:
        """Keep the present weights of these seeds as their best ones: copies on the device, without waiting for it."""
        ...

    def rows(self, start: int, stop: int) -> Tensor:
        """The training samples at `[start, stop)` of each computed seed's order, one seed after the other, flat."""
        ...

    def losses(self, inputs: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
        """The mean loss of a training batch, shape `axis`.

        Args:
            inputs: (*axis, N, ...).
            targets: (*axis, N) or with more axes.
            weights: How much each sample counts, (*axis, N).
        """
        ...

    def combined(self, losses: Tensor) -> Tensor:
        """Make losses and gradients those of the whole batch, where other processes compute a part of it."""
        ...

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs and pre-activations, (*axis, N, K); every seed gets the same inputs, (N, ...)."""
        ...

    def mean_losses(self, outputs: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
        """The configured objective of outputs (*axis, N, K), shape `axis`; targets and weights are the same for all."""
        ...


class LoneSeed:
    """One seed alone, in its own model and optimizer."""

    axis: tuple[int, ...] = ()
    own_rates = False

    def __init__(self, replica: Replica) -> None:
        self.replica = replica
        self.replicas: Sequence[Replica] = [replica]
        self.active: Sequence[Replica] = self.replicas
        self.computed: Sequence[Replica] = self.replicas
        self.network = replica.network
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


class SeedStack:
    """Several seeds computed as one, for little more than the time of a single small model.

    Weights, buffers and optimizer state lie in stacked tensors. Each seed's own model keeps views of its slice, so that
    evaluation and checkpoints need not know of the stack. The numbers agree with those of lone runs up to rounding, not
    bit for bit, because batched matrix products add up in another order. The dropout masks of all seeds are drawn from
    the stream of the first.

    A frozen seed takes its weights along, and leaves the stack once half of it is frozen. Until then its place is
    computed like the others, because stacking anew costs more; nothing reads what comes out, which may be NaN.
    """

    def __init__(self, replicas: Sequence[Replica], make_optimizer: MakeOptimizer, *, own_rates: bool = False) -> None:
        """`replicas` share their data, and their models are lossrun's own. `own_rates`: see `OwnRates`."""
        self.replicas = replicas
        self.make_optimizer = make_optimizer
        self.own_rates = own_rates
        self.active: Sequence[Replica] = ()
        self.computed: Sequence[Replica] = ()
        self.axis: tuple[int, ...] = (0,)
        self.network = replicas[0].network
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
            self.orders = torch.stack([replica.order for replica in computed])
            if changed:
                # Once: a list as an index would be copied to the device, and waited for, in every step.
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
        """One copy for all of them. The best weights of each seed are views of stacked ones."""
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
        """Give a seed that is frozen from now on weights, buffers and optimizer state of its own."""
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
        # What they all share, such as a count of steps, is that of a seed that still trains.
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
                continue  # its place is computed, but no longer the seed
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

    vmap does the same, and multiplies by 1 besides, forward and backward, which takes a tenth of a small step.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is F.linear:
            inputs, weight, bias = args
            product = inputs @ weight.t()
            # Under autocast the product is bfloat16, and so is what a linear layer gives.
            return product + bias.to(product.dtype)
        return func(*args, **(kwargs or {}))


def gather(group: SeedGroup, samples: Samples, rows: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
    """Raw inputs, targets and, where samples have them, weights of these rows, with the group's leading axis."""
    size = (*group.axis, -1)
    inputs, targets = samples.inputs.index_select(0, rows), samples.targets.index_select(0, rows)
    weights = None if samples.weights is None else samples.weights.index_select(0, rows).view(size)
    return inputs.view(*size, *inputs.shape[1:]), targets.view(*size, *targets.shape[1:]), weights


def minimised(group: SeedGroup, losses: Tensor, batch_size: int) -> Tensor:
    """The number to minimise. Its gradient holds that of each seed, as no seed's loss depends on another's weights.

    `losses`: means over the batch, shape `axis`; a reduction such as a sum multiplies them by a factor.
    """
    # One number instead of a gradient for each seed: given such gradients, torch imports sympy, which takes 0.4 s.
    total = losses.sum() if group.axis else losses
    factor = group.replicas[0].objective.factor(batch_size)
    return total if factor == 1 else total * factor


def gradient_norm(group: SeedGroup) -> Tensor:
    """Euclidean norm of the gradient over all weights of each seed, shape `axis`."""
    gradients = [weight.grad for weight in group.weights if weight.grad is not None]
    if not gradients:
        return torch.zeros(group.axis, device=group.weights[0].device)
    if not group.axis:
        return torch.nn.utils.get_total_norm(gradients)
    return torch.stack([gradient.flatten(1).square().sum(1) for gradient in gradients]).sum(0).sqrt()


def for_all(group: SeedGroup, values: Tensor) -> Tensor:
    """Values of shape `axis` as one for each seed, (seeds,); 0 for a frozen one."""
    if len(group.active) == len(group.replicas):
        return values.reshape(-1)
    whole = torch.zeros(len(group.replicas), dtype=values.dtype, device=values.device)
    assert isinstance(group, SeedStack)  # one alone that is frozen is not computed
    return whole.index_copy_(0, group.places, values.index_select(0, group.kept))


def still_computed(replicas: Sequence[Replica]) -> list[Replica]:
    """The replicas that a stack computes, which follows from the epochs after which the frozen ones were frozen.

    Frozen ones leave it together, whenever they are at least half of it. So a run that is resumed computes the same
    replicas as the run that was never stopped, and with them the same bits.
    """
    computed = list(replicas)
    for epoch in sorted({replica.frozen_epoch for replica in replicas if replica.frozen_epoch is not None}):
        active = [one for one in computed if one.frozen_epoch is None or one.frozen_epoch > epoch]
        if 2 * len(active) <= len(computed):
            computed = active
    return computed


def take_generator(group: SeedGroup) -> None:
    """Set torch's generator to where this group's stream stands."""
    if (state := group.replicas[0].generator_state) is not None:
        set_generator_state(state, group.replicas[0].weights[0].device)


def keep_generator(group: SeedGroup) -> None:
    """Keep where the group's stream stands."""
    state = generator_state(group.replicas[0].weights[0].device)
    for replica in group.replicas:
        replica.generator_state = state


def _stacked(values: Sequence[Any], lead: Any) -> Any:
    """One tensor with a leading seed axis. A count of steps stays a single number, that of the `lead`."""
    return lead.clone() if lead.ndim == 0 else torch.stack(list(values))


def _set_buffer(network: nn.Module, name: str, buffer: Tensor) -> None:
    module, _, attribute = name.rpartition(".")
    setattr(network.get_submodule(module), attribute, buffer)
