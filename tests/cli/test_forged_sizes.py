"""A run whose config asks for more than was saved, with every digest in order, is refused before anything is built."""

import json
import shutil
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from lossrun.records import checkpoints
from lossrun.records.files.edits import digest
from tests.crash import sealed
from tests.crash.in_process import Said, run

CONFIG = """\
dataset: {name: synthetic_regression, samples: 120, features: 4}
model: {name: mlp, hidden: [4]}
loss: mse
optimizer: adam
learning_rate: 0.01
epochs: 1
seeds: 2
"""
COMMANDS = (
    "resume evil --set epochs=2",
    "verify evil --all",
    "evaluate evil",
    "predict evil --input new.csv",
    "export evil -o exported",
)
FORGED: dict[str, tuple[tuple[str, ...], Any]] = {
    "seeds": (("seeds",), list(range(10**5))),
    "a seed": (("seeds",), [0, 1, 2]),
    "samples": (("dataset", "samples"), 10**9),
    "features": (("dataset", "features"), 10**6),
    "the size of a batch": (("batch_size",), 1),
    "wide layers": (("model", "hidden"), [5000, 5000]),
    "a unit": (("model", "hidden"), [5]),
    "many layers": (("model", "hidden"), [4] * 1000),
    "epochs": (("epochs",), 10**18),
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("forged")
    (folder / "config.yaml").write_text(CONFIG)
    (folder / "new.csv").write_text("x1,x2,x3,x4\n1,2,3,4\n")
    said = run(("train", "config.yaml", "--name", "evil", "--quiet"), folder)
    assert said.code == 0, said
    return folder


@pytest.fixture
def folder(trained: Path, tmp_path: Path) -> Path:
    shutil.copytree(trained, tmp_path / "copy")
    return tmp_path / "copy"


def refused(command: str, folder: Path) -> Said:
    """Run a command that may load no data and build nothing."""
    with (
        mock.patch("lossrun.data.load", side_effect=AssertionError("data are read")),
        mock.patch("lossrun.training.build.replica", side_effect=AssertionError("a model is built")),
    ):
        return run(command.split(), folder)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("what", FORGED)
def test_a_config_that_was_not_trained_is_refused_before_anything_is_built(
    folder: Path, what: str, command: str
) -> None:
    place, value = FORGED[what]
    sealed.in_ledger((0, "config", *place), json.dumps(value))(sealed.run_called(folder, "evil"))
    said = refused(command, folder)
    assert said.code == 4, said
    assert "another config" in said.words
    assert len(said.err) < 2000


# The checkpoint is made to name that config, too. What it holds still says how many seeds and weights there are.
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("seeds", "seeds 0, 1, but the config asks for 100,000 seeds"),
        ("a seed", "but the config asks for seeds 0, 1, 2"),
        ("wide layers", "25,035,001, and only 25 were saved"),
        ("a unit", "31, and only 25 were saved"),
        ("many layers", "20,005, and only 25 were saved"),
    ],
)
def test_a_checkpoint_that_names_such_a_config_does_not_hold_its_sizes(
    folder: Path, what: str, reason: str, command: str
) -> None:
    place, value = FORGED[what]
    path = sealed.run_called(folder, "evil")
    sealed.in_ledger((0, "config", *place), json.dumps(value))(path)
    state = checkpoints.read(checkpoints.candidates(path / "checkpoints")[0])
    state.metadata["config"] = digest(sealed.events_of(path / "ledger.jsonl")[0]["config"])
    sealed.with_newest(checkpoints.to_bytes(state))(path)
    with mock.patch("lossrun.training.build.replica", side_effect=AssertionError("a model is built")):
        said = run(command.split(), folder)
    if command.startswith("verify") and "seed" in what:
        reason = "preparation.json: seeds.2 is missing"  # it checks the other files first
    assert (said.code, reason in said.words) == (4, True), said
    assert len(said.err) < 2000
