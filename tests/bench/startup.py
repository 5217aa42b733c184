"""Wall time of whole commands that must not import torch, from the shell to exit."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median

from tests.bench.child import environment
from tests.bench.tables import print_table, seconds

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


def timed(
    command: list[str],
    folder: str | Path,
    *,
    exits: tuple[int, ...] = (0,),
    extra_environment: Mapping[str, str] | None = None,
) -> float:
    """Seconds of the command, its output captured. Raises RuntimeError where its exit code is none of these."""
    surroundings = environment(extra_environment)
    started = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=surroundings, capture_output=True, text=True, check=False)
    passed = time.perf_counter() - started
    if done.returncode not in exits:
        raise RuntimeError(f"{command} in {folder}: exit {done.returncode}\n{done.stderr[-2000:]}")
    return passed


def measure(rounds: int) -> None:
    """On two tiny runs in a temporary folder, the commands in turn, after a first round that warms the disk's cache."""
    commands = {
        "lossrun --help": ["--help"],
        "lossrun compare last~1 last": ["compare", "last~1", "last"],
        "lossrun train with a config error": ["train", "wrong.yaml"],
        "lossrun ls": ["ls"],
    }
    references = {"python -c pass": "pass", "python -c 'import numpy'": "import numpy"}
    times: dict[str, list[float]] = {name: [] for name in [*references, *commands]}
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "config.yaml").write_text(CONFIG)
        Path(folder, "wrong.yaml").write_text(CONFIG.replace("learning_rate", "lr"))
        for loss in ("mse", "huber"):
            timed([*LOSSRUN, "train", "config.yaml", "--set", f"loss={loss}", "--quiet"], folder)
        for _ in range(1 + rounds):
            for name, program in references.items():
                times[name].append(timed([sys.executable, "-c", program], folder))
            for name, arguments in commands.items():
                times[name].append(timed([*LOSSRUN, *arguments], folder, exits=(2,) if "error" in name else (0,)))
    rows = [
        [name, *(seconds(value) for value in (median(values[1:]), min(values[1:]), max(values[1:])))]
        for name, values in times.items()
    ]
    print_table(f"Commands without torch, {rounds} times each", ["command", "median", "least", "most"], rows)
