"""What many seeds in one run cost beside one seed.

    python tests/bench/seeds.py

Trains each network with one seed, seed by seed and as one batched computation, several times in turn, and prints the
medians of an epoch's training time. The rule in training/stacked.py comes from this table.
"""

import platform
import statistics
import tempfile
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

from lossrun.config import from_mapping
from lossrun.data import default_data_dir
from lossrun.lint import examine
from lossrun.training import stacked, start
from lossrun.training.events import EpochRecord
from lossrun.training.loop import train

REGRESSION = {"name": "synthetic_regression", "samples": 1250, "features": 10}
DIGITS = {"name": "digits"}
MNIST = {"name": "mnist", "validation": 5000}
NETS: dict[str, tuple[dict[str, Any], list[int], str, str]] = {
    "10-20-1": (REGRESSION, [20], "mse", "adam"),
    "10-64-64-1": (REGRESSION, [64, 64], "mse", "adam"),
    "64-100-10 on digits": (DIGITS, [100], "cross_entropy", "sgd"),
    "64-200-100-10 on digits": (DIGITS, [200, 100], "cross_entropy", "sgd"),
    "784-32-10 on MNIST": (MNIST, [32], "cross_entropy", "sgd"),
}
EPOCHS = 4


def epoch_seconds(name: str, seeds: int, most_weights: int) -> float:
    """The median epoch but the first, with seeds stacked up to that many weights."""
    dataset, hidden, loss, optimizer = NETS[name]
    config = {
        "dataset": dataset,
        "model": {"name": "mlp", "hidden": hidden},
        "loss": loss,
        "optimizer": optimizer,
        "learning_rate": 1e-3,
        "epochs": EPOCHS,
        "seeds": seeds,
    }
    with tempfile.TemporaryDirectory() as folder, patch.object(stacked, "MOST_WEIGHTS", most_weights):
        examined = examine(from_mapping(config, Path(folder)), default_data_dir())
        with start.begin(start.prepare(examined), Path(folder)) as session:
            events = [event for event in train(session, lambda: None) if isinstance(event, EpochRecord)]
    return statistics.median(event.rows[0]["train_seconds"] for event in events[1:])


def main() -> None:
    print(f"torch {torch.__version__}, python {platform.python_version()}, {torch.get_num_threads()} threads, medians")
    print(f"{'':28}{'one seed':>10}{'seeds':>8}{'seed by seed':>16}{'stacked':>12}  stacked / one")
    for name in NETS:
        for seeds in (4, 16, 64):
            times: dict[str, list[float]] = {"one": [], "eager": [], "stacked": []}
            for _ in range(3):
                times["one"].append(epoch_seconds(name, 1, 0))
                times["eager"].append(epoch_seconds(name, seeds, 0) if seeds < 64 else float("nan"))
                times["stacked"].append(epoch_seconds(name, seeds, 10**9))
            one, eager, together = (statistics.median(values) for values in times.values())
            one_by_one = "-" if seeds == 64 else f"{eager * 1e3:.1f} ms"
            print(
                f"{name:28}{one * 1e3:7.1f} ms{seeds:8}{one_by_one:>16}{together * 1e3:9.1f} ms  {together / one:8.2f}"
            )


if __name__ == "__main__":
    main()
