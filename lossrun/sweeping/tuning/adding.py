"""Add tuning cells to the plan of a sweep on the way, separately for each repetition of tuning.

What is added follows from the plan and the scores alone, so a sweep that was killed adds the same runs. A repetition
sees only the scores on its own seeds, and only it trains what it asked for: otherwise the choices of repetitions would
depend on each other, and the final runs would differ less than tunings do.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from lossrun.analysis.sweeps.trials import key_of, repetitions
from lossrun.analysis.sweeps.tuning import TuningResult, of_repetition
from lossrun.records.sweep_directory import PlannedCell
from lossrun.sweeping.plan import tuning_line, with_repetitions


class Wanted(NamedTuple):
    """A run that a repetition asks for. `config`: apart from its seeds."""

    pair: Mapping[str, Any]
    changes: Mapping[str, Any]
    config: Mapping[str, Any]


# What a repetition asks for, by its tuning and its number.
Ask = Callable[[TuningResult, int], Iterable[Wanted]]


def added_cells(ask: Ask, tuning: TuningResult, planned: Sequence[PlannedCell]) -> list[PlannedCell]:
    """Return the cells that the repetitions ask for; what several of them want is one cell with the seeds of each."""
    found: dict[str, tuple[Wanted, list[int]]] = {}
    for number in range(tuning.repeats):
        for wanted in ask(of_repetition(tuning, number), number):
            key = key_of({"pair": wanted.pair, "changes": wanted.changes, "epochs": wanted.config.get("epochs")})
            found.setdefault(key, (wanted, []))[1].append(number)
    if not found:
        return []
    cells: list[PlannedCell] = []
    for wanted, numbers in found.values():
        config = wanted.config
        if tuning.repeats > 1:
            runs = tuning.pairs[0].every
            seeds = repetitions(runs, tuning.repeats)
            own = with_repetitions(runs[0].cell.config, numbers, [seeds[number] for number in numbers])
            config = {**config, **own}
        cells.append(tuning_line(len(planned) + len(cells) + 1, wanted.pair, wanted.changes, config))
    return cells
