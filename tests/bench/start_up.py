"""Wall time of whole commands that must not import torch, from the shell to exit.

    python tests/bench/start_up.py

Trains two tiny runs first, in a temporary folder, and then times each command seven times after a warm-up.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CONFIG = """\
dataset: {name: synthetic_regression, samples: 100}
model: mlp
loss: mse
optimizer: adam
learning_rate: 0.01
epochs: 10
seeds: 3
"""
LOSSRUN = [sys.executable, "-m", "lossrun"]


def seconds(command: list[str], folder: str) -> float:
    started = time.perf_counter()
    subprocess.run(command, cwd=folder, capture_output=True, check=False)
    return time.perf_counter() - started


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "config.yaml").write_text(CONFIG)
        Path(folder, "wrong.yaml").write_text(CONFIG.replace("learning_rate", "lr"))
        for loss in ("mse", "huber"):
            command = [*LOSSRUN, "train", "config.yaml", "--set", f"loss={loss}", "--quiet"]
            subprocess.run(command, cwd=folder, check=True, capture_output=True)
        commands = {
            "lossrun --help": ["--help"],
            "lossrun compare last~1 last": ["compare", "last~1", "last"],
            "lossrun train with a config error": ["train", "wrong.yaml"],
            "lossrun ls": ["ls"],
        }
        for name, arguments in commands.items():
            times = [seconds([*LOSSRUN, *arguments], folder) for _ in range(8)][1:]
            print(f"{name:36} median {statistics.median(times):.3f} s  (min {min(times):.3f}, max {max(times):.3f})")


if __name__ == "__main__":
    main()
