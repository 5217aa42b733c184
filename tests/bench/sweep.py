"""A whole sweep, from the shell to exit, compared with the same runs one after the other."""

import json
import os
import tempfile
from pathlib import Path
from statistics import median
from typing import Any, Final

from lossrun.records.sweep_directory import SweepDirectory, all_sweeps, read_plan
from tests.bench.startup import LOSSRUN, timed
from tests.bench.tables import print_table, progress, ratio, seconds, spread, verdict
from tests.bench.tasks import TASKS

RATES: Final = 7
TINY: Final = {"epochs": 30, "seeds": 3}
MOST_SECONDS: Final = 5.0
# Of the time that the runs take one by one, by task.
MOST_OF_ONE_BY_ONE: Final = {"regression": 0.07, "mnist-32": 0.65, "mnist-128": 0.8}
MOST_SYNCS: Final = 20  # for each cell
DIVERGED: Final = 6  # the exit code; some rates of a grid are too large for their pair
# Counts the calls of every process of the command, workers included.
COUNTING: Final = """\
import atexit, os
_sync, _count = os.fsync, 0
def fsync(descriptor):
    global _count
    _count += 1
    _sync(descriptor)
    with open(os.environ["LOSSRUN_BENCH_SYNCS"], "ab") as file:
        file.write(b".")
os.fsync = fsync
"""


def grid(task: str, losses: list[str], optimizers: list[str], **changes: Any) -> dict[str, Any]:
    """The config of a plain grid."""
    config = TASKS[task].config(1) | changes
    rates = {"log_range": [1e-4, 0.1], "points": RATES}
    block = {"loss": losses, "optimizer": optimizers, "learning_rate": rates, "tune": False}
    return config | {"sweep": block, "lint": "warn"}


def measure(rounds: int, epochs: int) -> None:
    """`epochs` are those of MNIST, one at least."""
    tiny = grid("regression", ["mse", "mae", "huber"], ["sgd", "adam"], **TINY)
    _measure("regression", tiny, rounds, MOST_SECONDS)
    _count_syncs(tiny)
    for task in ("mnist-32", "mnist-128"):
        config = grid(task, ["cross_entropy", "mse", "focal"], ["sgd", "adam"], epochs=max(1, epochs // 5))
        _measure(task, config, 1, None)


def _measure(task: str, config: dict[str, Any], rounds: int, most: float | None) -> None:
    together, one_by_one, cells = [], [], 0
    for number in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "config.yaml").write_text(json.dumps(config))
            together.append(timed([*LOSSRUN, "sweep", "config.yaml"], folder))
            progress(f"sweep, {task}, round {number + 1}/{rounds}: {together[-1]:.2f} s")
            plan = read_plan(SweepDirectory(all_sweeps(Path(folder, "runs"))[0]))
            cells, stacks = len(plan), len({cell.stack for cell in plan})
            passed = 0.0
            for cell in plan:
                Path(folder, "cell.yaml").write_text(json.dumps(dict(cell.config)))
                alone = [*LOSSRUN, "train", "cell.yaml", "--runs-dir", "alone", "--quiet"]
                passed += timed(alone, folder, exits=(0, DIVERGED))
            one_by_one.append(passed)
            progress(f"one by one, {task}, round {number + 1}/{rounds}: {passed:.2f} s")
    share = ratio(together, one_by_one)
    rows = [
        [
            f"{cells} cells in {stacks} stacks",
            seconds(median(together)),
            spread(together, 2),
            *verdict(median(together), most),
        ],
        ["the same runs one by one", seconds(median(one_by_one)), spread(one_by_one, 2), "", ""],
        ["share", f"{share:.3f}", "", *verdict(share, MOST_OF_ONE_BY_ONE[task])],
    ]
    seeds, count = config.get("seeds", 1), config["epochs"]
    title = f"{TASKS[task].title}: {cells * seeds} trainings of {count} epochs, from the shell to exit, {rounds} rounds"
    print_table(title, ["", "median", "in each round", "target", ""], rows)


def _count_syncs(config: dict[str, Any]) -> None:
    """By a module that Python imports in every process as it starts."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "config.yaml").write_text(json.dumps(config))
        Path(folder, "sitecustomize.py").write_text(COUNTING)
        counted = Path(folder, "syncs")
        paths = os.pathsep.join([folder, os.environ.get("PYTHONPATH", "")])
        surroundings = {"PYTHONPATH": paths, "LOSSRUN_BENCH_SYNCS": str(counted)}
        timed([*LOSSRUN, "sweep", "config.yaml"], folder, extra_environment=surroundings)
        cells = len(read_plan(SweepDirectory(all_sweeps(Path(folder, "runs"))[0])))
        each = counted.stat().st_size / cells
    print_table(
        "fsyncs of the whole sweep", ["", "a cell", "target", ""], [["", f"{each:.1f}", *verdict(each, MOST_SYNCS)]]
    )
