"""Negative control: a saved state that lacks one key, or holds it as another type, is refused by that key's name."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from lossrun.errors import LossrunError
from lossrun.experiment import load_experiment
from lossrun.records import checkpoints
from lossrun.records.checkpoints import Checkpoint
from lossrun.records.run_directory import RunDirectory
from lossrun.training.starting.prepare import prepare
from lossrun.training.starting.resumable import resuming
from lossrun.training.starting.resume import resume_at
from tests.crash.outcomes import Outcome, share_of
from tests.training.conftest import Laboratory
from tests.training.test_resume import EVERYTHING

# Within an epoch, after one that was better than the present: every group of tensors is there.
CONFIG: dict[str, Any] = {
    **EVERYTHING,
    "loss": "mse",
    "schedule": {"name": "reduce_on_plateau", "patience": 2},
    "early_stopping": {"patience": 3},
    "learning_rate": 0.05,
    "checkpoint": {"every": "7 steps", "keep": 2},
}
STOPPED_AT = 54
GROUPS = {"model", "best", "optimizer", "schedule", "stopping", "epoch", "rng"}
# Of another type than all that is saved, or than nearly all of it.
OTHER_VALUES: tuple[Any, ...] = ("x", 1.5, None, [], {}, -1)


def attack(folder: Path, share: float, seed: int) -> Iterator[Outcome]:
    laboratory = Laboratory(folder)
    run = laboratory.start(CONFIG, stop_at=STOPPED_AT)
    whole = checkpoints.read(checkpoints.candidates(run.checkpoints)[0])
    lacking = GROUPS - {name.partition(".")[0] for name in whole.tensors}
    assert not lacking, f"the state of this run has no {lacking}"
    files = {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
    for what, key, mutant in share_of(mutants(whole), share, seed):
        for path in checkpoints.candidates(run.checkpoints):
            path.unlink()
        checkpoints.save(run.checkpoints, STOPPED_AT, mutant, keep=2)
        yield Outcome(f"{key} {what}", refused(laboratory, run, key))
        for path, content in files.items():
            path.write_bytes(content)


def refused(laboratory: Laboratory, run: RunDirectory, key: str) -> str:
    """Return what is wrong with how the run is resumed from the mutant; "" if it is refused by the key's name."""
    try:
        with resuming(run.path) as resumable:
            prepared = prepare(load_experiment(resumable.reading, laboratory.folder), resumable)
            with resume_at(prepared, resumable, lambda path, reason: None, lambda text: None):
                pass
    except LossrunError as error:
        return "" if key in str(error) else f"refused without its name: {error}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "resumed without a word"


def mutants(whole: Checkpoint) -> Iterator[tuple[str, str, Checkpoint]]:
    """Yield what was done, the key, and the checkpoint with that key gone or of another type."""
    for name, array in whole.tensors.items():
        others = {other: tensor for other, tensor in whole.tensors.items() if other != name}
        yield "dropped", name, Checkpoint(others, whole.metadata)
        kind = np.float64 if array.dtype != np.float64 else np.float32
        for what, tensor in (
            (f"as {np.dtype(kind)}", array.astype(kind)),
            ("one axis longer", array[None]),
            ("empty", np.zeros((0, *array.shape), array.dtype)),
        ):
            yield what, name, Checkpoint({**whole.tensors, name: tensor}, whole.metadata)
    yield "added", "model.unheard_of", Checkpoint({**whole.tensors, "model.unheard_of": np.zeros(3)}, whole.metadata)
    for place in places(whole.metadata):
        key = str(next(part for part in reversed(place) if isinstance(part, str)))
        value = at(whole.metadata, place)
        facts = copy.deepcopy(whole.metadata)
        del at(facts, place[:-1])[place[-1]]
        yield f"dropped, of {place}", key, Checkpoint(whole.tensors, facts)
        for other in OTHER_VALUES:
            if type(other) is not type(value) and not is_number_too(value, other):
                facts = copy.deepcopy(whole.metadata)
                at(facts, place[:-1])[place[-1]] = other
                yield f"{other!r} for {value!r:.40}, of {place}", key, Checkpoint(whole.tensors, facts)


def places(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to every value of a tree but its root."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        if (*above, key) not in (("format_version",), ("tensors",)):  # written again with every checkpoint
            yield (*above, key)
            yield from places(part, (*above, key))


def at(tree: Any, place: tuple[Any, ...]) -> Any:
    for key in place:
        tree = tree[key]
    return tree


def is_number_too(value: Any, other: Any) -> bool:
    """Whether `other` may stand for `value`: a whole number for a float, or nothing where there may be nothing."""
    return (isinstance(value, float) and isinstance(other, int)) or (
        isinstance(value, int) and not isinstance(value, bool) and other == -1
    )
