import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lossrun.config import Draft, SourcedConfig, from_mapping, read_draft
from lossrun.records.sweep_directory import SweepDirectory

BASE: dict[str, Any] = {
    "dataset": {"name": "synthetic_regression", "samples": 60, "features": 3},
    "model": {"name": "mlp", "hidden": [4]},
    "loss": "mse",
    "optimizer": "sgd",
    "learning_rate": 0.01,
    "epochs": 3,
    "checkpoint": "100 epochs",
}


# Ends by SIGKILL once `cells` cells have ended, which are trained in this process.
KILLED = """
import os, signal, sys
from itertools import count
from pathlib import Path
from lossrun.records.sweep_directory import SweepDirectory
from lossrun.sweeping.course import run_sweep
from tests.crash import inline_pool

inline_pool.install()
ended = count(1)
sweep, folder = map(Path, sys.argv[1:3])

def report(cell, ending):
    if next(ended) == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)

run_sweep(SweepDirectory(sweep), data_dir=folder, jobs=1, report=report)
"""


def killed(sweep: SweepDirectory, folder: Path, cells: int) -> None:
    """Run a sweep until `cells` cells have ended, and SIGKILL it then."""
    program = [sys.executable, "-c", KILLED, str(sweep.path), str(folder), str(cells)]
    assert subprocess.run(program, check=False).returncode == -signal.SIGKILL


@pytest.fixture
def with_block(tmp_path: Path) -> Callable[..., SourcedConfig]:
    def make(block: Any, **changes: Any) -> SourcedConfig:
        return from_mapping({**BASE, **changes, "sweep": block}, tmp_path)

    return make


@pytest.fixture
def draft(tmp_path: Path) -> Callable[[str], Draft]:
    """The base config, with these lines of YAML instead of its own or at its end, before it is validated."""

    def make(text: str) -> Draft:
        lines = {
            "dataset": "{name: synthetic_regression, samples: 60, features: 3}",
            "model": "{name: mlp, hidden: [4]}",
            "loss": "mse",
            "optimizer": "sgd",
            "learning_rate": "0.01",
            "epochs": "3",
        }
        kept = [f"{key}: {value}" for key, value in lines.items() if f"{key}:" not in (text.partition(" ")[0])]
        path = tmp_path / "c.yaml"
        path.write_text("\n".join([*kept, text, ""]))
        return read_draft(path)

    return make


@pytest.fixture
def written(draft: Callable[[str], Draft]) -> Callable[[str], SourcedConfig]:
    """The base config with these lines of YAML at its end."""
    return lambda text: draft(text).validated()
