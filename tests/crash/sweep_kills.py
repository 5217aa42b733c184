"""SIGKILL at random times until a sweep is done: plan, scores and final runs are those of the whole one."""

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from lossrun.errors import LossrunError
from lossrun.records.files import config_file
from lossrun.records.recorded import load
from lossrun.records.sweep_directory import SweepDirectory, all_sweeps, read_events, read_plan
from tests.crash.forks import Forks, Started, forks
from tests.crash.kills import killed_until_done
from tests.crash.outcomes import Outcome, count_of

SWEEPS = 60
CONFIG: dict[str, Any] = {
    "dataset": {"name": "synthetic_regression", "samples": 60, "features": 3},
    "model": {"name": "mlp", "hidden": [4], "dropout": 0.2},
    "loss": "mse",
    "optimizer": "sgd",
    "learning_rate": 0.01,
    "epochs": 4,
    "seeds": 2,
    "checkpoint": "1 epoch",
    "lint": "warn",
}
RATES = {"log_range": [1e-5, 1e-2], "points": 5}
LOSSES = {"loss": ["mse", "mae"]}
TPE = {"learning_rate": {"log_range": [1e-5, 1e-1]}, "samples": 14, "sampler": "tpe"}
BLOCKS: dict[str, dict[str, Any]] = {
    "stacks": {**LOSSES, "learning_rate": RATES, "tune": False},
    "halving": {**LOSSES, "learning_rate": RATES, "halving": 2, "tune": {"seeds": 1}},
    "extend, repeats": {**LOSSES, "learning_rate": RATES, "extend": 2, "tune": {"repeats": 2}},
    "tpe": {**LOSSES, **TPE, "tune": {"seeds": 1}},
    "tpe, halving, repeats": {**TPE, "loss": ["mse"], "halving": 2, "tune": {"repeats": 2}},
}
SWEEP = ("sweep", "config.yaml", "--jobs", "1", "--quiet")
INLINE: dict[str, Any] = {"before": {"tests.crash.inline_pool:install": {}}}


def attack(folder: Path, share: float, seed: int) -> Iterator[Outcome]:
    with forks() as server:
        whole: dict[str, Any] = {}
        usual: dict[str, float] = {}
        for number in range(count_of(SWEEPS, share)):
            name = list(BLOCKS)[number % len(BLOCKS)]
            if name not in whole:
                place = new_folder(folder / f"whole-{name.replace(', ', '-')}", name)
                done = server.run(SWEEP, place, **INLINE)
                if problem := done.problem(0):
                    yield Outcome(f"{name}, not killed", problem)
                    continue
                whole[name], usual[name] = contents(place), done.computing
            place = new_folder(folder / str(number), name)
            kills, problem = sweep_killed_until_done(server, place, Random(f"{seed} {number}"), usual[name])
            if not problem and contents(place) != whole[name]:
                problem = "other plans or scores than the whole sweep"
            yield Outcome(f"{name}, sweep {number}, killed {kills} times", problem)


def new_folder(place: Path, name: str) -> Path:
    """Make a folder with the config of a sweep."""
    place.mkdir(parents=True)
    (place / "config.yaml").write_text(config_file.dumps({**CONFIG, "sweep": BLOCKS[name]}))
    return place


def sweep_killed_until_done(server: Forks, place: Path, draw: Random, usual: float) -> tuple[int, str]:
    """Run the sweep in a folder."""

    def start() -> Started:
        begun = bool(all_sweeps(place / "runs"))
        return server.start(("resume", "last", "--jobs", "1", "--quiet") if begun else SWEEP, place, **INLINE)

    return killed_until_done(start, draw, usual)


def contents(place: Path) -> Any:
    """Return the plan of the only sweep, and what every cell measured, seconds aside."""
    (path,) = all_sweeps(place / "runs")
    sweep = SweepDirectory(path)
    plan = read_plan(sweep)
    try:
        runs = [load(sweep.run(cell)) for cell in plan]
    except LossrunError as error:
        return str(error)
    timed = ("seconds", "train_seconds")
    rows = [
        [{key: value for key, value in row.items() if key not in timed} for row in run.history.rows] for run in runs
    ]
    return plan, rows, [run.status for run in runs], read_events(sweep)[-1]["event"]
