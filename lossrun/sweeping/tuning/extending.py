"""Extend a tuned range if the best value of some pair is the smallest or the largest one tried."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from lossrun.analysis.sweeps.tuning import TuningResult
from lossrun.config.read import from_mapping
from lossrun.errors import ConfigError
from lossrun.records.sweep_directory import PlannedCell
from lossrun.sweeping.search_space.ranges import beyond
from lossrun.sweeping.tuning.adding import Wanted, added_cells


@dataclass(frozen=True, slots=True)
class Extension:
    """How a range may grow, as recorded in the sweep's ledger under `extend`.

    Attributes:
        factor: The factor from one value to the next, at both ends; 0 for a linear range, where `step` is added
            instead.
        points: The number of values before the range has grown.
        times: The number of values that may be added.
        whole: Whether the values are integers.
    """

    key: str
    factor: float
    step: float
    points: int
    times: int
    whole: bool = False


def further_cells(extension: Extension, tuning: TuningResult, planned: Sequence[PlannedCell]) -> list[PlannedCell]:
    """Return cells for each pair with the next value beyond its edge; no cells if no best value is on an edge.

    Every pair gets another value at this end, with all values of the other tuned keys that the edge has, so that all
    pairs keep the same number of values to choose from. In a grid and with random draws that value is the same for all
    pairs. A sampler has drawn different values for each pair, so each of them continues from its own last one. Where
    tuning is repeated, each repetition grows a range of its own.
    """
    return added_cells(lambda found, _: _beyond(extension, found), tuning, planned)


def _beyond(extension: Extension, tuning: TuningResult) -> list[Wanted]:
    key = extension.key
    tried = [sorted({trial.values[key] for trial in pair.trials}) for pair in tuning.pairs]
    room = extension.points + extension.times - max(map(len, tried))
    epochs = max(trial.cell.config["epochs"] for pair in tuning.pairs for trial in pair.every or pair.trials)
    found: list[Wanted] = []
    for up in [up for up in (False, True) if _is_best(key, tuning, tried, up=up)][: max(room, 0)]:
        more: list[Wanted] = []
        for pair, values in zip(tuning.pairs, tried, strict=True):
            edge = values[-1 if up else 0]
            value = beyond(edge, extension.factor, extension.step, up=up, whole=extension.whole)
            for cell in (trial.cell for trial in pair.trials if trial.values[key] == edge):
                config = {**config_with_value(cell.config, key.split("."), value), "epochs": epochs}
                more.append(Wanted(cell.pair, {**cell.changes, key: value}, config))
        if all(_is_valid(json.dumps(one.config)) for one in more):
            found += more
    return found


def _is_best(key: str, tuning: TuningResult, tried: Sequence[Sequence[Any]], *, up: bool) -> bool:
    """Return whether the best value of any pair is the last one that this pair has tried at an end."""
    return any(
        pair.chosen is not None and key in pair.on_edge and pair.chosen.values[key] == values[-1 if up else 0]
        for pair, values in zip(tuning.pairs, tried, strict=True)
    )


def config_with_value(config: Mapping[str, Any], path: Sequence[str], value: Any) -> dict[str, Any]:
    """Return a copy of a config with another value at the path."""
    name, *rest = path
    return {**config, name: config_with_value(config[name], rest, value) if rest else value}


@lru_cache(maxsize=1024)  # every repetition of tuning asks for the same configs
def _is_valid(config: str) -> bool:
    """Return whether the value is within the bounds of its key, in a config as JSON."""
    try:
        from_mapping(json.loads(config), Path())
    except ConfigError:
        return False
    return True
