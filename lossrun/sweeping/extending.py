"""Growing a tuned range in which the best value of some pair is the smallest or the largest one tried."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lossrun.analysis.sweeps import TuningResult
from lossrun.config.read import from_mapping
from lossrun.errors import ConfigError
from lossrun.records.sweep_directory import PlannedCell
from lossrun.sweeping.plan import tuning_line


@dataclass(frozen=True, slots=True)
class Extension:
    """How a range may grow: what the sweep's ledger says under `extend`.

    Attributes:
        factor: From one value to the next one, at both ends; for a linear range 0, and `step` is added instead.
        points: The number of values before the range has grown.
        times: How many values may be added.
    """

    key: str
    factor: float
    step: float
    points: int
    times: int


def further_cells(extension: Extension, tuning: TuningResult, planned: Sequence[PlannedCell]) -> list[PlannedCell]:
    """Return a cell for each pair with the next value beyond an edge; none where no best value is on an edge.

    Every pair gets the new value, so that all keep the same number of values to choose from. It follows from the plan
    and the scores alone: a sweep that was killed adds the same cells.
    """
    key = extension.key
    tried = sorted({float(cell.changes[key]) for cell in planned})
    if len(tried) - extension.points >= extension.times:
        return []
    bests = [pair.chosen.values[key] for pair in tuning.pairs if pair.chosen is not None]
    beyond = [_next(extension, edge, up=up) for edge, up in ((tried[0], False), (tried[-1], True)) if edge in bests]
    room = extension.points + extension.times - len(tried)
    found: list[PlannedCell] = []
    for value in beyond[:room]:
        more: list[PlannedCell] = []
        for pair in tuning.pairs:
            cell = pair.trials[0].cell
            config = config_with_value(cell.config, key.split("."), value)
            if not _is_valid(config):
                break
            number = len(planned) + len(found) + len(more) + 1
            more.append(tuning_line(number, cell.pair, {**cell.changes, key: value}, config))
        else:
            found += more
    return found


def _next(extension: Extension, edge: float, *, up: bool) -> float:
    if extension.factor:
        value = edge * extension.factor if up else edge / extension.factor
    else:
        value = edge + extension.step if up else edge - extension.step
    return float(f"{value:.3g}")


def config_with_value(config: Mapping[str, Any], path: Sequence[str], value: Any) -> dict[str, Any]:
    """Return a copy of a config with another value at the path."""
    name, *rest = path
    return {**config, name: config_with_value(config[name], rest, value) if rest else value}


def _is_valid(config: Mapping[str, Any]) -> bool:
    """Whether the value is within the bounds of its key."""
    try:
        from_mapping(config, Path())
    except ConfigError:
        return False
    return True
