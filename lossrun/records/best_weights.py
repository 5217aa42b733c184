"""Each seed's weights at its best epoch, wherever a run keeps them, never without the epoch that they belong to.

While a run goes on they are in each checkpoint, so that no weights of a future that was given up can be taken for the
best. The finished run has them in a file of their own, which the ledger names. Older versions had a file per seed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from lossrun.errors import CheckpointError
from lossrun.records import checkpoints
from lossrun.records.checkpoints import Checkpoint
from lossrun.records.run_directory import RunDirectory

MODEL: Final = "model."
BEST: Final = "best."
# The key in a checkpoint's metadata that says which of the two prefixes the best weights have, None where no seed has
# any: the model's own weights are not written twice.
PREFIX_KEY: Final = "best_weights"


@dataclass(frozen=True, slots=True)
class BestWeights:
    """`tensors` by the model's own names."""

    tensors: dict[str, np.ndarray]
    epoch: int
    step: int


def of_run(run: RunDirectory, events: Sequence[Mapping[str, Any]], state: Checkpoint | None) -> dict[int, BestWeights]:
    """The best weights of each seed that has any. `state`: the newest checkpoint that can be trusted.

    Raises CheckpointError where a file is damaged, or holds other weights than the run speaks of.
    """
    finished = events[-1] if events and events[-1]["event"] == "finished" else None
    named = finished.get("best_weights") if finished else None
    if finished and named:
        expected = _expected(finished["seeds"])
        path = run.checkpoints / Path(named).name
        if path.is_file():
            return _agreeing(in_file(path), expected, path.name)
        if state is not None and _is_new(state):
            return _agreeing(in_checkpoint(state), expected, f"{path.name} is missing, and the newest checkpoint")
        raise CheckpointError(f"{path.name} is missing; --checkpoint last takes the last state that was saved")
    if state is not None and _is_new(state):
        return in_checkpoint(state)
    if finished:
        return in_old_files(run, _expected(finished["seeds"]))
    return in_old_files(run, {} if state is None else said_by(state))


def in_checkpoint(checkpoint: Checkpoint) -> dict[int, BestWeights]:
    """Those in a checkpoint that holds them."""
    prefix = checkpoint.metadata.get(PREFIX_KEY)
    if prefix is None:
        return {}
    seeds = checkpoint.metadata["seeds"]
    tensors = {
        name.removeprefix(prefix): array for name, array in checkpoint.tensors.items() if name.startswith(prefix)
    }
    return {
        seed: BestWeights(_of_seed(tensors, seeds.index(seed), len(seeds)), epoch, step)
        for seed, (epoch, step) in said_by(checkpoint).items()
        if epoch
    }


def in_file(path: Path) -> dict[int, BestWeights]:
    """Those in the file of a finished run."""
    file = checkpoints.read(path)
    facts: Any = file.metadata.get("best")
    if not isinstance(facts, list):
        raise CheckpointError(f"{path.name}: it does not say whose weights it holds")
    return {
        one["seed"]: BestWeights(_of_seed(file.tensors, place, len(facts)), one["epoch"], one["step"])
        for place, one in enumerate(facts)
    }


def in_old_files(run: RunDirectory, expected: Mapping[int, tuple[int, int]]) -> dict[int, BestWeights]:
    """Those in files of older versions, a seed each. `expected`: epoch and step of each seed."""
    found: dict[int, BestWeights] = {}
    for seed, (epoch, step) in expected.items():
        path = run.best_weights_path(seed)
        if not epoch or not path.is_file():
            continue
        file = checkpoints.read(path)
        said = tuple(file.metadata.get(key) for key in ("seed", "epoch", "step"))
        if said != (seed, epoch, step):
            raise CheckpointError(
                f"{path.name}: it holds the weights of seed {said[0]} after epoch {said[1]}, step {said[2]}, but the "
                f"best of seed {seed} is epoch {epoch}, step {step}; --checkpoint last takes the last state"
            )
        found[seed] = BestWeights(file.tensors, epoch, step)
    return found


def said_by(checkpoint: Checkpoint) -> dict[int, tuple[int, int]]:
    """{seed: its best epoch and step, 0 where it has none} in a checkpoint."""
    facts = checkpoint.metadata
    each = [replica["best"] for replica in facts["replicas"]]
    return {seed: (best["epoch"], best["step"]) for seed, best in zip(facts["seeds"], each, strict=True)}


def _is_new(state: Checkpoint) -> bool:
    return PREFIX_KEY in state.metadata


def _expected(seeds: Mapping[str, Mapping[str, Any]]) -> dict[int, tuple[int, int]]:
    return {int(seed): (facts.get("best_epoch") or 0, facts.get("best_step") or 0) for seed, facts in seeds.items()}


def _agreeing(
    found: dict[int, BestWeights], expected: Mapping[int, tuple[int, int]], what: str
) -> dict[int, BestWeights]:
    for seed, (epoch, step) in expected.items():
        best = found.get(seed)
        said = (best.epoch, best.step) if best else (0, 0)
        if said != (epoch, step):
            raise CheckpointError(
                f"{what} holds for seed {seed} the weights after epoch {said[0]}, step {said[1]}, but the run's best "
                f"is epoch {epoch}, step {step}; restore it from a copy"
            )
    return found


def _of_seed(tensors: Mapping[str, np.ndarray], place: int, seeds: int) -> dict[str, np.ndarray]:
    return {name: np.array(array[place]) if seeds > 1 else array for name, array in tensors.items()}
