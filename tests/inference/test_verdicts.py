"""`verify --json`: one object with the same keys whatever it finds, and an exit code that goes with its verdict."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lossrun.records import checkpoints
from tests.crash import sealed
from tests.crash.in_process import run

CONFIG = """\
dataset: {name: csv, path: data.csv, target: y}
model: {name: mlp, hidden: [4], dropout: 0.2}
loss: mse
optimizer: adam
learning_rate: 0.01
epochs: 3
seeds: 2
"""
KEYS: dict[str, type] = {
    "run": str,
    "path": str,
    "verdict": str,
    "passed": bool,
    "reason": str,
    "first_difference": dict,
    "environment": dict,
    "checks": list,
    "remarks": list,
}
OF_A_CHECK = {"what", "passed", "compared", "problem", "differences"}
OF_A_DIFFERENCE = {"part", "names", "epoch", "seed"}


def with_table(at: Path, change: Callable[[str], str] = str) -> None:
    numbers = np.random.default_rng(0).random((60, 3)).round(4)
    (at / "data.csv").write_text(change("a,b,y\n" + "".join(f"{a},{b},{y}\n" for a, b, y in numbers)))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("verdicts")
    (folder / "config.yaml").write_text(CONFIG)
    with_table(folder)
    assert run(("train", "config.yaml", "--name", "evil", "--quiet"), folder).code == 0
    return folder.rename(folder.with_name("moved"))  # so that the data next to a copy are the run's


def first_of(folder: Path, pattern: str) -> Path:
    return max(sealed.run_called(folder, "evil").glob(pattern))


def edited(pattern: str, old: bytes, new: bytes) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        path = first_of(folder, pattern)
        assert old in path.read_bytes()
        path.write_bytes(path.read_bytes().replace(old, new, 1))

    return change


def removed(pattern: str) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        for path in sealed.run_called(folder, "evil").glob(pattern):
            path.unlink()

    return change


def with_other_weights(folder: Path) -> None:
    newest = first_of(folder, "checkpoints/step-*")
    state = checkpoints.read(newest)
    state.tensors["model.body.output.bias"] += 1
    newest.unlink()
    checkpoints.save(newest.parent, state.metadata["step"], state, keep=9)


def with_another_history(folder: Path) -> None:
    """One number of the last epoch, where no checkpoint is later."""
    path = sealed.run_called(folder, "evil")
    newest = first_of(folder, "checkpoints/step-*")
    state = checkpoints.read(newest)
    row = sealed.events_of(path / "history.jsonl")[-1]
    sealed.in_history(-1, ("grad_norm",), repr(row["grad_norm"] * 2))(path)
    state.metadata["history"] = sealed.mark_of((path / "history.jsonl").read_bytes())
    state.metadata["history_length"] = state.metadata["history"]["length"]
    newest.unlink()
    checkpoints.save(newest.parent, state.metadata["step"], state, keep=9)


def elsewhere(key: str, raw: str, change: Callable[[Path], object]) -> Callable[[Path], object]:
    def both(folder: Path) -> None:
        sealed.in_environment((key,), raw)(sealed.run_called(folder, "evil"))
        change(folder)

    return both


def trained_further_on_moved_data(folder: Path) -> None:
    """Another file has the old name now."""
    (folder / "data.csv").rename(folder / "moved.csv")
    resumed = ("resume", "evil", "--set", "epochs=4", "--set", "dataset.path=moved.csv", "--quiet")
    assert run(resumed, folder).code == 0
    with_table(folder, lambda text: text + "1,2,3\n")


def nothing(_: Path) -> None:
    """Leave the run as it is."""


# What happens to the run or its data; the verdict, the exit code, a part of the reason, and the first difference.
CASES: dict[str, tuple[Callable[[Path], object], str, int, str | None, dict[str, Any] | None]] = {
    "nothing": (nothing, "verified", 0, None, None),
    "data moved on the way": (trained_further_on_moved_data, "verified", 0, None, None),
    "another torch, the same numbers": (elsewhere("torch", '"2.11"', nothing), "verified", 0, None, None),
    "other weights": (
        *(with_other_weights, "differs", 4, "model.body.output.bias differs"),
        {"part": "checkpoint", "names": ["model.body.output.bias"], "epoch": None, "seed": None},
    ),
    "another number in the history": (
        *(with_another_history, "differs", 4, "history of epoch 3, seed 1: grad_norm differs"),
        {"part": "history", "names": ["grad_norm"], "epoch": 3, "seed": 1},
    ),
    "other weights, by another torch": (
        *(elsewhere("torch", '"2.11"', with_other_weights), "differs elsewhere", 4, "because this differs here: torch"),
        {"part": "checkpoint", "names": ["model.body.output.bias"], "epoch": None, "seed": None},
    ),
    "a digit of the history": (edited("history.jsonl", b'"epoch": 2', b'"epoch": 3'), "damaged", 4, "digest", None),
    "a digit of the ledger": (edited("ledger.jsonl", b'"epochs": 3', b'"epochs": 4'), "damaged", 4, "ledger", None),
    "run.json edited": (edited("run.json", b'"threads": 1', b'"threads": 3'), "damaged", 4, "threads is 3", None),
    "config.yaml edited": (edited("config.yaml", b"epochs: 3", b"epochs: 4"), "damaged", 4, "epochs is 4", None),
    "no checkpoint": (removed("checkpoints/step-*"), "damaged", 4, "there is no checkpoint", None),
    "no best weights": (removed("checkpoints/best-*"), "damaged", 4, "is missing", None),
    "no predictions": (removed("predictions.npz"), "damaged", 4, "predictions.npz: it is missing", None),
    "no preparation": (removed("preparation.json"), "damaged", 4, "preparation.json: it is missing", None),
    "other data": (lambda at: with_table(at, lambda text: text + "1,2,3\n"), "not checked", 3, "data", None),
    "no data": (lambda at: (at / "data.csv").unlink(), "not checked", 3, "data.csv", None),
}


@pytest.mark.parametrize("case", CASES)
def test_a_script_can_read_what_was_found(trained: Path, tmp_path: Path, case: str) -> None:
    change, verdict, code, reason, difference = CASES[case]
    shutil.copytree(trained, tmp_path / "copy")
    change(tmp_path / "copy")
    said = run(("verify", "evil", "--all", "--json"), tmp_path / "copy")
    found = json.loads(said.out)
    assert (said.code, found["verdict"], found["passed"]) == (code, verdict, code == 0), said
    assert (found["reason"] is None) == (reason is None)
    assert (reason or "") in (found["reason"] or "")
    assert found["first_difference"] == difference
    assert found["environment"] == ({"torch": ["2.11", found["environment"]["torch"][1]]} if "torch" in case else {})
    assert found.keys() == KEYS.keys()
    assert all(found[key] is None or type(found[key]) is kind for key, kind in KEYS.items())
    assert {frozenset(check) for check in found["checks"]} == {frozenset(OF_A_CHECK)}
    differences = [one for check in found["checks"] for one in check["differences"]]
    assert all(one.keys() == OF_A_DIFFERENCE for one in differences)
