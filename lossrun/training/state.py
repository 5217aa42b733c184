"""What a checkpoint holds: a session's full state as arrays and plain values, and the way back."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from lossrun.components.schedules import PlateauState
from lossrun.errors import CheckpointError
from lossrun.records.best_weights import BEST, MODEL, PREFIX_KEY, in_checkpoint
from lossrun.records.checkpoints import Checkpoint
from lossrun.records.files.edits import digest
from lossrun.steps.remembered import BestSoFar, Health
from lossrun.steps.replica import Replica
from lossrun.training.criteria import criteria
from lossrun.training.session import Position, Session
from lossrun.training.stopwatch import Stopwatch

# Facts about a replica that are no tensors and belong to the metadata.
_FROZEN: Final = ("stopped_epoch", "diverged_epoch")


def capture(session: Session) -> Checkpoint:
    """The state between two steps, once `session.step.publish()` has been called.

    With several seeds every tensor gains a leading axis, seed by seed.
    """
    best = _where_best_weights_are(session)
    states = [dict(_tensors(replica, with_best=best == BEST)) for replica in session.replicas]
    tensors = {f"epoch.{name}": _array(value) for name, value in _sums(session).items()}
    for name in dict.fromkeys(name for state in states for name in state):
        # A frozen seed may lack what the other seeds' optimizers began to keep later. It never takes a step again.
        like = next(state[name] for state in states if name in state)
        each = [state[name].detach() if name in state else torch.zeros_like(like) for state in states]
        # Stacked on the device, because each copy from a GPU waits for it.
        tensors[name] = _array(torch.stack(each) if len(each) > 1 else each[0])
    position = session.position
    return Checkpoint(
        tensors,
        {
            "epoch": position.epoch,
            "step": position.step,
            "epoch_samples": list(session.sums.samples),
            "good_step": session.good_step,
            "seeds": [replica.seed for replica in session.replicas],
            "replicas": [_facts(replica) for replica in session.replicas],
            PREFIX_KEY: best,
            "criteria": criteria(session.config),
            "seconds": session.seconds,
            "epoch_seconds": session.stopwatch.seconds,
            "run": session.run_id,
            "config": digest(session.config.to_mapping()),
            "device": session.device.type,
            "data": dict(session.hashes),
            "history_length": session.history.length,
            "history": session.history.mark.facts(),
        },
    )


def restore(session: Session, checkpoint: Checkpoint) -> None:
    """Put a freshly built session into the state of a checkpoint. Raises CheckpointError where it does not fit."""
    facts, tensors = checkpoint.metadata, checkpoint.tensors
    seeds = [replica.seed for replica in session.replicas]
    if facts["seeds"] != seeds:
        raise CheckpointError(f"the checkpoint holds seeds {facts['seeds']}, the config asks for {seeds}")
    changed = [part for part, digest in session.hashes.items() if facts["data"].get(part) != digest]
    if changed:
        raise CheckpointError(
            f"the {' and '.join(changed)} data are not those that the run was started with: put them back, say "
            "where they are with --data-dir or --set dataset.path=, or train anew"
        )
    session.position = Position(facts["epoch"], facts["step"])
    session.seconds = facts["seconds"]
    # Checkpoints of older versions do not say what the epoch in progress has taken so far.
    session.stopwatch = Stopwatch(facts.get("epoch_seconds", 0.0))
    session.good_step = facts["good_step"]
    session.sums.samples = list(facts["epoch_samples"])
    for name, value in _sums(session).items():
        value.copy_(torch.from_numpy(tensors[f"epoch.{name}"]))
    best = in_checkpoint(checkpoint)
    for index, replica in enumerate(session.replicas):
        own = {
            name: torch.from_numpy(np.array(array[index] if len(seeds) > 1 else array))
            for name, array in tensors.items()
            if not name.startswith("epoch.")
        }
        if facts["device"] != session.device.type:
            # The generator of another kind of device has another kind of state, so the epoch's stream starts again.
            own.pop("rng.state", None)
        try:
            _restore_replica(replica, own, facts["replicas"][index])
            if replica.seed in best:
                keep_as_best(replica, best[replica.seed].tensors)
        # What is missing from the metadata, what torch says of a model's tensors, and what it says of an optimizer's.
        except (KeyError, RuntimeError, ValueError) as error:
            raise CheckpointError(f"the checkpoint does not fit the model or the optimizer: {error}") from error


def weights(replica: Replica) -> dict[str, np.ndarray]:
    """The model's weights and buffers alone."""
    return {name: _array(tensor) for name, tensor in replica.network.state_dict().items()}


def load_weights(replica: Replica, arrays: Mapping[str, np.ndarray]) -> None:
    replica.network.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})


def best_arrays(replica: Replica) -> dict[str, np.ndarray]:
    """The weights after the best epoch, in the form of `weights`."""
    return {name: _array(tensor) for name, tensor in replica.best_weights.items()}


def keep_best(replica: Replica) -> None:
    """Keep the present weights as the best ones: a copy on the device, without waiting for it."""
    replica.best_weights = {name: tensor.detach().clone() for name, tensor in replica.network.state_dict().items()}


def keep_as_best(replica: Replica, arrays: Mapping[str, np.ndarray]) -> None:
    """Keep weights that were read from a file as the best ones."""
    like = replica.network.state_dict()
    replica.best_weights = {name: torch.from_numpy(array).to(like[name].device) for name, array in arrays.items()}


def _where_best_weights_are(session: Session) -> str | None:
    """The prefix of the best weights in a checkpoint; None if there are no best weights yet.

    If the present weights are the best ones for every seed, they are not written twice: the prefix is the model's own.
    """
    with_best = [replica for replica in session.replicas if replica.best.epoch]
    if not with_best:
        return None
    current = all(replica.best.step == session.position.step for replica in with_best)
    return MODEL if current else BEST


def _tensors(replica: Replica, *, with_best: bool) -> Iterator[tuple[str, Tensor]]:
    for name, tensor in replica.network.state_dict().items():
        yield f"{MODEL}{name}", tensor
    if with_best:
        for name, tensor in replica.best_weights.items():
            yield f"{BEST}{name}", tensor
    for name, tensor in replica.objective.state_dict().items():
        yield f"loss.{name}", tensor
    for index, state in replica.optimizer.state_dict()["state"].items():
        for name, value in state.items():
            # torch's optimizers keep tensors, and None for a momentum that has not begun; a user's may keep numbers.
            if value is not None:
                yield f"optimizer.{index}.{name}", torch.as_tensor(value)
    if replica.generator_state is not None:
        yield "rng.state", replica.generator_state
    if replica.stopping:
        yield "stopping.state", _watch_state(replica.stopping)
    if replica.plateau:
        for name, number in replica.plateau.numbers().items():
            yield f"schedule.{name}", torch.tensor(number, dtype=torch.float64)


def _restore_replica(replica: Replica, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    def under(prefix: str) -> dict[str, Tensor]:
        return {name[len(prefix) :]: tensor for name, tensor in tensors.items() if name.startswith(prefix)}

    replica.network.load_state_dict(under("model."))
    replica.objective.load_state_dict(under("loss."))
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in under("optimizer.").items():
        index, _, key = name.partition(".")
        state.setdefault(int(index), {})[key] = tensor
    if state:
        groups = replica.optimizer.state_dict()["param_groups"]
        replica.optimizer.load_state_dict({"state": state, "param_groups": groups})
    replica.generator_state = tensors.get("rng.state")
    if replica.stopping and "stopping.state" in tensors:
        _restore_watch(replica.stopping, tensors["stopping.state"])
    if replica.plateau and (numbers := under("schedule.")):
        replica.plateau = PlateauState.from_numbers({name: float(tensor) for name, tensor in numbers.items()})
    best = facts["best"]
    replica.best.value, replica.best.epoch, replica.best.step = best["value"], best["epoch"], best["step"]
    for name in _FROZEN:
        setattr(replica, name, facts[name])
    replica.thaws = facts.get("thaws", False)  # older versions thawed at once
    replica.health = Health(**facts["health"])


def _facts(replica: Replica) -> dict[str, Any]:
    best = replica.best
    return {
        "best": {"value": best.value, "epoch": best.epoch, "step": best.step},
        **{name: getattr(replica, name) for name in _FROZEN},
        "thaws": replica.thaws,
        "health": replica.health.facts(),
    }


def _watch_state(watch: BestSoFar) -> Tensor:
    return torch.tensor([watch.value, watch.epoch, watch.step, watch.bad_epochs], dtype=torch.float64)


def _restore_watch(watch: BestSoFar, state: Tensor) -> None:
    value, epoch, step, bad_epochs = state.tolist()
    watch.value, watch.epoch, watch.step, watch.bad_epochs = value, int(epoch), int(step), int(bad_epochs)


def _sums(session: Session) -> dict[str, Tensor]:
    sums = session.sums
    return {
        "losses": sums.losses[: len(sums.samples)],
        "gradient_norm": sums.gradient_norm,
        "first_gradient_norm": sums.first_gradient_norm,
        "rates": sums.rates,
    }


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().cpu().contiguous().numpy()
