"""One run over several processes: the numbers of one process, files that either can go on with, and every way out."""

import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from lossrun.errors import UsageError
from lossrun.processes.taking_part import taking_part
from lossrun.records import checkpoints, history, ledger
from lossrun.records.run_directory import RunDirectory
from tests.training.conftest import MOONS, REGRESSION, SPIRALS
from tests.training.launching import Ended, Launch, ended_with, launched

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are forked")

# A model with batch norm that leaves out a layer where no sample of its part is far out, and a loss that does things to
# its own process.
OWN = """
import os, signal
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        # A bias before batch norm has a gradient of rounding alone, which adam turns into steps of full size.
        self.body = nn.Sequential(nn.Linear(inputs, 8, bias=False), nn.BatchNorm1d(8), nn.Tanh(), nn.Dropout(0.2))
        self.rare, self.head = nn.Linear(8, 8), nn.Linear(8, outputs)

    def forward(self, inputs):
        values = self.body(inputs)
        far = inputs.abs().amax(1, keepdim=True) > 2.2
        return self.head(values + far * self.rare(values) if bool(far.any()) else values)

def net(input_shape, output_size):
    return Net(input_shape[0], output_size)

def chatty(input_shape, output_size):
    print("a line of the model's own")
    return Net(input_shape[0], output_size)

class Drifting(Net):
    def __init__(self, inputs, outputs):
        super().__init__(inputs, outputs)
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, inputs):
        if self.training:
            self.seen += inputs.sum().detach()
        return super().forward(inputs)

def drifting(input_shape, output_size):
    return Drifting(input_shape[0], output_size)

def squared(outputs, targets):
    calls = int(os.environ.get("CALLS", "0")) + 1
    os.environ["CALLS"] = str(calls)
    here = os.environ.get("RANK", "0") == os.environ.get("IN_PROCESS", "0")
    if here and calls == int(os.environ.get("AT_CALL", "0")):
        what = os.environ["DO"]
        if what == "raise":
            raise ArithmeticError("out of numbers")
        os.kill(os.getpid(), getattr(signal, what))
    return (outputs - targets).square().mean(dim=1)
"""
OWN_RUN: dict[str, Any] = {**REGRESSION, "model": "own:net", "loss": "own:squared"}
# 96 or 120 samples in batches of 16, so that the last batch is smaller; of some it has fewer samples than processes.
SAME_NUMBERS: dict[str, dict[str, Any]] = {
    "recorded sgd": {**REGRESSION, "dataset": {**REGRESSION["dataset"], "samples": 132, "test": 0.2}},
    "eager momentum": {**REGRESSION, "optimizer": {"name": "sgd", "momentum": 0.9}, "step": "eager"},
    "sum of losses": {**REGRESSION, "loss": {"name": "mse", "reduction": "sum"}, "learning_rate": 1e-3},
    "dropout and batch norm": {
        **REGRESSION,
        "dataset": SPIRALS,
        "model": {"name": "mlp", "hidden": [16, 8], "dropout": 0.3, "batch_norm": True},
        "loss": {"name": "cross_entropy", "class_weights": [1.0, 3.0, 0.5]},
        "batch_size": 17,
    },
    "recorded dropout": {
        **REGRESSION,
        "dataset": SPIRALS,
        "model": {"name": "mlp", "hidden": [16], "dropout": 0.3},
        "loss": {"name": "cross_entropy", "class_weights": [1.0, 3.0, 0.5]},
        "optimizer": "adam",
        "batch_size": 17,
    },
    "two seeds, one of which stops": {
        **REGRESSION,
        "seeds": [3, 4],
        "epochs": 8,
        "learning_rate": 0.3,
        "early_stopping": {"patience": 1},
        "schedule": {"name": "reduce_on_plateau", "patience": 1},
    },
    "the user's own components": {**OWN_RUN, "optimizer": "adam", "epochs": 3},
    "a batch of everything, in float64": {**REGRESSION, "dataset": MOONS, "loss": "mse", "batch_size": "full"}
    | {"model": {"name": "mlp", "hidden": [8], "output": "sigmoid"}, "precision": "float64"},
}
THREE = ("recorded sgd", "dropout and batch norm")  # in three processes: the last batch has fewer samples


# Calls 13 to 18 of the user's own loss are the steps of epoch 1; those before try it.
def _launches(folder: Path) -> list[Launch]:
    (folder / "own.py").write_text(OWN)
    made: list[Launch] = []

    def launch(
        name: str,
        config: dict[str, Any] | None,
        *arguments: str,
        processes: int = 2,
        runs: str = "",
        **environment: str,
    ) -> None:
        words = ["resume", "last"]
        if config is not None:
            path = folder / f"{name}.yaml".replace(" ", "-")
            path.write_text(json.dumps(config))
            words = ["train", path.name]
        made.append(Launch(name, folder, [*words, "--runs-dir", runs or name, *arguments], processes, environment))

    for name, config in SAME_NUMBERS.items():
        launch(f"{name}, alone", config, processes=1)
        launch(name, config, processes=3 if name in THREE else 2)

    launch("begun alone", OWN_RUN, processes=1, runs="back and forth", AT_CALL="18", DO="SIGINT")
    launch("resumed by two", None, runs="back and forth", AT_CALL="10", DO="SIGTERM")
    launch("resumed alone", None, runs="back and forth", processes=1, AT_CALL="10", DO="SIGINT")
    launch("resumed by two again", None, runs="back and forth")
    launch("never stopped", OWN_RUN, processes=1)

    launch("wrong config", {**REGRESSION, "lr": 1, "epochs": 0})
    launch("wrong in one process", {**OWN_RUN, "model": "own:chatty"}, AT_CALL="1", IN_PROCESS="1", DO="raise")
    launch("small batch", {**REGRESSION, "batch_size": 2}, processes=3)
    launch("no room for runs", REGRESSION, runs="/proc/nowhere")
    launch("no folder for runs", REGRESSION, runs="own.py")
    launch("diverges", {**REGRESSION, "learning_rate": 1e9})
    launch("error in the leader", OWN_RUN, AT_CALL="18", DO="raise")
    launch("error in a follower", OWN_RUN, AT_CALL="23", IN_PROCESS="1", DO="raise")
    launch("drifts", {**OWN_RUN, "model": "own:drifting"})
    launch("interrupted", OWN_RUN, AT_CALL="23", DO="SIGINT")
    for who, rank in (("follower", "1"), ("leader", "0")):
        launch(f"{who} killed", OWN_RUN, AT_CALL="23", IN_PROCESS=rank, DO="SIGKILL")
        launch(f"goes on after the {who}", None, "--quiet", runs=f"{who} killed")
    return made


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all processes of pytest."""
    base = tmp_path_factory.getbasetemp()
    path = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "processes"
    path.mkdir(exist_ok=True)
    return path


@pytest.fixture(scope="session")
def ended(folder: Path) -> dict[str, Ended]:
    """How all launches ended, which are run once, by whichever process of pytest comes first."""
    kept = folder / "codes.json"
    with FileLock(folder / "launching"):
        if not kept.exists():
            codes = {name: end.codes for name, end in launched(_launches(folder)).items()}
            kept.write_text(json.dumps(codes))
    codes = json.loads(kept.read_text())
    return {launch.name: ended_with(launch, codes[launch.name]) for launch in _launches(folder)}


def run_of(folder: Path, name: str) -> RunDirectory:
    (path,) = (folder / name).glob("2*")
    return RunDirectory(path)


def assert_same_numbers(one: RunDirectory, other: RunDirectory) -> None:
    """Histories and test scores to 1e-5, and checkpoints with the same contents."""
    for row, same in zip(history.read(one.history_path).rows, history.read(other.history_path).rows, strict=True):
        for column, value in row.items():
            if column not in ("seconds", "train_seconds"):
                assert value == pytest.approx(same[column], rel=1e-5, abs=1e-7), column
    seeds, others = (ledger.read(run.ledger_path)[-1]["seeds"] for run in (one, other))
    for seed, facts in seeds.items():
        assert facts["best_epoch"] == others[seed]["best_epoch"]
        assert facts["stopped_epoch"] == others[seed]["stopped_epoch"]
    a, b = (checkpoints.read(checkpoints.candidates(run.checkpoints)[0]) for run in (one, other))
    assert {name: (array.shape, array.dtype) for name, array in a.tensors.items()} == {
        name: (array.shape, array.dtype) for name, array in b.tensors.items()
    }
    # Where a dropout stream stands, in the process that saves it. Seeds of a stack share the first one's.
    if len(seeds) == 1:
        assert (a.tensors["rng.state"] == b.tensors["rng.state"]).all()


@pytest.mark.parametrize("name", SAME_NUMBERS)
def test_several_processes_compute_what_one_does(ended: dict[str, Ended], folder: Path, name: str) -> None:
    assert set(ended[name].codes) == {0}, ended[name].errs
    assert_same_numbers(run_of(folder, name), run_of(folder, f"{name}, alone"))
    facts = json.loads((run_of(folder, name).path / "run.json").read_text())
    assert facts["processes"] == len(ended[name].codes)


def test_only_the_first_process_prints(ended: dict[str, Ended]) -> None:
    for name, end in ended.items():
        for out, err in zip(end.outs[1:], end.errs[1:], strict=True):
            assert out == ""
            assert err == "" or name == "leader killed", name
    assert "2 processes, each cpu" in ended["two seeds, one of which stops"].errs[0]


def test_a_run_goes_on_in_another_number_of_processes(ended: dict[str, Ended], folder: Path) -> None:
    assert ended["begun alone"].codes == [130]
    for name, codes, change in (
        ("resumed by two", [143, 143], "1 -> 2"),
        ("resumed alone", [130], "2 -> 1"),
        ("resumed by two again", [0, 0], "1 -> 2"),
    ):
        assert ended[name].codes == codes
        said = f"not bit for bit what an uninterrupted run would give: processes {change}"
        assert ended[name].errs[0].count(said) == 1, ended[name].errs[0]
    run = run_of(folder, "back and forth")
    steps = [event["step"] for event in ledger.read(run.ledger_path) if event["event"] == "resumed"]
    steps_per_epoch = 6
    assert len(steps) == 3
    assert all(step % steps_per_epoch for step in steps), f"stopped in the middle of an epoch: {steps}"
    assert_same_numbers(run, run_of(folder, "never stopped"))


@pytest.mark.parametrize(
    ("name", "code", "text"),
    [
        ("wrong config", 2, "epochs: 0 is not allowed"),
        ("wrong in one process", 2, "process 1 of 2: loss: own:squared"),
        ("small batch", 2, "3 processes cannot share 2 samples"),
        ("no room for runs", 4, "0 B are free there"),
        ("no folder for runs", 2, "own.py is not"),
        ("diverges", 6, "diverged in epoch 1"),
        ("error in the leader", 2, "your own code raised ArithmeticError: out of numbers"),
        ("error in a follower", 2, "process 1 of 2: your own code raised ArithmeticError: out of numbers"),
        ("drifts", 2, "the 2 processes have different weights, such as seen"),
        ("interrupted", 130, "state saved; continue with"),
    ],
)
def test_all_leave_with_one_message_and_its_code(ended: dict[str, Ended], name: str, code: int, text: str) -> None:
    end = ended[name]
    assert set(end.codes) == {code}, end.errs
    assert end.errs[0].count(text) == 1, end.errs[0]


def test_nothing_is_left_of_what_could_not_begin(ended: dict[str, Ended], folder: Path) -> None:
    for name in ("wrong config", "wrong in one process", "small batch"):
        assert not (folder / name).exists()


@pytest.mark.parametrize("who", ["follower", "leader"])
def test_a_process_that_is_killed(ended: dict[str, Ended], folder: Path, who: str) -> None:
    end = ended[f"{who} killed"]
    alive = 0 if who == "follower" else 1
    assert end.codes[alive] == 4
    assert end.codes[1 - alive] == -signal.SIGKILL
    assert end.errs[alive].count("process of this run ended without a message") == 1
    assert who == "leader" or "is saved; continue with" in end.errs[alive]
    resumed = ended[f"goes on after the {who}"]
    assert resumed.codes == [0, 0], resumed.errs
    assert_same_numbers(run_of(folder, f"{who} killed"), run_of(folder, "never stopped"))


def test_torchrun_itself_trains_the_same_run(folder: Path, ended: dict[str, Ended]) -> None:
    """With the launcher itself: it keeps the store, and ends what is left once one process has failed."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    result = subprocess.run(
        [*torchrun, "-m", "lossrun", "train", "recorded-sgd.yaml", "--runs-dir", "torchrun", "--set", "epochs=2"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("2/2") == 1
    rows = history.read(run_of(folder, "torchrun").history_path).rows
    same = history.read(run_of(folder, "recorded sgd").history_path).rows
    assert math.isclose(rows[0]["train_loss"], same[0]["train_loss"], rel_tol=1e-5)


def test_variables_of_torchrun_that_are_no_numbers_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"RANK": "x", "WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": "1"}.items():
        monkeypatch.setenv(name, value)
    with (
        pytest.raises(UsageError, match=r"RANK=x, WORLD_SIZE=2, .*; unset them to train in one process"),
        taking_part(),
    ):
        pass
