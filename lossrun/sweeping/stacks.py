"""Choose which cells of a sweep train as one computation: cells that differ only in seeds, learning rates and decays.

The choice depends on configs and shapes alone, and is written into the plan. Which cells are computed together decides
the last bits of their numbers, so shards and workers divide a sweep between stacks and never within one.
"""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, Final

from lossrun.config.read import from_mapping
from lossrun.experiment import Experiment, load_experiment
from lossrun.lint.machine import may_have_a_gpu
from lossrun.lint.size import layers
from lossrun.lint.stacking import even_sizes, why_not_stacked
from lossrun.records.sweep_directory import PlannedCell

# Seeds in a stack, and weights of all of them. The time of a larger stack grows in proportion, and other cores would
# have no work.
MOST_SEEDS: Final = 32
MOST_WEIGHTS: Final = 2**17
# What may differ within a stack.
_FREE: Final = ("seed", "seeds", "learning_rate", "name", "tags")


def with_stacks(cells: Sequence[PlannedCell], config_dir: Path, data_dir: Path) -> list[PlannedCell]:
    """Return the cells, in their order, each with the name of its stack: the directory of the stack's first cell."""
    stacks: dict[str, str] = {}
    loaded: Experiment | None = None  # most cells of a sweep have the same data
    for alike in _alike(cells):
        seeds = 1
        if len(alike) > 1:
            reading = from_mapping({**alike[0].config, "lint": "warn"}, config_dir)
            loaded = load_experiment(reading, data_dir, loaded=loaded)
            seeds = most_seeds(loaded)
        for stack in _divided(alike, seeds):
            stacks |= {cell.directory: stack[0].directory for cell in stack}
    return [replace(cell, stack=stacks[cell.directory]) for cell in cells]


def by_stack(cells: Iterable[PlannedCell]) -> dict[str, list[PlannedCell]]:
    """Return the cells of each stack, in the order of the plan. A cell of an older plan is a stack of its own."""
    found: dict[str, list[PlannedCell]] = {}
    for cell in cells:
        found.setdefault(cell.stack or cell.directory, []).append(cell)
    return found


def _alike(cells: Iterable[PlannedCell]) -> list[list[PlannedCell]]:
    found: dict[str, list[PlannedCell]] = {}
    for cell in cells:
        found.setdefault(f"{cell.phase} {json.dumps(_fixed(cell.config), sort_keys=True)}", []).append(cell)
    return list(found.values())


def _fixed(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a config that is the same for all cells of a stack."""
    fixed = {key: value for key, value in config.items() if key not in _FREE}
    if config.get("splits") or config.get("folds") or config["dataset"].get("split_seed") == "seed":
        # Seeds have splits of their own, and the cells of a stack are trained on the same data.
        fixed["seeds"] = config["seeds"]
    optimizer = fixed.get("optimizer")
    if isinstance(optimizer, Mapping):
        fixed["optimizer"] = {key: value for key, value in optimizer.items() if key != "weight_decay"}
    return fixed


def most_seeds(experiment: Experiment, *, own_rates: bool = True) -> int:
    """Return how many seeds a stack of such runs may have; 1 if they may not be stacked.

    `own_rates`: whether the runs have different learning rates or weight decays.
    """
    config = experiment.config
    there = sys.platform.startswith("linux") and may_have_a_gpu()  # other devices are unknown without torch
    on_gpu = config.device == "cuda" or (config.device == "auto" and there)
    # Class weights computed from the data differ between splits, and a stack has a single loss.
    own_losses = len(set(map(id, experiment.data.values()))) > 1 and config.loss.parameters.get("class_weights")
    if own_losses or why_not_stacked(config, experiment.facts, own_rates=own_rates, on_gpu=on_gpu):
        return 1
    weights = sum(row.parameters for row in layers(config, experiment.facts))
    return MOST_SEEDS if on_gpu else min(MOST_SEEDS, max(1, MOST_WEIGHTS // weights))


def _divided(cells: Sequence[PlannedCell], seeds: int) -> list[list[PlannedCell]]:
    """Divide cells into as few stacks as possible, with about the same number of cells in each."""
    most = max(1, seeds // max(len(_seeds(cell)) for cell in cells))
    left = iter(cells)
    return [list(islice(left, size)) for size in even_sizes(len(cells), most)]


def _seeds(cell: PlannedCell) -> Sequence[int]:
    seeds = cell.config.get("seeds")
    return seeds if isinstance(seeds, list | tuple) else range(seeds or 1)
