from collections.abc import Mapping

import numpy as np
import pytest

from lossrun.analysis.checkpoint_listing import best_weights, saved_files
from lossrun.records import checkpoints, ledger, recorded
from lossrun.records.checkpoints import Checkpoint
from lossrun.records.run_directory import RunDirectory
from tests.conftest import save_best, state_of


def rows(epoch, seed):
    return {"train_loss": 1.0}


@pytest.fixture
def run(make_run):
    """A run at step 6 (its third epoch has begun), with best weights of seed 0 from epoch 1."""
    run = make_run(rows=rows, config={"seeds": [0, 1]}, finish=False)
    files = RunDirectory(run.path)
    for step, epoch in ((0, 1), (6, 3)):
        state = Checkpoint({"model.w": np.zeros(3)}, state_of(step, epoch=epoch))
        checkpoints.save(files.checkpoints, step, state, keep=3)
    line = {"body.output.bias": np.array([1.0]), "body.output.weight": np.array([[2.0, 3.0]])}
    finish(files, line)
    return recorded.load(run.path)


def finish(files: RunDirectory, weights: Mapping[str, np.ndarray]) -> None:
    facts = {"best": [{"seed": 0, "epoch": 1, "step": 3}]}
    name = save_best(files.checkpoints, weights, facts).name
    seeds = {"0": {"best_epoch": 1, "best_step": 3}, "1": {"best_epoch": None, "best_step": None}}
    ledger.append(files.ledger_path, "finished", epoch=4, seeds=seeds, best_weights=name)
    checkpoints.remove(checkpoints.best_files(files.checkpoints), but=[name])


def test_saved_files_are_described_by_their_headers(run):
    found = saved_files(run.path, run.seeds)
    assert [(file.epochs, file.step, file.seed) for file in found] == [(0, 0, None), (2, 6, None), (1, 3, 0)]
    assert [file.size for file in found] == [(run.path / "checkpoints" / file.name).stat().st_size for file in found]


def test_a_damaged_header_is_told_of(run):
    path = run.path / "checkpoints" / "best-seed1.safetensors"
    path.write_bytes(b"nonsense")
    last = saved_files(run.path, run.seeds)[-1]
    assert (last.epochs, last.step, last.seed, last.size) == (None, None, 1, 8)
    assert "best-seed1.safetensors" in last.problem


def test_the_weights_of_a_small_model_are_named_one_by_one_weights_before_biases(run):
    found = best_weights(run)
    assert {seed: list(values.items()) for seed, values in found.items()} == {
        0: [("output.weight[0,0]", 2.0), ("output.weight[0,1]", 3.0), ("output.bias", 1.0)]
    }


def test_the_weights_of_a_model_of_more_than_16_parameters_are_not_shown(run):
    for size, shown in ((16, 16), (17, 0)):
        finish(RunDirectory(run.path), {"w": np.zeros(size)})
        assert len(best_weights(recorded.load(run.path)).get(0, {})) == shown
