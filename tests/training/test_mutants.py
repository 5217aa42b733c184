"""A negative control: drop or retype any one part of a saved state, and no mutant is resumed from.

The file itself is in order, with a digest of its own, so only its content can reveal the fault.
"""

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from lossrun.errors import CheckpointError
from lossrun.records import checkpoints
from lossrun.records.files import strict_json
from lossrun.records.run_directory import RunDirectory
from tests.training.conftest import MOONS, Laboratory

CONFIG: dict[str, Any] = {
    "dataset": MOONS,
    "model": {"name": "mlp", "hidden": [4], "dropout": 0.3, "batch_norm": True},
    "loss": "binary_cross_entropy",
    "optimizer": "adam",
    "learning_rate": 0.01,
    "epochs": 3,
    "batch_size": 32,
    "schedule": "reduce_on_plateau",
    "early_stopping": {"patience": 9},
    "seeds": 2,
}
Tensors = dict[str, np.ndarray]
Facts = dict[str, Any]
# Another value of each type; what stands for nothing in a key may also stand for its usual value.
OTHERS: tuple[Any, ...] = ("x", -1, 1.5, [], {}, None)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    return Laboratory(tmp_path_factory.mktemp("mutants")).start(CONFIG, stop_at=5)


def raw(path: Path) -> tuple[Tensors, Facts]:
    found = checkpoints.read(path)
    return dict(found.tensors), dict(found.metadata)


def write(folder: Path, tensors: Tensors, facts: Facts) -> Path:
    content = safetensors.numpy.save(tensors, metadata={"lossrun": strict_json.dumps(facts)})
    path = folder / f"step-00000005-{sha256(content).hexdigest()[:16]}.safetensors"
    path.write_bytes(content)
    return path


@pytest.fixture
def refused(run: RunDirectory, tmp_path: Path) -> Callable[[Tensors, Facts], str]:
    """Resume from the one checkpoint that is given, and return why it was refused; "" if it was not."""
    laboratory = Laboratory(tmp_path)
    original = checkpoints.candidates(run.checkpoints)
    kept = {path: path.read_bytes() for path in original}

    def resume(tensors: Tensors, facts: Facts) -> str:
        ledger, history = run.ledger_path.read_bytes(), run.history_path.read_bytes()
        for path in checkpoints.candidates(run.checkpoints):
            path.unlink()
        write(run.checkpoints, tensors, facts)
        try:
            laboratory.resume(run, stop_at=5)
        except CheckpointError as error:
            return str(error)
        finally:
            for path in checkpoints.candidates(run.checkpoints):
                path.unlink()
            for path, content in kept.items():
                path.write_bytes(content)
            run.ledger_path.write_bytes(ledger)
            run.history_path.write_bytes(history)
        return ""

    return resume


def test_the_control_is_resumed_from(run: RunDirectory, refused: Callable[[Tensors, Facts], str]) -> None:
    assert refused(*raw(checkpoints.candidates(run.checkpoints)[0])) == ""


@pytest.mark.parametrize("listed", [True, False], ids=["", "listed as it is"])
def test_no_tensor_can_be_dropped_retyped_or_reshaped(
    run: RunDirectory, refused: Callable[[Tensors, Facts], str], listed: bool
) -> None:
    """`listed`: whether the list of tensors in the file still tells."""
    tensors, facts = raw(checkpoints.candidates(run.checkpoints)[0])
    survivors = []
    for name, array in tensors.items():
        other = array.astype(np.float32 if array.dtype == np.float64 else np.float64)
        for what, change in (("drop", None), ("retype", other), ("reshape", array.reshape(-1)[:1])):
            mutant = {key: value for key, value in {**tensors, name: change}.items() if value is not None}
            names = facts["tensors"]
            if not listed:
                names = {key: f"{one.dtype} {list(one.shape)}" for key, one in mutant.items()}
            why = refused(mutant, {**facts, "tensors": names})
            group = name.partition(".")[0]
            if name not in why and f"the tensors {group}.*" not in why:
                survivors.append((what, name, why))
    assert not survivors


def paths(tree: Any, so_far: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(tree, dict):
        items = [(key, item) for key, item in tree.items() if so_far != ("tensors",)]
    else:
        items = list(enumerate(tree[:1])) if isinstance(tree, list) else []
    found = []
    for key, item in items:
        found += [(*so_far, key), *paths(item, (*so_far, key))]
    return found


def said(path: Path) -> str:
    try:
        checkpoints.read(path)
    except CheckpointError as error:
        return str(error)
    finally:
        path.unlink()
    return ""


def is_number(value: Any) -> bool:
    if isinstance(value, str):
        return value in strict_json.NON_FINITE
    return isinstance(value, int | float) and not isinstance(value, bool)


NONE_IS_A_VALUE = ("run", "stopped_epoch", "diverged_epoch", "best_weights")
# Compared with the config and with the data when the run is resumed.
FREE = {
    ("data", "train"),
    ("data", "validation"),
    ("data", "test"),
    ("criteria", "early_stopping"),
    ("criteria", "plateau"),
}


def test_no_key_of_the_metadata_can_be_dropped_or_retyped(run: RunDirectory, tmp_path: Path) -> None:
    """It is refused when it is read, by every command."""
    tensors, facts = raw(checkpoints.candidates(run.checkpoints)[0])
    survivors = []
    for path in paths(facts):
        if any(path[: len(free)] == free for free in FREE):
            continue
        for other in (KeyError, *OTHERS):
            mutant = json.loads(strict_json.dumps(facts))
            owner = mutant
            for key in path[:-1]:
                owner = owner[key]
            before = owner[path[-1]]
            if other is KeyError:
                if isinstance(owner, list):
                    continue
                del owner[path[-1]]
            elif type(other) is type(before) or other == before or (is_number(before) and is_number(other)):
                continue
            else:
                owner[path[-1]] = other
            if other is None and path[-1] in NONE_IS_A_VALUE:
                continue
            named = path[-1] if isinstance(path[-1], str) else path[-2]
            why = said(write(tmp_path, tensors, mutant))
            if named not in why.replace("format version", "format_version") and "header" not in why:
                survivors.append((path, other, why))
    assert not survivors
