"""Read each seed's weights at its best epoch, with the epoch that they belong to.

While a run trains, they are in each checkpoint, so that weights from discarded steps are never taken for the best. A
finished run has them in a separate file, which the ledger names. Older versions wrote a file for each seed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from lossrun.errors import CheckpointError
from lossrun.files import is_there
from lossrun.records import checkpoints
from lossrun.records.checkpoints import Checkpoint
from lossrun.records.run_directory import RunDirectory

MODEL: Final = "model."
BEST: Final = "best."
# The key in a checkpoint's metadata for the prefix of the best weights, so that the model's own weights are not written
# twice; None if no seed has any.
PREFIX_KEY: Final = "best_weights"


@dataclass(frozen=True, slots=True)
class BestWeights:
    """The weights of one seed at its best epoch.

    Attributes:
        tensors: {the model's name of the tensor: its values}.
    """

    tensors: dict[str, np.ndarray]
    epoch: int
    step: int


def of_run(run: RunDirectory, events: Sequence[Mapping[str, Any]], state: Checkpoint | None) -> dict[int, BestWeights]:
    """Return the best weights of each seed that has any.

    Args:
        state: The newest checkpoint that can be trusted.

    Raises:
        CheckpointError: If a file is damaged, or has weights that differ from those the run recorded.
    """
    finished = events[-1] if events and events[-1]["event"] == "finished" else None
    named = finished.get("best_weights") if finished else None
    if finished and named:
        expected = _expected(finished["seeds"])
        path = run.checkpoints / Path(named).name
        if is_there(path):
            return _agreeing(in_file(path), expected, path.name)
        if state is not None and _is_new(state):
            return _agreeing(in_checkpoint(state), expected, f"{path.name} is missing, and the newest checkpoint")
        raise CheckpointError(
            f"{path} is missing; restore it from a copy, or use the last saved state: --checkpoint last"
        )
    if state is not None and _is_new(state):
        return in_checkpoint(state)
    if finished:
        return in_old_files(run, _expected(finished["seeds"]))
    return in_old_files(run, {} if state is None else recorded_best(state))


def in_checkpoint(checkpoint: Checkpoint) -> dict[int, BestWeights]:
    """Return the best weights in a checkpoint; {} if it has none."""
    prefix = checkpoint.metadata.get(PREFIX_KEY)
    if prefix is None:
        return {}
    seeds = checkpoint.metadata["seeds"]
    tensors = {
        name.removeprefix(prefix): array for name, array in checkpoint.tensors.items() if name.startswith(prefix)
    }
    return {
        seed: BestWeights(_of_seed(tensors, seeds.index(seed), len(seeds)), epoch, step)
        for seed, (epoch, step) in recorded_best(checkpoint).items()
        if epoch
    }


def in_file(path: Path) -> dict[int, BestWeights]:
    """Return the best weights in the file of a finished run."""
    file = checkpoints.read(path)
    facts: Any = file.metadata.get("best")
    if not isinstance(facts, list):
        raise CheckpointError(f"{path.name}: it does not say which seeds its weights belong to; restore it from a copy")
    return {
        one["seed"]: BestWeights(_of_seed(file.tensors, place, len(facts)), one["epoch"], one["step"])
        for place, one in enumerate(facts)
    }


def in_old_files(run: RunDirectory, expected: Mapping[int, tuple[int, int]]) -> dict[int, BestWeights]:
    """Return the best weights in files of older versions, which have one seed each.

    Args:
        expected: {seed: (its best epoch, its step)}.
    """
    found: dict[int, BestWeights] = {}
    for seed, (epoch, step) in expected.items():
        path = run.best_weights_path(seed)
        if not epoch or not is_there(path):
            continue
        file = checkpoints.read(path)
        actual = tuple(file.metadata.get(key) for key in ("seed", "epoch", "step"))
        if actual != (seed, epoch, step):
            raise CheckpointError(
                f"{path.name}: it has the weights of seed {actual[0]} after epoch {actual[1]}, step {actual[2]}, but "
                f"the best of seed {seed} is epoch {epoch}, step {step}; use the last saved state: --checkpoint last"
            )
        found[seed] = BestWeights(file.tensors, epoch, step)
    return found


def recorded_best(checkpoint: Checkpoint) -> dict[int, tuple[int, int]]:
    """Return {seed: (its best epoch, its step)} from a checkpoint; 0 if it has none."""
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
        actual = (best.epoch, best.step) if best else (0, 0)
        if actual != (epoch, step):
            raise CheckpointError(
                f"{what} has weights of seed {seed} after epoch {actual[0]}, step {actual[1]}, but the run's best is "
                f"epoch {epoch}, step {step}; restore it from a copy"
            )
    return found


def _of_seed(tensors: Mapping[str, np.ndarray], place: int, seeds: int) -> dict[str, np.ndarray]:
    for name, array in tensors.items() if seeds > 1 else ():
        if array.shape[:1] != (seeds,):
            raise CheckpointError(f"{BEST}{name} has the shape {list(array.shape)}; expected {seeds} seeds first")
    return {name: np.array(array[place]) if seeds > 1 else array for name, array in tensors.items()}
