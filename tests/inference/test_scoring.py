"""A recorded run scored again: the ledger's own numbers to the bit, any part and any weights, sample by sample."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from lossrun import api
from lossrun.errors import CheckpointError, DataError, UsageError
from lossrun.inference.predicting import predict
from lossrun.inference.scoring import score
from lossrun.records import checkpoints, history, ledger
from lossrun.records.run_directory import RunDirectory
from tests.conftest import made_elsewhere
from tests.training.conftest import MOONS, REGRESSION, Laboratory

SPIRALS = {"name": "synthetic_classification", "kind": "spirals", "samples": 150, "classes": 3}
CLASSES: dict[str, Any] = REGRESSION | {"dataset": SPIRALS, "loss": "cross_entropy"}
SCALED = {"name": "synthetic_regression", "samples": 120, "features": 4, "standardize": True}
TABLE = "a,b,left,right\n" + "".join(f"{i % 7},{i % 5}.5,{i % 2},{(i // 2) % 2}\n" for i in range(60))
LABELS = {"name": "csv", "path": "labels.csv", "target": ["left", "right"], "task": "multilabel"}


def files(run: RunDirectory) -> dict[str, tuple[bytes, int]]:
    """Content and time of change of everything in the run."""
    return {
        str(path.relative_to(run.path)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in run.path.rglob("*")
        if path.is_file()
    }


class LearnedHuber(nn.Module):
    """A loss with a weight of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.log_width = nn.Parameter(torch.zeros(()))

    def forward(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        width = self.log_width.exp()
        return ((outputs - targets).abs() / width + self.log_width).mean(dim=1)


@pytest.mark.parametrize(
    "config",
    [
        REGRESSION | {"dataset": SCALED, "seeds": 3},
        CLASSES | {"loss": {"name": "cross_entropy", "class_weights": [1.0, 2.0, 0.5]}},
        CLASSES | {"dataset": SPIRALS | {"split_seed": "seed"}, "seeds": 2, "loss": "multi_margin"},
        REGRESSION | {"loss": f"{__name__}:LearnedHuber"},
    ],
    ids=["scaled, stacked", "weighted", "a split for each seed", "a loss that learns"],
)
def test_the_ledgers_own_numbers_to_the_bit(laboratory: Laboratory, config: dict[str, Any]) -> None:
    run = laboratory.start(config)
    before = files(run)
    recorded = ledger.read(run.ledger_path)[-1]["seeds"]
    for checkpoint, name in (("best", "test_at_best"), ("last", "test_at_last")):
        scores = score(run.path, checkpoint=checkpoint)
        assert scores.split == "test"
        assert [note for note in scores.notes if not note.startswith("a constant prediction scores as well")] == []
        expected = {int(seed): facts[name] for seed, facts in recorded.items()}
        assert {seed: {f"test_{k}": v for k, v in one.items()} for seed, one in scores.seeds.items()} == expected
    assert files(run) == before


def test_validation_at_last_is_the_last_row_of_the_history(laboratory: Laboratory) -> None:
    run = laboratory.start(CLASSES)
    row = history.read(run.history_path).rows[-1]
    scores = score(run.path, split="validation", checkpoint="last")
    assert {f"val_{name}": value for name, value in scores.seeds[0].items()} == {
        name: value for name, value in row.items() if name.startswith("val_")
    }
    assert scores.epochs == {0: 4}


def test_a_step_and_the_training_part(laboratory: Laboratory) -> None:
    run = laboratory.start(CLASSES)
    steps = {row["epoch"]: row["step"] for row in history.read(run.history_path).rows}
    scores = score(run.path, split="validation", checkpoint=str(steps[3]))
    assert scores.epochs == {0: 3}
    assert scores.seeds[0]["loss"] == history.read(run.history_path).rows[2]["val_loss"]
    on_training = score(run.path, split="train")
    assert on_training.samples == 108
    assert set(on_training.seeds[0]) == set(scores.seeds[0])


def test_training_targets_decide_for_themselves(laboratory: Laboratory) -> None:
    # Held-out targets are above 0; one training target is not, so that there is no logarithm of it. Asked for: unasked,
    # the targets of all parts decide.
    points = [[float(i)] for i in range(12)]
    targets = [0.5 + i / 7 for i in range(11)] + [-3.0]
    dataset = {"name": "inline", "inputs": points, "targets": targets, "validation": 2, "test": 2, "split_seed": 0}
    run = laboratory.start(REGRESSION | {"dataset": dataset, "compare_on": "msle"})
    held_out, on_training = (score(run.path, split=split).seeds[0] for split in ("test", "train"))
    assert "msle" in held_out
    assert "msle" not in on_training
    assert all(np.isfinite(value) for value in on_training.values())


@pytest.mark.parametrize(
    ("dataset", "loss"),
    [
        (SCALED, "mse"),
        (SCALED, "gaussian_nll"),
        (SPIRALS, "cross_entropy"),
        (SPIRALS, "mse"),
        (SPIRALS, "binary_cross_entropy"),
        (SPIRALS, "multi_margin"),
        (MOONS, "binary_cross_entropy"),
        (MOONS, "hinge"),
        (LABELS, "dice"),
    ],
)
def test_sample_by_sample(laboratory: Laboratory, dataset: dict[str, Any], loss: str) -> None:
    (laboratory.folder / "labels.csv").write_text(TABLE)
    run = laboratory.start(REGRESSION | {"dataset": dataset, "loss": loss, "seeds": [3, 5]})
    scores = score(run.path, per_sample=True)
    assert len(scores.rows) == 2 * scores.samples
    for seed, values in scores.seeds.items():
        rows = [row for row in scores.rows if row["seed"] == seed]
        assert len({row["id"] for row in rows}) == len(rows)
        per_sample = {name for name in values if name in rows[0]}
        assert per_sample >= {"loss", "mse"} or loss in ("multi_margin", "hinge")
        # A metric is the mean of its samples; they are rounded differently on the way.
        for name in per_sample:
            assert np.mean([row[name] for row in rows]) == pytest.approx(values[name], rel=2e-6, abs=1e-7), name
        if "accuracy" in values and "target" in rows[0]:
            assert np.mean([row["target"] == row["prediction"] for row in rows]) == pytest.approx(values["accuracy"])
        if "rmse" in values:
            errors = [row["prediction"] - row["target"] for row in rows]
            assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(values["rmse"], rel=1e-6)


def test_every_poisson_and_share_sample_by_sample(laboratory: Laboratory) -> None:
    points = [[i / 10, (i % 3) / 2] for i in range(30)]
    for loss, targets in (("poisson_nll", [1 + i % 4 for i in range(30)]), ("mse", [0.1 + i / 40 for i in range(30)])):
        dataset = {"name": "inline", "inputs": points, "targets": targets, "task": "regression", "test": 8}
        model = {"name": "mlp", "hidden": [4], "output": "sigmoid" if loss == "mse" else "auto"}
        run = laboratory.start(REGRESSION | {"dataset": dataset, "loss": loss, "model": model})
        scores = score(run.path, per_sample=True)
        # Shares are not counts, and below 1 a logarithm of 1 + t is close to t.
        assert ({"poisson_nll", "mape", "msle"} if loss == "poisson_nll" else {"mape"}) <= set(scores.rows[0])
        assert ("msle" in scores.rows[0]) is (loss == "poisson_nll")
        assert ("binary_cross_entropy" in scores.rows[0]) is (loss == "mse")
        for name in scores.seeds[0].keys() & scores.rows[0].keys():
            mean = np.mean([row[name] for row in scores.rows])
            assert mean == pytest.approx(scores.seeds[0][name], rel=2e-6), name


def test_other_data_are_refused(laboratory: Laboratory) -> None:
    (laboratory.folder / "labels.csv").write_text(TABLE)
    run = laboratory.start(REGRESSION | {"dataset": LABELS, "loss": "binary_cross_entropy"})
    (laboratory.folder / "labels.csv").write_text(TABLE.replace("3,1.5", "3,1.6"))
    with pytest.raises(DataError, match=r"data are not the data that .* was trained on"):
        score(run.path)


def test_what_there_is_not(laboratory: Laboratory) -> None:
    run = laboratory.start(
        REGRESSION | {"dataset": {"name": "inline", "inputs": [[1], [2], [3]], "targets": [3, 5, 6.5]}}
    )
    assert score(run.path).split == "train"
    with pytest.raises(UsageError, match="has no test data; it has train"):
        score(run.path, split="test")
    with pytest.raises(UsageError, match=r"expected best, last or a step that .* has kept: \d+"):
        score(run.path, checkpoint="17000")
    with pytest.raises(UsageError, match="expected best, last or a step"):
        score(run.path, checkpoint="newest")


def test_without_best_weights_the_last_ones_are_proposed(laboratory: Laboratory) -> None:
    """The file of best weights may be gone: the last checkpoint has them too; without both there are none."""
    run = laboratory.start(REGRESSION | {"seeds": 2})
    scores = score(run.path)
    checkpoints.best_files(run.checkpoints)[0].unlink()
    assert score(run.path).seeds == scores.seeds
    unfinished = laboratory.start(REGRESSION | {"seeds": 2}, stop_at=1)
    with pytest.raises(CheckpointError, match="--checkpoint last"):
        score(unfinished.path, split="validation")
    assert list(score(unfinished.path, split="validation", checkpoint="last").seeds) == [0, 1]


def test_a_run_that_was_stopped_and_a_newest_checkpoint_that_is_damaged(laboratory: Laboratory) -> None:
    run = laboratory.start(REGRESSION, stop_at=16)
    # Six steps make an epoch: this is within the third.
    assert score(run.path, split="validation", checkpoint="last").epochs == {0: 3}
    newest, *others = checkpoints.candidates(run.checkpoints)
    newest.write_bytes(newest.read_bytes()[:-1] + b"x")
    assert others
    found = score(run.path, split="validation", checkpoint="last")
    assert found.epochs[0] < 3
    assert any(newest.name in note and f"{others[0].name} is used instead" in note for note in found.notes)
    with pytest.raises(CheckpointError, match=r"the last checkpoint cannot be read .*: --checkpoint \d+"):
        predict(run.path, np.ones((2, 4), np.float32), checkpoint="last")


def test_another_torch_is_noted(laboratory: Laboratory) -> None:
    run = laboratory.start(REGRESSION)
    made_elsewhere(run, torch="2.12.0")
    assert any("torch 2.12.0 -> " in text for text in score(run.path).notes)


def test_the_same_from_python(laboratory: Laboratory) -> None:
    run = laboratory.start(REGRESSION | {"seeds": 2})
    step = history.read(run.history_path).rows[-1]["step"]
    assert api.evaluate(run.path, checkpoint=step, split="validation").seeds == (
        score(run.path, checkpoint="last", split="validation").seeds
    )
    assert len(api.evaluate(api.load(run.path), per_sample=True).rows) == 48
    samples = np.ones((2, 4), np.float32)
    assert api.predict(str(run.path), samples, seed=1).arrays["prediction"].shape == (2, 1)
    with pytest.warns(UserWarning, match="the first of 2"):
        (weights, *_) = api.export(run.path, laboratory.folder / "out")
    assert weights.is_file()


def test_each_class_is_scored_by_itself_as_the_end_of_the_run_did(laboratory: Laboratory) -> None:
    run = laboratory.start(CLASSES | {"seeds": 2})
    found = score(run.path).classes
    assert found is not None
    ends = ledger.read(run.ledger_path)[-1]["seeds"]
    for name, values in found.values.items():
        each = [[value.per_seed[seed] for value in values if value] for seed in (0, 1)]
        assert each == [ends[str(seed)]["classes_at_best"][name] for seed in (0, 1)]
    binary = laboratory.start(CLASSES | {"dataset": MOONS, "loss": "binary_cross_entropy"})
    assert score(binary.path).classes is None
