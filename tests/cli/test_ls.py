"""`lossrun ls`: filtered, sorted, and as data."""

import csv
import io
import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.conftest import write_run

HUBER = {"name": "huber", "delta": 1.0, "reduction": "mean"}


def measured(rmse):
    return lambda epoch, seed: {
        "train_loss": 1.0,
        "val_loss": 1.0 / epoch,
        "val_rmse": rmse + seed,
        "val_mae": 1 - rmse,
    }


@pytest.fixture
def runs(tmp_path: Path) -> list[str]:
    """Names, oldest first: rmse 1/3, 1.1 of two seeds, and 0.2 of a run that was interrupted."""
    options = [
        ("plain", measured(1 / 3), {"config": {"tags": ["lecture"], "batch_size": 32}}),
        ("robust", measured(0.1), {"config": {"loss": HUBER, "seeds": [0, 2], "batch_size": "full"}}),
        ("short", measured(0.2), {"config": {"batch_size": 8}, "epochs_done": 1, "finish": False}),
    ]
    return [write_run(tmp_path / "runs", name, rows=rows, **rest).name for name, rows, rest in options]


def listed(text: str) -> list[str]:
    return [line.split()[0] for line in text.splitlines()[2:]]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), [0, 1, 2]),
        (("--reverse",), [2, 1, 0]),
        (("--limit", "2"), [1, 2]),
        (("-n", "1", "--where", "status=finished"), [1]),  # the newest of those, not of all
        (("--sort", "rmse"), [2, 0, 1]),
        (("--sort", "rmse", "--reverse", "--limit", "1"), [1]),
        (("--sort", "-rmse", "--limit", "1"), [1]),
        (("--sort", "-rmse", "--reverse"), [2, 0, 1]),
        (("--sort", "batch_size"), [2, 0, 1]),
        (("--where", "loss=MeanSquaredError", "--where", "val_rmse<0.3"), [2]),
        (("--tag", "lecture"), [0]),
    ],
)
def test_which_runs_and_in_which_order(lossrun: Run, runs, arguments, expected) -> None:
    result = lossrun("ls", *arguments)
    assert result.code == 0
    assert listed(result.out) == [runs[index] for index in expected]


def test_what_it_is_sorted_by_is_shown(lossrun: Run, runs) -> None:
    lines = lossrun("ls", "--sort", "val_mae").out.splitlines()
    assert lines[0].endswith("age  val_mae")
    assert [line.split()[-1] for line in lines[2:]] == ["0.6667", "0.8000", "0.9000"]
    assert lossrun("ls", "--sort", "val_rmse").out.splitlines()[0].endswith("age")
    assert lossrun("ls", "--sort", "loss.delta").out.splitlines()[-1].endswith("-")


def test_nothing_that_is_like_that_is_no_error(lossrun: Run, runs, tmp_path: Path) -> None:
    result = lossrun("ls", "--where", "val_rmse>100")
    assert (result.code, result.out) == (0, "no runs match\n")
    assert "there is no folder" in lossrun("ls", "--runs-dir", "elsewhere").out
    (tmp_path / "empty").mkdir()
    assert "lossrun train" in lossrun("ls", "--runs-dir", "empty").out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--where", "los=mse"), "did you mean loss?"),
        (("--sort", "val_rsme"), "did you mean val_rmse?"),
        (("--where", "mse"), "not a condition"),
        (("--limit", "0"), "--limit"),
    ],
)
def test_ls_answers_a_mistake_with_what_it_expects(lossrun: Run, runs, arguments, message) -> None:
    result = lossrun("ls", *arguments)
    assert result.code == 2
    assert message in " ".join(result.err.split())


def test_json_has_everything_in_full_precision(lossrun: Run, runs) -> None:
    records = json.loads(lossrun("ls", "--format", "json").out)
    assert [record["run"] for record in records] == runs
    first, second, third = records
    assert first["at_best"]["val_rmse"] == {"per_seed": {"0": 1 / 3}, "mean": 1 / 3, "deviation": None}
    assert second["at_best"]["val_rmse"] == {"per_seed": {"0": 0.1, "2": 2.1}, "mean": 1.1, "deviation": math.sqrt(2)}
    assert second["config"]["loss"] == HUBER
    assert "test_rmse" in first["at_best"]
    assert "test_rmse" not in third["at_best"]
    assert (third["status"], third["epochs_done"], third["epochs"]) == ("interrupted", 1, 4)
    assert first["tags"] == ["lecture"]
    assert Path(first["path"], "config.yaml").is_file()
    assert json.loads(lossrun("ls", "--format", "json", "--where", "val_rmse>100").out) == []


def test_csv_has_a_line_for_each_run_and_a_column_for_each_metric(lossrun: Run, runs) -> None:
    rows = list(csv.DictReader(io.StringIO(lossrun("ls", "--format", "csv", "--sort", "rmse").out)))
    assert [row["run"] for row in rows] == [runs[2], runs[0], runs[1]]
    assert [float(row["val_rmse"]) for row in rows] == [0.2, 1 / 3, 1.1]
    assert [row["test_rmse"] for row in rows] == ["", "0.5", "1.5"]  # of seeds 0 and 2: 0.5 and 2.5
    assert rows[1]["tags"] == "lecture"
    assert rows[2]["loss"] == "huber(delta=1.0)"


def test_a_damaged_run_is_told_of_beside_the_data(lossrun: Run, runs, tmp_path) -> None:
    (tmp_path / "runs" / runs[0] / "history.jsonl").write_text("nonsense\n")
    result = lossrun("ls", "--format", "json")
    assert [record["run"] for record in json.loads(result.out)] == runs[1:]
    assert "history.jsonl" in result.err


def test_a_filtered_listing_of_many_runs_needs_no_heavy_package(runs, tmp_path) -> None:
    for number in range(100, 200):
        shutil.copytree(tmp_path / "runs" / runs[0], tmp_path / "runs" / f"20261122-000{number}-copy")
    spy = """
import sys
from lossrun.cli import main
sys.argv = ["lossrun", "ls", "--where", "loss=MSELoss", "--where", "val_rmse<1", "--sort", "val_mae", *sys.argv[1:]]
try:
    main()
finally:
    heavy = "torch", "numpy", "lossrun.config", "safetensors", "scipy", "pandas"
    print([name for name in heavy if name in sys.modules], file=sys.stderr)
"""
    command = [sys.executable, "-c", spy, "--tag", "lecture"]
    # What Python knows of the environment: where something imports readline, that adds COLUMNS=80 behind its back.
    environment = dict(os.environ)
    result = subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True, text=True)
    assert len(listed(result.stdout)) == 101
    assert result.stderr.splitlines()[-1] == "[]"
