"""Whole commands, from the shell to exit, compared with the same job in Keras and Lightning."""

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final

import numpy as np

from lossrun.config import from_mapping
from lossrun.data import default_data_dir
from lossrun.experiment import load_experiment
from lossrun.records import history
from lossrun.records.run_directory import RunDirectory, all_runs
from tests.bench.child import ask
from tests.bench.peers import PEERS, available
from tests.bench.startup import LOSSRUN, timed
from tests.bench.tables import print_table, progress, ratio, seconds, spread, verdict
from tests.bench.tasks import MNIST, TASKS

SCRIPTS: Final = {"keras-jax": "keras_script.py", "lightning": "lightning_script.py"}
TARGETS: Final = {"keras-jax": 0.6, "lightning": 0.5}
MOST_ADDED: Final = 0.3  # seconds that starting may add to `import torch`


def measure(peers: Sequence[str], rounds: int, epochs: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        _measure_job([peer for peer in available(peers) if peer in ("lossrun", *SCRIPTS)], rounds, epochs, folder)
    with tempfile.TemporaryDirectory() as folder:
        _measure_start(max(rounds, 5), folder)


def write_archive(path: str) -> dict[str, Any]:
    """MNIST as Keras's own mnist.npz has it (uint8 pixels, no validation part), uncompressed. In a child: memory."""
    config = TASKS["mnist-128"].config(1) | {"dataset": MNIST | {"validation": 0}}
    data = load_experiment(from_mapping(config, Path(path).parent), default_data_dir()).data[0]
    assert data.test is not None
    arrays = {
        f"{axis}_{name}": array
        for name, part in (("train", data.train), ("test", data.test))
        for axis, array in (("x", part.inputs.reshape(-1, 28, 28)), ("y", part.targets.astype(np.uint8)))
    }
    np.savez(path, **arrays)
    return {name: str(array.dtype) for name, array in arrays.items()}


def _measure_job(peers: list[str], rounds: int, epochs: int, folder: str) -> None:
    """A first round with one epoch warms the disk's cache and lets lossrun keep its decoded arrays."""
    archive = Path(folder, "mnist.npz")
    ask("command:write_archive", path=str(archive))
    times: dict[str, list[float]] = {peer: [] for peer in peers}
    for number in range(1 + rounds):
        for peer in list(times)[:: -1 if number % 2 else 1]:
            with tempfile.TemporaryDirectory(dir=folder) as own:
                command = _job(peer, epochs if number else 1, archive, Path(own))
                try:
                    passed = timed(command, own, extra_environment=PEERS[peer].environment)
                except RuntimeError as error:
                    if peer == "lossrun":
                        raise
                    print(f"{peer} is left out: {error}")
                    del times[peer]
                    continue
            if number:
                times[peer].append(passed)
                progress(f"command, round {number}/{rounds}: {peer} {passed:.2f} s")
    rows = []
    for peer, values in times.items():
        row = [peer, seconds(median(values)), spread(values, 2)]
        if peer != "lossrun":
            times_theirs = ratio(times["lossrun"], values)
            row += [f"{times_theirs:.3f}", *verdict(times_theirs, TARGETS[peer])]
        rows.append(row)
    title = f"{TASKS['mnist-128'].title}: {epochs} epochs, from the shell to exit, {rounds} rounds, medians"
    print_table(title, ["peer", "whole command", "in each round", "lossrun / it", "target", ""], rows)


def _job(peer: str, epochs: int, archive: Path, folder: Path) -> list[str]:
    """The command; lossrun's config is JSON, which is YAML."""
    if peer == "lossrun":
        config = folder / "config.yaml"
        config.write_text(json.dumps(TASKS["mnist-128"].config(epochs)))
        return [*LOSSRUN, "train", str(config)]
    return [sys.executable, str(Path(__file__).with_name(SCRIPTS[peer])), str(archive), str(epochs)]


def _measure_start(rounds: int, folder: str) -> None:
    """One epoch of the tiny regression next to `import torch` alone. The epoch itself is not part of starting; the rest
    includes the end of the run (test data, predictions, ledger)."""
    Path(folder, "config.yaml").write_text(json.dumps(TASKS["regression"].config(1)))
    torch_alone, whole, epoch, building = [], [], [], []
    for number in range(1 + rounds):
        alone = timed([sys.executable, "-c", "import torch"], folder)
        ours = timed([*LOSSRUN, "train", "config.yaml"], folder)
        run = RunDirectory(all_runs(Path(folder, "runs"))[-1])
        if number:
            torch_alone.append(alone)
            whole.append(ours)
            epoch.append(history.read(run.history_path).rows[0]["seconds"])
            building.append(ask("run_child:run", config=TASKS["regression"].config(1))["building"])
    added = [ours - alone - one for ours, alone, one in zip(whole, torch_alone, epoch, strict=True)]
    rows = [
        ["python -c 'import torch'", seconds(median(torch_alone)), spread(torch_alone)],
        ["lossrun train, 1 epoch of 1,000 samples", seconds(median(whole)), spread(whole)],
        ["that epoch", seconds(median(epoch)), spread(epoch)],
        ["what starting and ending add", seconds(median(added)), spread(added), *verdict(median(added), MOST_ADDED)],
        ["of it from the data to the first epoch", seconds(median(building)), spread(building)],
    ]
    print_table(f"Starting, {rounds} rounds", ["process", "median", "in each round", "target (s)", ""], rows)
