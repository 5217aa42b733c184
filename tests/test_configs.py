"""Every shipped config says how to run it and what to expect, is free of lint, and trains healthily."""

import re
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from lossrun.analysis.sweeps.result import result_of
from lossrun.config import read
from lossrun.experiment import load_experiment
from lossrun.records import history
from lossrun.records.sweep_directory import create
from lossrun.sweeping.course import run_sweep
from lossrun.sweeping.plan import plan_sweep
from lossrun.sweeping.reading import read_sweep
from lossrun.training.events import EpochRecord
from lossrun.training.loop import train
from lossrun.training.starting.prepare import prepare
from lossrun.training.starting.start import begin

CONFIGS = sorted((Path(__file__).parent.parent / "configs").glob("*.yaml"))
SWEEPS = [path for path in CONFIGS if read(path).sweep is not None]


def test_there_is_one_for_every_classic_exercise() -> None:
    assert {path.stem for path in CONFIGS} >= {
        "quickstart",
        "line",
        "tiny-net",
        "mnist-mlp-sgd",
        "mnist-mlp-adam",
        "mnist-lenet",
        "mnist-label-smoothing",
        "moons-binary",
        "multilabel",
        "noisy-labels",
        "quantile",
        "mean-and-variance",
        "sweep-quick",
        "sweep-mnist",
    }


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_it_opens_with_its_command_and_the_result_to_expect(path: Path) -> None:
    command, expectation, *_ = path.read_text(encoding="utf-8").splitlines()
    word = "sweep" if path in SWEEPS else "train"
    assert shlex.split(command.removeprefix("# ")) == ["lossrun", word, path.stem]
    assert expectation.startswith("# Expect ")
    assert re.search(r"\d", expectation), "a result is a number"


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.stem)
def test_every_cell_of_a_sweep_is_a_valid_config(path: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    reading = read(path)
    data_dir = request.getfixturevalue("mnist_dir") if reading.config.dataset.name == "mnist" else tmp_path
    planned = plan_sweep(read_sweep(reading), tmp_path, data_dir)
    assert planned.tunes
    assert len({str(cell.pair) for cell in planned.cells}) > 1


def test_the_quick_sweep_finds_what_its_comment_says(tmp_path: Path) -> None:
    reading = read(next(path for path in SWEEPS if path.stem == "sweep-quick"))
    planned = plan_sweep(read_sweep(reading), tmp_path, tmp_path)
    sweep = create(tmp_path, planned.name, planned.config, planned.cells, planned.facts)
    run_sweep(sweep, data_dir=tmp_path, jobs=2)
    comparison = result_of(sweep).comparison
    assert comparison is not None
    rmse = next(metric for metric in comparison.metrics if metric.name == "test_rmse").measured.values
    by_loss: dict[str, list[float]] = {"huber": [], "mse": []}
    for run, value in zip(comparison.runs, rmse, strict=True):
        assert value is not None
        by_loss["huber" if "huber" in run.label else "mse"].append(value.mean)
    assert max(by_loss["huber"]) < 0.3
    assert min(by_loss["mse"]) > 0.6


@pytest.mark.parametrize("path", [path for path in CONFIGS if path not in SWEEPS], ids=lambda path: path.stem)
def test_it_is_free_of_lint_and_trains_undiagnosed(path: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """With as many epochs as it says where it is small; two of MNIST's, on 3,000 images and scored on 1,000."""
    reading, overrides, data_dir = read(path), [], tmp_path
    if reading.config.dataset.name == "mnist":
        data_dir = request.getfixturevalue("mnist_dir")
        overrides = ["epochs=2", "dataset.validation=57000"]
    assert load_experiment(reading, data_dir).warnings == ()
    assert load_experiment(read(path, ["epochs=1"]), data_dir).warnings == (), "an epoch is enough to try it out"
    experiment = load_experiment(read(path, overrides), data_dir)
    if overrides:
        (data,) = set(experiment.data.values())
        few = slice(1000)
        data = replace(data, validation=data.validation.rows(few), test=data.test.rows(few))
        experiment = replace(experiment, data=dict.fromkeys(experiment.data, data))
    with begin(prepare(experiment), tmp_path / "runs") as session:
        events = [event for event in train(session, lambda: None) if isinstance(event, EpochRecord)]
    assert {row["seed"] for row in history.read(session.run.history_path).rows} == set(experiment.config.seeds)
    assert [finding.text for event in events for finding in event.findings] == []
