"""Try whether a user's own components keep state that no checkpoint holds, before a run depends on it.

Two steps in a row must give the same as one step, a stop and another step; otherwise the run could not be resumed
exactly. Examples of such state are an attribute that counts steps, a value in `param_groups`, a buffer that is not
persistent, or a number at the top of the module. It is refused even if it makes no difference yet, because it may be
read later, for example after a warm-up. No trial can show that it is never read, so only the user can exclude it:
`not_state` in `attributes.py`. An attribute that each step overwrites, such as the last outputs, is not state.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from lossrun.config import Config
from lossrun.errors import CheckpointError, UsageError, ran_out_of_memory
from lossrun.steps.evaluate import evaluating
from lossrun.steps.randomness import Purpose, generator_state, seed_torch, set_generator_state, undisturbed
from lossrun.steps.replica import Replica
from lossrun.steps.replica_state import facts, restore_replica, tensors
from lossrun.steps.samples import Samples
from lossrun.torch_internals import bare_step
from lossrun.training.preflight import attributes
from lossrun.training.preflight.trying import spread

_SAMPLES = 8
_NAMED = 3


def check_hidden_state(built: Callable[[], Replica], config: Config) -> None:
    """Compare two steps in a row with a step, a stop and a step.

    Args:
        built: Builds one seed, as for the run.

    Raises:
        UsageError: If they differ, with the names of what would.
    """
    choices = {"model": config.model, "loss": config.loss, "optimizer": config.optimizer}
    specs = {kind: choice.name for kind, choice in choices.items() if choice.is_plugin}
    own = [f"{kind} {name}" for kind, name in specs.items()]
    if not own:
        return
    straight = built()
    at_first = attributes.of_components(straight, specs)
    device = straight.weights[0].device
    with undisturbed(device):
        seed_torch(straight.seed, Purpose.DROPOUT, 1, device)
        batch = spread(straight.parts.train, _SAMPLES)
        if not _works(straight, batch):
            return
        kept, known, stream = _copied(straight), facts(straight), generator_state(device)
        shared = attributes.of_modules(specs)
        if not _works(straight, batch):
            return
        changed = _different(shared, attributes.of_modules(specs))
        stopped = built()
        # Values that differ from the beginning, such as the time, are not kept from step to step.
        unlike = _different(at_first, attributes.of_components(stopped, specs))
        try:
            restore_replica(stopped, kept, known)
            set_generator_state(stream, device)
            _step(stopped, batch)
        except Exception as error:
            if ran_out_of_memory(error):
                raise
            told = str(error) if isinstance(error, CheckpointError) else f"{type(error).__name__}: {error}"
            raise UsageError(_message(own, f"resuming after one step fails: {told}")) from error
        each = [attributes.of_components(one, specs) for one in (straight, stopped)]
        wrong = [*(name for name in _different(*each) if name not in unlike), *changed]
        expected, found = _copied(straight), _copied(stopped)
        wrong += [name for name in (*expected, *found) if not _same(expected.get(name), found.get(name))]
        if wrong or facts(straight) != facts(stopped):
            wrong = list(dict.fromkeys(wrong)) or ["the optimizer's numbers"]
            more = f" and {len(wrong) - _NAMED} more" if len(wrong) > _NAMED else ""
            raise UsageError(_message(own, f"after a stop, {', '.join(wrong[:_NAMED])}{more} would not be the same"))


def _message(own: list[str], what: str) -> str:
    return (
        f"{' or '.join(own)} keeps state that a checkpoint does not hold, so the run could not be resumed exactly: "
        f"{what}. Keep it as tensors or numbers in the optimizer's `state`, or in the module with `register_buffer`. "
        "If no result depends on it, as on a count that is only printed, name it in the class or file that has it: "
        'not_state = ("NAME",)'
    )


def _different(one: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    return [name for name in dict.fromkeys((*one, *other)) if one.get(name) != other.get(name)]


def _works(replica: Replica, batch: Samples) -> bool:
    """Take a step, and return whether the user's own code took it; if not, the other checks report what it raised."""
    try:
        _step(replica, batch)
    except Exception as error:
        if ran_out_of_memory(error):
            raise
        return False
    return True


def _step(replica: Replica, batch: Samples) -> None:
    """Take a step, and evaluate, which may change state too."""
    with replica.arithmetic():
        outputs = replica.network(batch.scaled(batch.inputs))
    loss = replica.objective(outputs.to(batch.dtype), batch.targets)
    loss.backward()
    update = replica.optimizer.step if replica.own_optimizer else bare_step(replica.optimizer)
    update()
    for weight in replica.weights:
        weight.grad = None
    with torch.no_grad(), evaluating(replica.network, replica.objective), replica.arithmetic():
        outputs = replica.network(batch.scaled(batch.inputs))
        replica.objective(outputs.to(batch.dtype), batch.targets)


def _copied(replica: Replica) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in tensors(replica)}


def _same(one: Any, other: Any) -> bool:
    if one is None or other is None or (one.dtype, one.shape) != (other.dtype, other.shape):
        return False
    return torch.equal(one, other) or bool(torch.allclose(one, other, rtol=0, atol=0, equal_nan=True))
