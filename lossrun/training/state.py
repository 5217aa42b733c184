"""Convert a session's full state to arrays and plain values for a checkpoint, and back."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from lossrun.config import Config
from lossrun.errors import CheckpointError, ran_out_of_memory
from lossrun.records.best_weights import BEST, MODEL, PREFIX_KEY, BestWeights, in_checkpoint
from lossrun.records.checkpoints import Checkpoint
from lossrun.records.provenance.saved_state import check_data, seeds_problem
from lossrun.steps.replica import Replica
from lossrun.steps.replica_state import RNG, SCHEDULE, STOPPING, check_like, restore_replica
from lossrun.steps.replica_state import facts as replica_facts
from lossrun.steps.replica_state import tensors as replica_tensors
from lossrun.training.criteria import criteria
from lossrun.training.process.stopwatch import Stopwatch
from lossrun.training.session import MemberRun, Position, Session

_EPOCH: Final = "epoch."


def capture(session: Session) -> Checkpoint:
    """Return the state between two steps, once `session.step.publish()` has been called.

    With several seeds every tensor gains a leading axis, seed by seed.
    """
    best = _where_best_weights_are(session)
    states = [dict(replica_tensors(replica, with_best=best == BEST)) for replica in session.replicas]
    tensors = {f"{_EPOCH}{name}": _array(value) for name, value in _sums(session).items()}
    for name in dict.fromkeys(name for state in states for name in state):
        # A frozen seed may lack state that the other seeds' optimizers began to keep later. It never takes a step
        # again.
        like = next(state[name] for state in states if name in state)
        each = [state[name].detach() if name in state else torch.zeros_like(like) for state in states]
        # Stacked on the device, because each copy from a GPU waits for it.
        tensors[name] = _array(torch.stack(each) if len(each) > 1 else each[0])
    position = session.position
    shared = {
        "epoch": position.epoch,
        "step": position.step,
        "epoch_samples": list(session.sums.samples),
        "seeds": [replica.seed for replica in session.replicas],
        "replicas": [replica_facts(replica) for replica in session.replicas],
        PREFIX_KEY: best,
        "seconds": session.seconds,
        "epoch_seconds": session.stopwatch.seconds,
        "device": session.device.type,
        "data": dict(session.hashes),
    }
    if session.stack is None:
        return Checkpoint(tensors, {**shared, **_of_member(session.lone)})
    members = [{"first": each.first, **_of_member(each), **_in_a_stack(each)} for each in session.members]
    # The stack has no history; its members have.
    return Checkpoint(tensors, {**shared, "history_length": 0, "members": members})


def _of_member(member: MemberRun) -> dict[str, Any]:
    """Return the facts of one run in a checkpoint, in addition to the state of its seeds."""
    return {
        "good_step": member.good_step,
        "criteria": criteria(member.config),
        "run": member.run_id,
        "config": member.config_digest,
        "history_length": member.history.length,
        "history": member.history.mark.facts(),
    }


def _in_a_stack(member: MemberRun) -> dict[str, Any]:
    return {
        "directory": member.run.name,
        "count": len(member.replicas),
        "end": None if member.end is None else [member.end.epoch, member.end.step],
        "seconds": member.seconds,
        "events": [[event, facts] for event, facts in member.waiting_events],
    }


def cut_out(checkpoint: Checkpoint, directory: str) -> Checkpoint:
    """Return one run's own checkpoint, taken from its stack's. Raises CheckpointError if the run is not a member."""
    facts = {
        name: value
        for name, value in checkpoint.metadata.items()
        if name not in ("members", "format_version", "tensors")
    }
    found = [member for member in checkpoint.metadata["members"] if member["directory"] == directory]
    if not found:
        raise CheckpointError(f"the checkpoint of the stack does not hold {directory}")
    member = dict(found[0])
    stacked, first = len(facts["seeds"]) > 1, member.pop("first")
    last, end, seconds = first + member.pop("count"), member.pop("end"), member.pop("seconds")
    for name in ("directory", "events"):
        del member[name]
    if end is not None:
        facts |= {"epoch": end[0], "step": end[1], "epoch_samples": [], "epoch_seconds": 0.0, "seconds": seconds}
    steps = len(facts["epoch_samples"])

    def own(name: str, array: np.ndarray) -> np.ndarray:
        if name == "epoch.losses":
            return array[:steps, first:last]
        if name.startswith("epoch."):
            return array[first:last]
        if not stacked:
            return array
        return array[first] if last == first + 1 else array[first:last]

    tensors = {name: own(name, array) for name, array in checkpoint.tensors.items()}
    replicas = [
        {name: value for name, value in one.items() if name != "withdrawn_epoch"}
        for one in facts["replicas"][first:last]
    ]
    return Checkpoint(tensors, {**facts, **member, "seeds": facts["seeds"][first:last], "replicas": replicas})


def restore(session: Session, checkpoint: Checkpoint) -> None:
    """Restore the state of a checkpoint in a freshly built session.

    Raises:
        DataError: If the data are others, by part.
        CheckpointError: If the checkpoint does not fit otherwise.
    """
    facts, tensors = checkpoint.metadata, checkpoint.tensors
    seeds = [replica.seed for replica in session.replicas]
    if problem := seeds_problem(facts, seeds):
        raise CheckpointError(f"the checkpoint does not fit: {problem}")
    check_data(facts["data"], session.hashes)
    session.position = Position(facts["epoch"], facts["step"])
    session.seconds = facts["seconds"]
    # Checkpoints of older versions do not hold the seconds of the epoch in progress.
    session.stopwatch = Stopwatch(facts.get("epoch_seconds", 0.0))
    for member, recorded in zip(session.members, facts.get("members", [facts]), strict=True):
        member.good_step = recorded["good_step"]
        if session.stack is not None:
            member.end = None if recorded["end"] is None else Position(*recorded["end"])
            member.seconds = recorded["seconds"]
            member.waiting_events = [(event, dict(found)) for event, found in recorded["events"]]
    session.sums.samples = list(facts["epoch_samples"])
    if len(session.sums.samples) != session.step_in_epoch:
        raise CheckpointError(
            f"the checkpoint does not fit: epoch_samples has {len(session.sums.samples)} steps, but step "
            f"{facts['step']} is {session.step_in_epoch} steps into epoch {facts['epoch']}"
        )
    _restore_sums(session, tensors)
    best = _best_by_place(session, checkpoint)
    needed = _needed(session, facts)
    for index, replica in enumerate(session.replicas):
        own = {
            name: torch.from_numpy(np.array(_of_seed(name, array, index, len(seeds))))
            for name, array in tensors.items()
            if not name.startswith(_EPOCH)
        }
        if facts["device"] != session.device.type:
            # The generator of another kind of device has another kind of state, so the epoch's stream starts again.
            own.pop(RNG, None)
        try:
            restore_replica(replica, own, facts["replicas"][index], needed=needed)
            if found := best[index]:
                keep_as_best(replica, found.tensors)
        except CheckpointError as error:
            raise CheckpointError(f"the checkpoint of step {facts['step']} does not fit: {error}") from error
        except Exception as error:
            # The user's own code may refuse its state with any error. lossrun's own components must not fail.
            if not _has_own_code(session.config) or ran_out_of_memory(error):
                raise
            raise CheckpointError(
                f"the checkpoint of step {facts['step']} does not fit the model or the optimizer: {error}"
            ) from error


def _has_own_code(config: Config) -> bool:
    return config.model.is_plugin or config.loss.is_plugin or config.optimizer.is_plugin


def _needed(session: Session, facts: Mapping[str, Any]) -> list[str]:
    """Return the names that every seed's state must have, in addition to the names of the model and the loss."""
    found = []
    if facts["step"] and facts["device"] == session.device.type:
        found.append(RNG)
    # Criteria that the config has only now begin without any state.
    reached_under = facts.get("members", [facts])[0].get("criteria", {})
    if reached_under.get("early_stopping") and session.config.early_stopping:
        found.append(STOPPING)
    if reached_under.get("plateau") and session.plateau:
        found += [f"{SCHEDULE}{name}" for name in session.plateau.start().numbers()]
    return found


def _restore_sums(session: Session, tensors: Mapping[str, np.ndarray]) -> None:
    expected = _sums(session)
    for name in expected:
        if f"{_EPOCH}{name}" not in tensors:
            raise CheckpointError(f"the checkpoint does not fit: {_EPOCH}{name} is missing")
        kept = torch.from_numpy(tensors[f"{_EPOCH}{name}"])
        check_like(f"{_EPOCH}{name}", kept, expected[name])
        expected[name].copy_(kept)


def _of_seed(name: str, array: np.ndarray, index: int, seeds: int) -> np.ndarray:
    if seeds == 1:
        return array
    if array.shape[:1] != (seeds,):
        raise CheckpointError(f"{name} has the shape {list(array.shape)}; expected {seeds} seeds on its first axis")
    one: np.ndarray = array[index]
    return one


def _best_by_place(session: Session, checkpoint: Checkpoint) -> list[BestWeights | None]:
    """Return the best weights of each seed, if it has any, by its place: members of a stack may share seeds."""
    own = [checkpoint]
    if session.stack is not None:
        own = [cut_out(checkpoint, member.run.name) for member in session.members]
    each = zip(session.members, map(in_checkpoint, own), strict=True)
    return [found.get(replica.seed) for member, found in each for replica in member.replicas]


def weights(replica: Replica) -> dict[str, np.ndarray]:
    """Return only the model's weights and buffers."""
    return {name: _array(tensor) for name, tensor in replica.network.state_dict().items()}


def load_weights(replica: Replica, arrays: Mapping[str, np.ndarray]) -> None:
    replica.network.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})


def best_arrays(replica: Replica) -> dict[str, np.ndarray]:
    """Return the weights after the best epoch, in the form of `weights`."""
    return {name: _array(tensor) for name, tensor in replica.best_weights.items()}


def keep_as_best(replica: Replica, arrays: Mapping[str, np.ndarray]) -> None:
    """Keep weights that were read from a file as the best ones."""
    like = replica.network.state_dict()
    for name in (*like, *arrays):
        if name not in arrays or name not in like:
            what = "is missing" if name not in arrays else "is unknown to the model"
            raise CheckpointError(f"the checkpoint does not fit: {BEST}{name} {what}")
        check_like(f"{BEST}{name}", torch.from_numpy(arrays[name]), like[name])
    replica.best_weights = {name: torch.from_numpy(array).to(like[name].device) for name, array in arrays.items()}


def _where_best_weights_are(session: Session) -> str | None:
    """Return the prefix of the best weights in a checkpoint; None if there are no best weights yet.

    If the present weights are the best ones for every seed, they are not written twice: the prefix is the model's own.
    """
    with_best = [replica for replica in session.replicas if replica.best.epoch]
    if not with_best:
        return None
    current = all(replica.best.step == session.position.step for replica in with_best)
    return MODEL if current else BEST


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
