"""Convert the state of one seed to tensors and plain values for a checkpoint, and back.

A name that is missing or unknown is an error, and every tensor keeps its type. torch itself would set batch norm's
counter back to 0, and turn a user's own float64 state into float32.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import torch
from torch import Tensor, nn

from lossrun.components.schedules import PlateauState
from lossrun.errors import CheckpointError
from lossrun.records.best_weights import BEST, MODEL
from lossrun.steps.randomness import generator_state
from lossrun.steps.remembered import BestSoFar, Health
from lossrun.steps.replica import Replica
from lossrun.torch_internals import bare_step

LOSS: Final = "loss."
OPTIMIZER: Final = "optimizer."
SCHEDULE: Final = "schedule."
RNG: Final = "rng.state"
STOPPING: Final = "stopping.state"
# The key in the metadata for the numbers that a user's own optimizer keeps, by their names and Python types.
NUMBERS: Final = "optimizer_numbers"
_TYPES: Final = {"int": int, "float": float, "bool": bool}
# Facts about a replica that are not tensors and belong to the metadata.
_FROZEN: Final = ("stopped_epoch", "diverged_epoch")


def tensors(replica: Replica, *, with_best: bool = False) -> Iterator[tuple[str, Tensor]]:
    """Yield the state of one seed, without copying it."""
    for name, tensor in replica.network.state_dict().items():
        yield f"{MODEL}{name}", tensor
    if with_best:
        for name, tensor in replica.best_weights.items():
            yield f"{BEST}{name}", tensor
    for name, tensor in replica.objective.state_dict().items():
        yield f"{LOSS}{name}", tensor
    for index, state in replica.optimizer.state_dict()["state"].items():
        for name, value in state.items():
            # torch's optimizers keep tensors, and None for a momentum that has not begun; a user's optimizer may keep
            # numbers.
            if isinstance(value, Tensor | int | float):
                yield f"{OPTIMIZER}{index}.{name}", value if isinstance(value, Tensor) else _as_tensor(value)
    if replica.generator_state is not None:
        yield RNG, replica.generator_state
    if replica.stopping:
        yield STOPPING, _watch_state(replica.stopping)
    if replica.plateau:
        for name, number in replica.plateau.numbers().items():
            yield f"{SCHEDULE}{name}", torch.tensor(number, dtype=torch.float64)


def facts(replica: Replica) -> dict[str, Any]:
    """Return the seed's facts for the metadata."""
    best = replica.best
    return {
        "best": {"value": best.value, "epoch": best.epoch, "step": best.step},
        **{name: getattr(replica, name) for name in _FROZEN},
        **({} if replica.withdrawn_epoch is None else {"withdrawn_epoch": replica.withdrawn_epoch}),
        "thaws": replica.thaws,
        "health": replica.health.facts(),
        **({NUMBERS: numbers} if (numbers := _python_numbers(replica)) else {}),
    }


def restore_replica(
    replica: Replica, kept: Mapping[str, Tensor], facts: Mapping[str, Any], *, needed: Iterable[str] = ()
) -> None:
    """Restore a saved state in a freshly built replica.

    Args:
        needed: Names that the state must have, in addition to the names of the model and the loss.

    Raises:
        CheckpointError: If a tensor is missing, unknown, or has another type or shape.
    """
    for name in needed:
        if name not in kept:
            raise CheckpointError(f"{name} is missing")
    of_optimizer = _under(OPTIMIZER, kept)
    if of_optimizer and not replica.own_optimizer:  # before the weights are restored, because it moves them
        _check_optimizer(of_optimizer, _state_after_a_step(replica))
    _load(replica.network, MODEL, kept)
    _load(replica.objective, LOSS, kept)
    _load_optimizer(replica, of_optimizer, facts.get(NUMBERS, {}))
    if RNG in kept:
        check_like(RNG, kept[RNG], generator_state(replica.weights[0].device))
    replica.generator_state = kept.get(RNG)
    if replica.stopping and STOPPING in kept:
        _restore_watch(replica.stopping, kept[STOPPING])
    if replica.plateau and (numbers := _under(SCHEDULE, kept)):
        for name, number in numbers.items():
            check_like(f"{SCHEDULE}{name}", number, torch.tensor(0.0, dtype=torch.float64))
        try:
            replica.plateau = PlateauState.from_numbers({name: float(tensor) for name, tensor in numbers.items()})
        except KeyError as error:
            raise CheckpointError(f"{SCHEDULE}{error.args[0]} is missing") from error
    best = facts["best"]
    replica.best.value, replica.best.epoch, replica.best.step = best["value"], best["epoch"], best["step"]
    for name in _FROZEN:
        setattr(replica, name, facts[name])
    replica.withdrawn_epoch = facts.get("withdrawn_epoch")  # only in the checkpoint of a stack
    replica.thaws = facts.get("thaws", False)  # older versions thawed at once
    replica.health = Health(**facts["health"])


def check_like(name: str, tensor: Tensor, like: Tensor) -> None:
    """Raise CheckpointError unless the tensor has the type and the shape of the other one."""
    if (tensor.dtype, tensor.shape) != (like.dtype, like.shape):
        raise CheckpointError(
            f"{name} is {tensor.dtype} of shape {list(tensor.shape)}; expected {like.dtype} of shape {list(like.shape)}"
        )


def _load(module: nn.Module, prefix: str, kept: Mapping[str, Tensor]) -> None:
    there, expected = _under(prefix, kept), module.state_dict()
    for name in (*expected, *there):
        if name not in there:
            raise CheckpointError(f"{prefix}{name} is missing")
        if name not in expected:
            raise CheckpointError(f"{prefix}{name} is unknown to the {prefix.rstrip('.')}")
        if isinstance(expected[name], Tensor):  # a module's extra state may be anything
            check_like(f"{prefix}{name}", there[name], expected[name])
    module.load_state_dict(there)


def _state_after_a_step(replica: Replica) -> Mapping[int, Mapping[str, Any]]:
    """Return the optimizer's state of each weight. Muon and Adafactor keep different tensors for different weights."""
    for weight in replica.weights:
        weight.grad = torch.zeros_like(weight)
    bare_step(replica.optimizer)()
    for weight in replica.weights:
        weight.grad = None
    state: Mapping[int, Mapping[str, Any]] = replica.optimizer.state_dict()["state"]
    return state


def _check_optimizer(kept: Mapping[str, Tensor], expected: Mapping[int, Mapping[str, Any]]) -> None:
    """Check names, types and shapes. A name of some weights must not be missing from others that can have it."""
    names = {(int(index), key) for index, _, key in (name.partition(".") for name in kept) if index.isdecimal()}
    begun = {key for _, key in names}
    for place in sorted({place for place, _ in names} & expected.keys()):
        for key in sorted(expected[place].keys() & begun):
            if (place, key) not in names:
                raise CheckpointError(f"{OPTIMIZER}{place}.{key} is missing")
    for name, tensor in kept.items():
        index, _, key = name.partition(".")
        like = expected.get(int(index), {}).get(key) if index.isdecimal() else None
        if like is None:
            raise CheckpointError(f"{OPTIMIZER}{name} is unknown to the optimizer")
        if isinstance(like, Tensor):
            check_like(f"{OPTIMIZER}{name}", tensor, like)


def _load_optimizer(replica: Replica, kept: Mapping[str, Tensor], numbers: Mapping[str, str]) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in kept.items():
        index, _, key = name.partition(".")
        if not index.isdecimal() or int(index) >= len(replica.weights):
            raise CheckpointError(f"{OPTIMIZER}{name} belongs to none of the {len(replica.weights)} weights")
        state.setdefault(int(index), {})[key] = tensor
    if not state:
        return
    groups = replica.optimizer.state_dict()["param_groups"]
    replica.optimizer.load_state_dict({"state": state, "param_groups": groups})
    if replica.own_optimizer:
        _restore_types(replica, state, numbers)


def _restore_types(replica: Replica, state: Mapping[int, Mapping[str, Tensor]], numbers: Mapping[str, str]) -> None:
    """Restore each value of a user's optimizer with its own type, because torch converts floats to the weight's
    type."""
    weights = [weight for group in replica.optimizer.param_groups for weight in group["params"]]
    for index, one in state.items():
        restored = replica.optimizer.state[weights[index]]
        for key, tensor in one.items():
            if python := numbers.get(f"{index}.{key}"):
                if python not in _TYPES:
                    raise CheckpointError(f"{NUMBERS}.{index}.{key} is {python}; expected {', '.join(_TYPES)}")
                restored[key] = _TYPES[python](tensor.item())
            elif key in restored:
                restored[key] = tensor.to(restored[key].device)


def _python_numbers(replica: Replica) -> dict[str, str]:
    if not replica.own_optimizer:
        return {}
    return {
        f"{index}.{name}": type(value).__name__
        for index, state in replica.optimizer.state_dict()["state"].items()
        for name, value in state.items()
        if type(value) in _TYPES.values()
    }


def _as_tensor(value: float) -> Tensor:
    """Return a Python number as a tensor with all of its digits."""
    return torch.tensor(value, dtype=torch.float64) if isinstance(value, float) else torch.tensor(value)


def _under(prefix: str, kept: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name[len(prefix) :]: tensor for name, tensor in kept.items() if name.startswith(prefix)}


def _watch_state(watch: BestSoFar) -> Tensor:
    return torch.tensor([watch.value, watch.epoch, watch.step, watch.bad_epochs], dtype=torch.float64)


def _restore_watch(watch: BestSoFar, state: Tensor) -> None:
    check_like(STOPPING, state, _watch_state(watch))
    value, epoch, step, bad_epochs = state.tolist()
    watch.value, watch.epoch, watch.step, watch.bad_epochs = value, int(epoch), int(step), int(bad_epochs)
