"""A sweep on disk whose scores are given rather than trained."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lossrun.records import ledger
from lossrun.records.files import strict_json
from lossrun.records.run_directory import RunDirectory
from lossrun.records.sweep_directory import PlannedCell, SweepDirectory, create
from tests.conftest import CONFIG, write_run

Pair = tuple[str, ...]  # a loss, or a loss and an optimizer
KEYS = ("loss", "optimizer")


def written_sweep(
    folder: Path,
    tuned: Mapping[tuple[Pair, float], Sequence[float]],
    final: Mapping[Pair, Sequence[float]],
    rate: float = 0.1,
    samples: int | None = None,
    own_data: bool = False,
) -> SweepDirectory:
    """Write the runs of every pair and learning rate with their val_rmse, and the final ones with their test_rmse, one
    value for each seed. `rate`: what every pair is tuned to. `samples`: of the validation data. `own_data`: whether
    each run has other data."""
    plan: list[PlannedCell] = []
    scores: dict[str, Sequence[float]] = {}

    def add(phase: Any, pair: Pair, rate: float, values: Sequence[float], first_seed: int) -> None:
        changes = dict(zip(KEYS, pair, strict=False))
        seeds = list(range(first_seed, first_seed + len(values)))
        config = CONFIG | {key: {"name": name} for key, name in changes.items()}
        config |= {"learning_rate": rate, "seeds": seeds, "epochs": 1, "name": None}
        name = f"{phase}-{len(plan):04d}"
        plan.append(PlannedCell(name, phase, changes, {**changes, "learning_rate": rate}, config))
        scores[name] = values

    for (pair, tried), values in tuned.items():
        add("tune", pair, tried, values, 100)
    for pair, values in final.items():
        add("final", pair, rate, values, 0)
    metric = "val_rmse" if tuned else None
    sweep = create(folder, "written", {**CONFIG, "sweep": {}}, plan, {"metric": metric, "seeds": [0, 1]})
    for cell in plan:
        data = cell.directory if own_data else ""
        _write_run(sweep, cell, scores[cell.directory], samples, data)
    return sweep


def _write_run(
    sweep: SweepDirectory, cell: PlannedCell, values: Sequence[float], samples: int | None, data: str
) -> None:
    seeds = cell.config["seeds"]
    by_seed = dict(zip(seeds, values, strict=True))
    environment: dict[str, Any] = {"data": dict.fromkeys(("train", "validation", "test"), data)} if data else {}
    if samples:
        environment["samples"] = {"train": 100, "validation": samples, "test": 1000}
    run = write_run(
        sweep.path,
        cell.directory,
        rows=lambda _, seed: {"train_loss": 1.0, "val_loss": 1.0, "val_rmse": by_seed[seed]},
        config=cell.config,
        environment=environment,
        finish=False,
    )
    tests = {"test_loss": 1.0, "test_mae": 1.0}
    ends = {
        str(seed): {
            "test_at_best": {**tests, "test_rmse": by_seed[seed]},
            "test_at_last": {**tests, "test_rmse": by_seed[seed]},
            "stopped_epoch": None,
        }
        for seed in seeds
    }
    ledger.append(run.ledger_path, "finished", epoch=1, seeds=strict_json.loads(strict_json.dumps(ends)), seconds=1.0)
    run.path.rename(RunDirectory(sweep.run(cell)).path)
