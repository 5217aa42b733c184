"""A user's own code that fails long after it was tried: one message with the line, and the run can be continued."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lossrun
from lossrun.errors import UsageError
from lossrun.plugins.loading import load_plugin
from lossrun.records import checkpoints

OWN = """
import os
import sys

import torch

import lossrun

FAILING = ""


class UnspeakableError(Exception):
    def __str__(self):
        raise RuntimeError("no text")


def deeper():
    return deeper()


def fail(where):
    sys.calls += 1
    if not FAILING.startswith(where) or sys.calls < 40:
        return
    kind = FAILING.partition(" ")[2]
    if kind == "exit":
        sys.exit()
    if kind == "stop":
        next(iter(()))
    if kind == "recursion":
        deeper()
    if kind == "unspeakable":
        raise UnspeakableError
    if kind == "file":
        open("/absent/table.csv")
    if kind == "pipe":
        raise BrokenPipeError(32, "Broken pipe")
    assert not kind, "never mind"


def data():
    # As people write it: go where the files are.
    os.chdir("files")
    with open("values.txt") as file:
        values = [[float(line), 1.0] for line in file]
    return lossrun.Dataset(train=(values, [[5 - x] for x, _ in values]), task="regression")


def loss(outputs, targets):
    fail("loss")
    return (outputs - targets).square().mean(1)


class Model(torch.nn.Module):
    def __init__(self, input_shape, output_size):
        super().__init__()
        self.last = torch.nn.Linear(input_shape[0], output_size)

    def forward(self, x):
        fail("model")
        flat = FAILING == "shape" and sys.calls > 40 and self.training
        return self.last(x)[:, 0] if flat else self.last(x)


class Descent(torch.optim.SGD):
    def step(self):
        fail("optimizer")
        super().step()
"""
CONFIG: dict[str, Any] = {
    "dataset": {"name": "synthetic_regression", "samples": 60, "features": 2},
    "model": "own_failing:Model",
    "loss": "own_failing:loss",
    "optimizer": "own_failing:Descent",
    "learning_rate": 0.01,
    "epochs": 8,
    "batch_size": 8,
}
# What fails and how -> what the message calls it.
FAILURES = {
    "loss exit": "SystemExit",
    "loss stop": "StopIteration",
    "loss recursion": "RecursionError: maximum recursion depth exceeded",
    "loss unspeakable": "UnspeakableError",
    "loss file": r"FileNotFoundError: \[Errno 2\] No such file or directory: '/absent/table.csv'",
    "loss pipe": r"BrokenPipeError: \[Errno 32\] Broken pipe",
    "loss assert": "AssertionError: never mind",
    "model assert": "AssertionError: never mind",
    "model exit": "SystemExit",
    "optimizer assert": "AssertionError: never mind",
}


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The module. Set `FAILING` to let it fail from its 40th call on."""
    (tmp_path / "own_failing.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    # What changes in a module itself would be found by the trial before a run.
    monkeypatch.setattr(sys, "calls", 0, raising=False)
    load_plugin("own_failing:loss", tmp_path)
    yield sys.modules["own_failing"]
    del sys.modules["own_failing"]


@pytest.mark.parametrize("failing", FAILURES)
def test_in_training(own: Any, failing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    own.FAILING = failing
    monkeypatch.setattr(sys, "calls", 0)
    with pytest.raises(
        UsageError, match=rf"^your own code raised {FAILURES[failing]} \(\S+own_failing.py:\d+\)"
    ) as raised:
        lossrun.train(CONFIG, runs_dir="runs")
    (path,) = Path("runs").iterdir()
    saved = checkpoints.metadata(checkpoints.candidates(path / "checkpoints")[0])["step"]
    assert f"the state of step {saved} is saved" in str(raised.value)
    assert str(raised.value).endswith(f"lossrun resume {path.name}")
    own.FAILING = ""
    assert lossrun.resume(path).status == "finished"


def test_outputs_of_another_shape_than_in_the_first_batch(own: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    own.FAILING = "shape"
    monkeypatch.setattr(sys, "calls", 0)
    told = r"^model: own_failing:Model: outputs of shape \(8,\) .*the state of step \d+ is saved"
    with pytest.raises(UsageError, match=told):
        lossrun.train({**CONFIG, "loss": "mse"}, runs_dir="runs")


@pytest.mark.filterwarnings("ignore::UserWarning")  # the run is short
def test_with_a_finished_run(own: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    own.FAILING = ""
    run = lossrun.train({**CONFIG, "epochs": 1}, runs_dir="runs")
    own.FAILING = "model exit"
    monkeypatch.setattr(sys, "calls", 100)
    line = r"^your own code raised SystemExit \(\S+own_failing.py:\d+\)"
    with pytest.raises(UsageError, match=f"{line}, called to evaluate the run; fix it there"):
        lossrun.evaluate(run)
    with pytest.raises(UsageError, match=f"{line}, called to predict; fix it there"):
        lossrun.predict(run, np.ones((3, 2), np.float32))


@pytest.mark.filterwarnings("ignore::UserWarning")  # the run is short
def test_code_that_goes_to_another_folder_does_not_take_the_run_with_it(own: Any, tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "values.txt").write_text("\n".join(str(i % 7 / 7) for i in range(60)))
    run = lossrun.train({**CONFIG, "dataset": "own_failing:data", "epochs": 1}, runs_dir="runs")
    assert (tmp_path / "runs" / run.name).is_dir()
    assert Path.cwd() == tmp_path
    assert lossrun.resume(run, overrides="epochs=2").status == "finished"
