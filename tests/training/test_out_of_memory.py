"""Memory that really runs out: one message, no traceback, and the saved state stays."""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import lossrun
from lossrun.cli import main
from lossrun.errors import OutOfMemoryError, RunError, memory_errors, ran_out_of_memory
from lossrun.records import checkpoints, recorded

TOO_MUCH = 2**50  # bytes, and more than any address space has room for
OWN = f"""
import os
import numpy as np
import torch
import lossrun

def fill(where):
    if os.environ.get("FULL") == where:
        torch.empty({TOO_MUCH}, dtype=torch.uint8)

fill("import")

def loss(outputs, targets):
    fill("loss")
    return (outputs - targets).square().mean(1)

class Descent(torch.optim.SGD):
    def __init__(self, params, lr):
        fill("optimizer")
        super().__init__(params, lr)

    def step(self):
        fill("first step")
        super().step()

class Model(torch.nn.Module):
    def __init__(self, input_shape, output_size):
        super().__init__()
        fill("build")
        self.last = torch.nn.Linear(input_shape[0], output_size)

    def forward(self, x):
        calls = int(os.environ.get("CALLS", "0")) + 1
        os.environ["CALLS"] = str(calls)
        if calls > 60:
            fill("step")
        fill("forward")
        return self.last(x)

def data():
    if os.environ.get("FULL") == "data":
        np.empty({TOO_MUCH}, np.uint8)
    x = np.arange(120.0).reshape(60, 2) / 100
    return lossrun.Dataset(train=(x, x.sum(1)), task="regression")
"""
CONFIG: dict[str, Any] = {
    "dataset": "own_full:data",
    "model": "own_full:Model",
    "loss": "own_full:loss",
    "optimizer": "own_full:Descent",
    "learning_rate": 0.01,
    "epochs": 20,
    "batch_size": 8,
}


@pytest.fixture(autouse=True)
def no_calls_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLS", "0")


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    (tmp_path / "own_full.py").write_text(OWN)
    (tmp_path / "c.yaml").write_text(json.dumps(CONFIG))
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, full: str = "") -> tuple[object, str]:
        monkeypatch.setenv("FULL", full)
        monkeypatch.setattr(sys, "argv", ["lossrun", *arguments])
        with pytest.raises(SystemExit) as leaving:
            main()
        return leaving.value.code, capsys.readouterr().err

    return run


def test_what_counts_as_running_out() -> None:
    for allocate in (
        lambda: torch.empty(TOO_MUCH, dtype=torch.uint8),
        lambda: torch.zeros(2**31, 2**31),
        lambda: np.empty(TOO_MUCH, np.uint8),
        lambda: bytearray(2**62),
    ):
        with pytest.raises((RuntimeError, MemoryError)) as failed:
            allocate()
        assert ran_out_of_memory(failed.value), failed.value
    with pytest.raises(RuntimeError) as failed:
        torch.ones(2) @ torch.ones(3)
    assert not ran_out_of_memory(failed.value)
    # What glibc says where `ulimit -v` leaves no room for a library, and where there is no such library.
    assert ran_out_of_memory(ImportError("libtorch_cpu.so: failed to map segment from shared object"))
    assert not ran_out_of_memory(ImportError("libtorch_cpu.so: cannot open shared object file"))


def test_errors_of_ours_and_others_pass() -> None:
    for error in (RunError("out of memory, says somebody"), ValueError("no"), RuntimeError("shape mismatch")):
        with pytest.raises(type(error)) as found, memory_errors("here", "wait"):
            raise error
        assert found.value is error
    with pytest.raises(OutOfMemoryError, match="not enough memory here; wait"), memory_errors("here", "wait"):
        raise MemoryError


@pytest.mark.parametrize("name", ["train", "check"])
@pytest.mark.parametrize(
    ("full", "code", "what"),
    [
        ("import", 2, "c.yaml:1:13: dataset.name: own_full:data: importing own_full ran out of memory"),
        ("data", 3, "dataset own_full:data ran out of memory"),
        ("build", 2, "model: own_full:Model ran out of memory when it was built"),
        ("optimizer", 2, "optimizer: own_full:Descent ran out of memory when it was built"),
        ("forward", 2, "model: own_full:Model ran out of memory on the last batch of an epoch, of 3 samples"),
        ("loss", 2, "loss: own_full:loss ran out of memory on a first batch"),
        ("first step", 2, "optimizer: own_full:Descent ran out of memory on a first step, called as step()"),
    ],
)
def test_before_a_run_begins(
    command: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    full: str,
    code: int,
    what: str,
) -> None:
    """The component and the line of the user's file are named, and how to need less; no words of torch's."""
    monkeypatch.delitem(sys.modules, "own_full", raising=False)
    found, err = command(name, "c.yaml", full=full)
    assert found == code, err
    assert f"error: {what} (" in err
    assert re.search(r"\(\S+own_full\.py:\d+\); (make|use) .* (smaller|fewer columns)\n(    .*\n)*$", err)
    assert "Traceback" not in err
    assert "alloc" not in err.lower()
    assert not list((tmp_path / "runs").glob("*"))


def test_in_the_middle_of_a_run(command: Callable[..., Any], tmp_path: Path) -> None:
    found, err = command("train", "c.yaml", "--set", "checkpoint=1 epoch", full="step")
    (path,) = (tmp_path / "runs").iterdir()
    assert found == 4
    assert err.count("error:") == 1
    assert "Traceback" not in err
    saved = checkpoints.metadata(checkpoints.candidates(path / "checkpoints")[0])["step"]
    assert saved > 0
    assert f"the state of step {saved} is saved" in err
    assert "make the model or batch_size smaller in a new run" in err
    assert err.rstrip().endswith(f"lossrun resume {path.name}")
    assert recorded.load(path).status == "interrupted"
    code, err = command("resume", "last")
    assert code == 0, err
    assert recorded.load(path).status == "finished"


@pytest.mark.parametrize(
    "arguments",
    [
        ("evaluate", "last"),
        ("predict", "last", "--input", "x.npz"),
        ("export", "last", "--output", "there"),
        ("resume", "last", "--set", "epochs=30"),
    ],
    ids=lambda arguments: arguments[0],
)
@pytest.mark.parametrize("full", ["build", "forward", "data"])
def test_with_a_finished_run(
    command: Callable[..., Any], tmp_path: Path, arguments: tuple[str, ...], full: str
) -> None:
    np.savez(tmp_path / "x.npz", inputs=np.ones((3, 2)))
    assert command("train", "c.yaml")[0] == 0
    (path,) = (tmp_path / "runs").iterdir()
    before = {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}
    found, err = command(*arguments, full=full)
    # Predicting and exporting ask for no data, and only the weights of the user's own model are exported.
    if (arguments[0], full) in (("export", "forward"), ("export", "data"), ("predict", "data")):
        assert found == 0, err
    else:
        assert found in (2, 3, 4), err
        assert "error:" in err
    assert "Traceback" not in err
    after = {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}
    assert {file: data for file, data in after.items() if "lock" not in file.name} == {
        file: data for file, data in before.items() if "lock" not in file.name
    }


def test_too_little_memory_is_an_error_in_python_too(
    command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FULL", "step")
    with pytest.raises(OutOfMemoryError, match=r"state of step \d+ is saved"):
        lossrun.train("c.yaml")


def test_a_disk_too_small_is_told_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lossrun.training.starting.start.disk_usage", lambda path: type("Usage", (), {"free": 5000}))
    config = {**CONFIG, "dataset": "synthetic_regression", "model": {"name": "mlp", "hidden": [100]}}
    with pytest.raises(RunError, match=r"checkpoints of this run take at least .* 5\.0 kB are free"):
        lossrun.train(config, runs_dir=tmp_path / "a" / "runs")
    assert not (tmp_path / "a").exists()
