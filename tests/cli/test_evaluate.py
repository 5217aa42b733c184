"""What is done with a trained run, as a person types it: `evaluate`, `predict`, `export`, and TensorBoard."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from lossrun.records import history, ledger
from tests.cli.conftest import Run

MOONS = """\
dataset: {name: synthetic_classification, kind: moons, samples: 120}
model: {name: mlp, hidden: [4]}
loss: binary_cross_entropy
optimizer: adam
learning_rate: 0.01
epochs: 2
seeds: 2
"""


def test_a_table_of_every_metric(lossrun: Run, tmp_path: Path) -> None:
    (tmp_path / "moons.yaml").write_text(MOONS)
    run = Path(lossrun("train", "moons.yaml", "-q").out.strip())
    result = lossrun("evaluate", "last")
    assert result.code == 0
    heading, header, rows = result.out.split("\n", 2)
    assert heading == f"{run.name}: test, 24 samples, weights at best"
    assert "seed 0" in header
    assert "seed 1" in header
    names = [line.split()[0] for line in rows.splitlines()[2:]]
    # What decides comes first.
    assert names[:2] == ["accuracy", "loss"]
    assert {"brier", "expected_calibration_error", "binary_cross_entropy", "hinge"} <= set(names)
    assert "mean ± deviation" in result.out


def test_json_holds_the_ledgers_own_numbers(lossrun: Run, config: Path) -> None:
    run = Path(lossrun("train", "config.yaml", "-q").out.strip())
    result = json.loads(lossrun("evaluate", str(run), "--format", "json", "--checkpoint", "last").out)
    recorded = ledger.read(run / "ledger.jsonl")[-1]["seeds"]["0"]["test_at_last"]
    assert {f"test_{name}": value for name, value in result["seeds"]["0"].items()} == recorded
    assert result["mean"] == result["seeds"]["0"]
    assert set(result["deviation"].values()) == {None}
    assert (result["split"], result["samples"], result["checkpoint"], result["epochs"]) == (
        "test",
        20,
        "last",
        {"0": 3},
    )


def test_a_row_per_sample(lossrun: Run, tmp_path: Path) -> None:
    (tmp_path / "moons.yaml").write_text(MOONS)
    lossrun("train", "moons.yaml", "-q")
    result = lossrun("evaluate", "last", "--split", "validation", "--per-sample", "samples.csv")
    assert "samples.csv written, 20 rows" in result.err
    rows = list(csv.DictReader((tmp_path / "samples.csv").read_text().splitlines()))
    assert list(rows[0])[:6] == ["id", "seed", "target", "prediction", "p_1", "loss"]
    assert {row["target"] for row in rows} == {"0", "1"}
    for row in rows:
        assert (float(row["p_1"]) > 0.5) is (row["prediction"] == "1")


def test_what_cannot_be_scored(lossrun: Run, config: Path) -> None:
    assert lossrun("evaluate", "nothing").code == 4
    lossrun("train", "config.yaml", "-q")
    wrong = lossrun("evaluate", "last", "--checkpoint", "12345")
    assert wrong.code == 2
    assert "expected best, last or a step" in wrong.err
    wrong = lossrun("evaluate", "last", "--per-sample", "no/such/folder.csv")
    assert wrong.code == 4
    assert "cannot write" in wrong.err


HOUSES = """\
dataset: {name: csv, path: houses.csv, target: price, encode: one_hot}
model: linear
loss: mse
optimizer: adam
learning_rate: 0.01
epochs: 2
"""


@pytest.fixture
def houses(lossrun: Run, tmp_path: Path) -> Path:
    """A run of a linear model on a table, and one new house."""
    rows = [f"{i % 6},{('town', 'country')[i % 2]},{100.5 + i}" for i in range(40)]
    (tmp_path / "houses.csv").write_text("\n".join(["rooms,place,price", *rows, ""]))
    (tmp_path / "houses.yaml").write_text(HOUSES)
    (tmp_path / "new.csv").write_text("place,rooms\ntown,3\n")
    return Path(lossrun("train", "houses.yaml", "-q").out.strip())


def test_predictions_to_stdout_and_to_files(lossrun: Run, houses: Path, tmp_path: Path) -> None:
    result = lossrun("predict", "last", "--input", "new.csv")
    assert result.code == 0
    (row,) = csv.DictReader(result.out.splitlines())
    assert "out.csv written" in lossrun("predict", "last", "-i", "new.csv", "-o", "out.csv").err
    assert (tmp_path / "out.csv").read_text() == result.out
    lossrun("predict", "last", "-i", "new.csv", "-o", "out.npz")
    with np.load(tmp_path / "out.npz") as arrays:
        assert arrays["prediction"].tolist() == [[float(row["prediction"])]]


def test_predictions_of_a_table_that_is_piped_in(
    lossrun: Run, houses: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = lossrun("predict", "last", "-i", "new.csv").out
    with (tmp_path / "new.csv").open() as table:
        monkeypatch.setattr("sys.stdin", table)
        assert lossrun("predict", "last", "--input", "-").out == expected
    (tmp_path / "new.csv").write_text("place,rooms\nforest,3\n")
    with (tmp_path / "new.csv").open() as table:
        monkeypatch.setattr("sys.stdin", table)
        refused = lossrun("predict", "last", "--input", "-")
    assert refused.code == 3
    assert "standard input:2: column place: 'forest' did not occur" in " ".join(refused.err.split())
    monkeypatch.setattr("sys.stdin", None)  # as after `<&-` in a shell
    assert "standard input cannot be read" in lossrun("predict", "last", "--input", "-").err


def test_predictions_that_cannot_be_had(lossrun: Run, houses: Path, tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("place,rooms\nforest,3\n")
    unseen = lossrun("predict", "last", "-i", "new.csv")
    assert unseen.code == 3
    assert "new.csv:2: column place: 'forest' did not occur in training" in unseen.err
    assert unseen.out == ""
    assert lossrun("predict", "last", "-i", "new.csv", "-o", "out.txt").code == 2
    assert lossrun("predict", "last", "-i", "new.csv", "--seed", "9").code == 2


def test_an_export_lists_its_files(lossrun: Run, houses: Path, tmp_path: Path) -> None:
    result = lossrun("export", "last", "-o", "out", "--format", "safetensors", "--format", "csv")
    assert result.code == 0
    names = ["model.safetensors", "model.json", "README.md", "history.csv"]
    assert result.out.split() == [str(Path("out", name)) for name in names]
    assert all((tmp_path / "out" / name).is_file() for name in names)
    (tmp_path / "out" / "model.json").write_text("mine")
    again = lossrun("export", "last", "-o", "out")
    assert again.code == 4
    assert "nothing is overwritten" in again.err


def test_training_is_followed_by_tensorboard(lossrun: Run, config: Path, tmp_path: Path) -> None:
    run = Path(lossrun("train", "config.yaml", "-q", "--tensorboard", "events").out.strip())
    events = EventAccumulator(str(tmp_path / "events" / run.name))
    events.Reload()
    rows = history.read(run / "history.jsonl").rows
    assert [(scalar.step, scalar.value) for scalar in events.Scalars("val/rmse")] == [
        (row["step"], np.float32(row["val_rmse"])) for row in rows
    ]


def test_nothing_is_trained_where_tensorboard_cannot_write(lossrun: Run, config: Path, tmp_path: Path) -> None:
    result = lossrun("train", "config.yaml", "--tensorboard", "config.yaml")
    assert result.code == 2
    assert "cannot write event files into config.yaml" in result.err
    assert not (tmp_path / "runs").exists()
