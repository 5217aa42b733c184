"""Every shipped config says how to run it and what to expect, is free of lint, and trains healthily."""

import re
import shlex
from pathlib import Path

import pytest

from lossrun.config import read
from lossrun.experiment import load_experiment
from lossrun.records import history
from lossrun.training.events import EpochRecord
from lossrun.training.loop import train
from lossrun.training.start import begin, prepare

CONFIGS = sorted((Path(__file__).parent.parent / "configs").glob("*.yaml"))


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
    }


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_it_opens_with_its_command_and_the_result_to_expect(path: Path) -> None:
    command, expectation, *_ = path.read_text(encoding="utf-8").splitlines()
    assert shlex.split(command.removeprefix("# ")) == ["lossrun", "train", path.stem]
    assert expectation.startswith("# Expect ")
    assert re.search(r"\d", expectation), "a result is a number"


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_it_is_free_of_lint_and_trains_undiagnosed(path: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """With as many epochs as it says where it is small; three of MNIST's, on fewer images."""
    reading, overrides, data_dir = read(path), [], tmp_path
    if reading.config.dataset.name == "mnist":
        data_dir = request.getfixturevalue("mnist_dir")
        overrides = ["epochs=3", "dataset.validation=55000"]
    assert load_experiment(reading, data_dir).warnings == ()
    assert load_experiment(read(path, ["epochs=1"]), data_dir).warnings == (), "an epoch is enough to try it out"
    experiment = load_experiment(read(path, overrides), data_dir)
    with begin(prepare(experiment), tmp_path / "runs") as session:
        events = [event for event in train(session, lambda: None) if isinstance(event, EpochRecord)]
    assert {row["seed"] for row in history.read(session.run.history_path).rows} == set(experiment.config.seeds)
    assert [finding.text for event in events for finding in event.findings] == []
