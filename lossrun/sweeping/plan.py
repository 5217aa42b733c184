"""The plan of a sweep: a directory for each cell, first those that tune, then the final ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lossrun.analysis.sweeps import PairTuning, word
from lossrun.config import SourcedConfig
from lossrun.errors import ConfigError
from lossrun.experiment import load_experiment
from lossrun.records import run_directory
from lossrun.records.sweep_directory import Phase, PlannedCell
from lossrun.sweeping.cells import Cell, cells_of, pairs_of, tuning_seeds, with_seeds
from lossrun.sweeping.space import Space, read_space


def planned(cell: Cell, phase: Phase, number: int, seeds: Sequence[int]) -> PlannedCell:
    """The line of a cell in the plan."""
    return _line(phase, number, cell.pair, cell.changes, with_seeds(cell.config, seeds).to_mapping())


def _line(
    phase: Phase, number: int, pair: Mapping[str, Any], changes: Mapping[str, Any], config: Mapping[str, Any]
) -> PlannedCell:
    name = "-".join([phase, f"{number:04d}", *map(word, changes.values())])
    return PlannedCell(run_directory.slug(name), phase, dict(pair), dict(changes), config)


def final_cells(pairs: Sequence[PairTuning], seeds: Sequence[int]) -> list[PlannedCell]:
    """The run of each pair with the values that it got, on seeds that tuning has not seen."""
    chosen = [pair.chosen for pair in pairs if pair.chosen is not None]
    return [
        _line("final", number, trial.cell.pair, trial.cell.changes, {**trial.cell.config, "seeds": list(seeds)})
        for number, trial in enumerate(chosen, 1)
    ]


def first_cells(cells: Sequence[Cell], space: Space) -> list[PlannedCell]:
    """What is run first: the tuning runs, or in a plain grid everything."""
    if space.tuning is None:
        return [planned(cell, "final", number, cell.config.seeds) for number, cell in enumerate(cells, 1)]
    seeds = tuning_seeds(cells, space.tuning.seeds)
    return [planned(cell, "tune", number, seeds) for number, cell in enumerate(cells, 1)]


@dataclass(frozen=True, slots=True)
class Planned:
    """A sweep before it is written. `config`: of the sweep, its block written out; `facts`: for the ledger."""

    name: str
    config: Mapping[str, Any]
    cells: Sequence[PlannedCell]
    facts: Mapping[str, Any]
    tunes: bool


def plan_sweep(reading: SourcedConfig, over: Sequence[str], data_dir: Path) -> Planned:
    """Plan every cell, and check one of each pair against its data.

    Raises ConfigError and DataError, with every mistake, before anything is written.
    """
    space = read_space(reading, over)
    cells = cells_of(reading, space)
    _check(reading, space, cells, data_dir)
    config = {**reading.config.to_mapping(), "sweep": block_of(space)}
    facts = {
        "config_dir": str(reading.directory),
        "metric": space.tuning.metric if space.tuning else None,
        "seeds": list(reading.config.seeds),
    }
    name = reading.config.name or f"sweep-{reading.config.dataset.name.rpartition(':')[2]}"
    return Planned(name, config, first_cells(cells, space), facts, space.tuning is not None)


def _check(reading: SourcedConfig, space: Space, cells: Sequence[Cell], data_dir: Path) -> None:
    problems: dict[str, None] = {}
    for first, *_ in pairs_of(cells):
        one = replace(reading, config=first.config)
        try:
            facts = load_experiment(one, data_dir).facts
        except ConfigError as error:
            problems.update(dict.fromkeys(f"{first.label}: {problem}" for problem in error.problems))
            continue
        if space.tuning is not None and not facts.validation:
            text = "tuning chooses by validation data, and there are none; set dataset.validation above 0"
            problems[reading.source.problem(("dataset", "validation"), text).text] = None
    if problems:
        raise ConfigError(list(problems))


def block_of(space: Space) -> dict[str, Any]:
    """The sweep block with every alternative written out."""
    block: dict[str, Any] = {one.key: list(one.values) for one in space.alternatives}
    for span in space.spans:
        block[span.key] = {"log_range" if span.log else "range": [span.low, span.high]}
    if space.samples is not None:
        block |= {"samples": space.samples, "seed": space.seed}
    block["tune"] = (
        False if space.tuning is None else {"metric": space.tuning.metric or "auto", "seeds": space.tuning.seeds}
    )
    return block
