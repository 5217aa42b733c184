"""The text itself: laid out as a formatter would, short, complete; the command; what cannot be written."""

import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lossrun.config import from_mapping, read
from lossrun.errors import UsageError
from lossrun.experiment import load_experiment
from lossrun.records import history
from lossrun.script import script_input, write
from lossrun.training.loop import train
from lossrun.training.starting.prepare import prepare
from lossrun.training.starting.start import begin
from tests.script.cases import INITIALIZERS, LOSS_OPTIONS, OPTIMIZER_OPTIONS, SCHEDULES, SHIPPED, keys_of_loss
from tests.script.conftest import MULTICLASS, TINY
from tests.script.own import OWN, TABLE

Text = Callable[..., str]


@pytest.fixture
def text(tmp_path: Path) -> Text:
    def make(framework: str, *overrides: str, **keys: Any) -> str:
        examined = load_experiment(from_mapping({**TINY, **keys}, tmp_path, overrides), tmp_path)
        return write(script_input(examined, "config.yaml"), framework)

    return make


def tidy(folder: Path) -> None:
    """ruff, with its own defaults, has nothing to change and nothing to say."""
    ruff = [sys.executable, "-m", "ruff"]
    shown = subprocess.run(
        [*ruff, "format", "--isolated", "--diff", folder], capture_output=True, text=True, check=False
    )
    assert shown.returncode == 0, shown.stdout
    rules = ["--select", "E,F,I,W,B,UP", "--ignore", "E501,B905"]
    said = subprocess.run([*ruff, "check", "--isolated", *rules, folder], capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stdout


@pytest.mark.parametrize("framework", ["pytorch", "keras"])
def test_shipped_configs_are_tidy_and_short(framework: str, mnist_dir: Path, tmp_path: Path) -> None:
    for path in SHIPPED:
        written = write(script_input(load_experiment(read(path), mnist_dir), f"configs/{path.name}"), framework)
        (tmp_path / f"{path.stem}.py").write_text(written)
        assert written.count("\n") <= (170 if framework == "pytorch" else 140), path
        assert f"configs/{path.name}" in written
    tidy(tmp_path)


@pytest.mark.parametrize("framework", ["pytorch", "keras"])
def test_whatever_is_asked_for_is_tidy(framework: str, text: Text, tmp_path: Path) -> None:
    cases: list[dict[str, Any]] = [
        *(keys_of_loss(loss["name"], task, loss, model) for task, loss, model in LOSS_OPTIONS),
        *({"optimizer": optimizer} for optimizer in OPTIMIZER_OPTIONS),
        *({"schedule": schedule, "epochs": 7} for schedule in SCHEDULES),
        *({"model": {"name": "mlp", "hidden": [5], "init": init}} for init in INITIALIZERS),
        {"schedule": "reduce_on_plateau", "early_stopping": {"min_delta": 0.1}, "batch_size": 7, "drop_last": True},
        {"precision": "bf16", "shuffle": False},
        {"precision": "float64", "dataset": {**TINY["dataset"], "standardize": {"inputs": True, "targets": True}}},
        *({"dataset": dataset, "loss": "mse"} for dataset in SYNTHETIC),
    ]
    (tmp_path / "table.csv").write_text(TABLE)
    table = {
        "name": "csv",
        "path": "table.csv",
        "target": "price",
        "drop": ["id"],
        "encode": "one_hot",
        "validation": 2,
    }
    cases += [
        {"dataset": {**table, "missing": "mean", "standardize": True}, "loss": "huber"},
        {"dataset": {**table, "missing": "drop"}, "loss": "mae"},
        {"model": {"name": "mlp", "hidden": [4], "batch_norm": True, "activation": "leaky_relu", "dropout": 0.5}},
        *([{"optimizer": "muon"}] if framework == "pytorch" else []),
    ]
    folder = tmp_path / "written"
    folder.mkdir()
    for number, keys in enumerate(cases):
        (folder / f"case{number}.py").write_text(text(framework, **keys))
    tidy(folder)


SYNTHETIC: list[dict[str, Any]] = [
    *(
        {"name": "synthetic_regression", "kind": kind, "samples": 30}
        for kind in ("polynomial", "sinusoid", "friedman1")
    ),
    *({"name": "synthetic_classification", "kind": kind, "samples": 30} for kind in ("circles", "spirals", "xor")),
    {"name": "synthetic_classification", "kind": "blobs", "samples": 30, "features": 3, "task": None},
    {"name": "synthetic_classification", "kind": "multilabel", "samples": 30, "corrupt": {"label_noise": 0.2}},
    {"name": "synthetic_regression", "noise": {"name": "laplace"}, "samples": 30, "corrupt": {"outliers": 0.1}},
    {"name": "synthetic_regression", "noise": {"name": "student_t"}, "samples": 30, "standardize": True},
    {**MULTICLASS, "corrupt": {"label_noise": 0.2}, "test": 0, "validation": 5},
]


def test_the_script_prints_the_losses_that_lossrun_trains_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Run as a program, to the end: two epochs of every number that it prints. `tests/test_contributing.py` runs such
    scripts in a process of their own, without lossrun."""
    config = {
        **TINY,
        "dataset": {**TINY["dataset"], "corrupt": {"outliers": 0.1}},
        "schedule": "cosine",
        "early_stopping": 1,
        "seeds": 2,
    }
    examined = load_experiment(from_mapping(config, tmp_path), tmp_path)
    (tmp_path / "experiment.py").write_text(write(script_input(examined, "config.yaml"), "pytorch"))
    monkeypatch.chdir(tmp_path)
    runpy.run_path("experiment.py", run_name="__main__")
    printed = capsys.readouterr().out
    with begin(prepare(examined), tmp_path / "runs") as session:
        for _ in train(session, lambda: None):
            pass
    rows = [row for row in history.read(session.run.history_path).rows if row["seed"] == 0]
    *epochs, last = printed.splitlines()
    assert len(epochs) == len(rows) == 2
    for line, row in zip(epochs, rows, strict=True):
        said = dict(part.split() for part in line.partition(": ")[2].split(", "))
        assert float(said["train_loss"]) == pytest.approx(row["train_loss"], rel=1e-4)
        assert float(said["val_loss"]) == pytest.approx(row["val_loss"], rel=1e-4)
        assert float(said["val_rmse"]) == pytest.approx(row["val_rmse"], abs=1e-4)
    assert last.startswith("best weights: test_loss ")


def test_a_metric_that_the_script_does_not_compute_is_refused(text: Text) -> None:
    with pytest.raises(UsageError, match=r"best\.metric.*val_huber.*--set best\.metric=val_rmse"):
        text("pytorch", best="val_huber")


def test_an_unknown_framework_is_refused(text: Text) -> None:
    with pytest.raises(UsageError, match=r"tensorflow.*expected one of pytorch, keras"):
        text("tensorflow")


@pytest.mark.parametrize(
    ("key", "value"), [("loss", "mine:square"), ("optimizer", "mine:descent"), ("model", "mine:Net")]
)
def test_keras_says_why_it_cannot_have_components_of_ones_own(text: Text, tmp_path: Path, key: str, value: str) -> None:
    (tmp_path / "mine.py").write_text(OWN)
    with pytest.raises(UsageError, match=f"^{key}: {value} is your own.*--as pytorch"):
        text("keras", **{key: value})
