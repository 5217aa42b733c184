"""The size that is computed beforehand, against what training really takes."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BASE: dict[str, Any] = {
    "dataset": {"name": "synthetic_regression", "samples": 200},
    "model": {"name": "mlp", "hidden": [8]},
    "loss": "mse",
    "optimizer": "adam",
    "learning_rate": 1e-3,
    "epochs": 2,
}

PROGRAM = """
import os, sys, json
import lossrun
from lossrun.config import from_mapping, resolve
from lossrun.data import known_facts
from lossrun.lint.size import size_of
from pathlib import Path

def peak():
    # Bytes, of this program alone: getrusage counts from what the process was forked from.
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024

def measured(config):
    lossrun.train({**config, "model": {"name": "linear"}, "dataset": {"name": "synthetic_regression", "samples": 50}},
                  runs_dir="runs", overrides=["lint=warn"])
    before = peak()
    lossrun.train(config, runs_dir="runs", overrides=["lint=warn"])
    taken = peak() - before
    config = from_mapping(config, Path(".")).config
    facts = known_facts(config.dataset.name, config.dataset.parameters)
    size = size_of(resolve(config, facts), facts)
    return sum(size.least(on_cpu=True).values()), taken, size.about

import lossrun.training.starting.start
for config in json.loads(sys.argv[1]):
    if os.fork() == 0:
        print(json.dumps(measured(config)), flush=True)
        os._exit(0)
    os.wait()
"""


CASES: list[dict[str, Any]] = [
    {"model": {"name": "mlp", "hidden": [1500, 1500]}},
    {"model": {"name": "mlp", "hidden": [1500, 1500]}, "optimizer": "sgd"},
    {"model": {"name": "mlp", "hidden": [1000, 1000]}, "seeds": 3, "optimizer": "rmsprop"},
    {"dataset": {"name": "synthetic_regression", "samples": 60_000, "features": 300}, "batch_size": 5000},
    {
        "dataset": {"name": "synthetic_regression", "samples": 8000, "features": 5},
        "model": {"name": "mlp", "hidden": [1000, 1000]},
        "batch_size": "full",
    },
]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the peak is read from /proc")
def test_training_takes_more_than_the_least_and_not_much_more_than_about(tmp_path: Path) -> None:
    """Each measured in a process of its own, beyond what it takes anyway: a fork of one that has imported torch."""
    configs = [{**BASE, "epochs": 1, **changes} for changes in CASES]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM, json.dumps(configs)],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},  # a fork has no other thread
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(found) == len(CASES), done.stderr
    beyond = [
        (changes, *sizes) for changes, sizes in zip(CASES, found, strict=True) if not sizes[0] < sizes[1] < 3 * sizes[2]
    ]
    assert beyond == []
