"""`verify`: what was trained is trained again, and anything that is not the same bit for bit is named."""

import shutil
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from lossrun.errors import RunError
from lossrun.inference.verifying import verified
from lossrun.records import checkpoints, recorded
from lossrun.records.checkpoints import Checkpoint
from lossrun.records.run_directory import RunDirectory
from tests.training.conftest import MOONS, Laboratory

CONFIG: dict[str, Any] = {
    "dataset": MOONS,
    "model": {"name": "mlp", "hidden": [4], "dropout": 0.3, "batch_norm": True},
    "loss": "binary_cross_entropy",
    "optimizer": "adam",
    "learning_rate": 0.01,
    "epochs": 4,
    "batch_size": 32,
    "schedule": "reduce_on_plateau",
    "early_stopping": {"patience": 9},
    "seeds": 2,
}
GOLDEN = Path(__file__).parent.parent / "records"


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> Laboratory:
    return Laboratory(tmp_path_factory.mktemp("verified"))


@pytest.fixture(scope="module")
def finished(laboratory: Laboratory) -> RunDirectory:
    return laboratory.start(CONFIG)


@pytest.fixture
def run(finished: RunDirectory, tmp_path: Path) -> RunDirectory:
    shutil.copytree(finished.path, tmp_path / "copy")
    return RunDirectory(tmp_path / "copy")


def contents(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_run_is_what_it_says_it_is_and_stays_untouched(run: RunDirectory) -> None:
    before = contents(run.path)
    found = verified(run.path, whole=True)
    assert (found.passed, found.problems, found.remarks) == (True, (), ())
    assert [check.what for check in found.checks][-3:] == ["steps 0 to 6", "steps 6 to 9", "steps 9 to 12"]
    assert [check.what for check in verified(run.path).checks][-1] == "steps 9 to 12"
    assert contents(run.path) == before


def test_a_chain_of_stops_and_changes_is_trained_again_as_it_was(laboratory: Laboratory) -> None:
    run = laboratory.start({**CONFIG, "checkpoint": {"every": "2 steps", "keep": 50}}, stop_at=5)
    laboratory.resume(run, "learning_rate=0.02", stop_at=6)
    laboratory.resume(run, "early_stopping.metric=val_accuracy", "epochs=5", stop_at=10)
    laboratory.resume(run)
    found = verified(run.path, whole=True)
    assert found.problems == ()
    assert "steps 5 to 6" in [check.what for check in found.checks]


@pytest.mark.parametrize("stop_at", [13, 16])
def test_a_run_that_was_trained_further_and_stopped_is_held_against_no_earlier_end(
    laboratory: Laboratory, run: RunDirectory, stop_at: int
) -> None:
    laboratory.resume(run, "epochs=6", stop_at=stop_at)
    found = verified(run.path)
    assert found.problems == ()
    assert recorded.load(run.path).finished is None
    assert "best epochs" not in [check.what for check in found.checks]


@pytest.mark.parametrize("call", range(1, 8))
def test_a_checkpoint_that_its_writer_removes_meanwhile_is_no_damage(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    """At any of the moments at which it is read."""
    read, newest = checkpoints.read, checkpoints.candidates(run.checkpoints)[0]
    calls: list[Path] = []

    def removed_before(path: Path) -> Checkpoint:
        calls.append(path)
        if len(calls) == call and path.name.startswith("step-") and path != newest:
            path.unlink()
        return read(path)

    monkeypatch.setattr("lossrun.records.checkpoints.read", removed_before)
    assert verified(run.path).problems == ()


def test_one_bit_of_a_weight_with_a_digest_of_its_own_is_noticed(run: RunDirectory) -> None:
    """Nothing but training again can tell."""
    newest = checkpoints.candidates(run.checkpoints)[0]
    state = checkpoints.read(newest)
    newest.unlink()
    weights = state.tensors["model.body.output.weight"]
    weights[0, 0, 0] = np.nextafter(weights[0, 0, 0], np.float32(9))
    checkpoints.save(run.checkpoints, 12, Checkpoint(state.tensors, state.metadata), keep=9)
    found = verified(run.path)
    assert found.problems == ("steps 9 to 12: model.body.output.weight differs",)


@pytest.mark.parametrize("name", ["best", "step-00000006", "predictions.npz", "preparation.json"])
def test_a_damaged_file_is_named(run: RunDirectory, name: str) -> None:
    (path,) = run.path.rglob(f"{name}*")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    found = verified(run.path)
    assert [check.what for check in found.checks if not check.passed] == [path.name]


def test_a_history_that_does_not_match_is_refused(run: RunDirectory) -> None:
    run.history_path.write_bytes(run.history_path.read_bytes().replace(b'"epoch": 3', b'"epoch": 2', 1))
    with pytest.raises(RunError, match=r"history\.jsonl.* digest"):
        verified(run.path)


def test_what_differs_on_this_machine_is_named(run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on another kind of processor, where the last bits may differ."""
    newest = checkpoints.candidates(run.checkpoints)[0]
    state = checkpoints.read(newest)
    newest.unlink()
    state.tensors["model.body.output.bias"] += 1
    checkpoints.save(run.checkpoints, 12, state, keep=9)
    monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda: "ABACUS")
    (problem,) = verified(run.path).problems
    assert problem.startswith("steps 9 to 12: model.body.output.bias differs")
    assert "because this differs here: cpu_capability " in problem
    assert problem.endswith("-> ABACUS")


def with_other_bytes(data: bytes) -> bytes:
    """Write a safetensors file as another version of the library might: with more blanks behind its header."""
    length = int.from_bytes(data[:8], "little")
    return (length + 8).to_bytes(8, "little") + data[8 : 8 + length] + b" " * 8 + data[8 + length :]


def test_the_same_numbers_written_as_other_bytes_are_the_same(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by another version of Python, numpy or safetensors."""
    save = safetensors.numpy.save
    monkeypatch.setattr("numpy.savez", np.savez_compressed)
    monkeypatch.setattr("safetensors.numpy.save", lambda *given, **named: with_other_bytes(save(*given, **named)))
    assert verified(run.path).problems == ()


@pytest.mark.parametrize("name", ["outputs_seed1", "ids", "shares_accuracy"])
def test_another_number_in_the_predictions_is_named(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    savez = np.savez

    def changed(file: Any, **arrays: np.ndarray) -> None:
        savez(file, **{**arrays, name: arrays[name] + 1})

    monkeypatch.setattr("numpy.savez", changed)
    assert verified(run.path).problems == (f"steps 9 to 12: predictions: {name} differs",)


@pytest.mark.parametrize("golden", sorted(path.parent.name for path in GOLDEN.glob("*/run.json")))
def test_runs_of_older_versions_are_verified_as_far_as_they_can_be(golden: str) -> None:
    found = verified(GOLDEN / golden, whole=True)
    digests = [check for check in found.checks if not check.what.startswith("steps")]
    assert all(check.passed for check in digests)
