"""Read a sweep: its base config, what it tries, and its cells, with the mistakes of all three at once."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from lossrun.config import Draft, SourcedConfig
from lossrun.config.source import Path as Place
from lossrun.errors import ConfigError, Problem
from lossrun.sweeping.cells import Cell, cells_and_mistakes
from lossrun.sweeping.search_space.block import readable_space
from lossrun.sweeping.search_space.over_option import over_options
from lossrun.sweeping.search_space.space import Space


class ReadSweep(NamedTuple):
    """A sweep without mistakes, as far as that can be known without its data."""

    base: SourcedConfig
    space: Space
    cells: list[Cell]


def read_sweep(draft: Draft, over: Sequence[str] = ()) -> ReadSweep:
    """Return the base config, the space of its sweep block and the `--over` options, and the cell of each combination.

    Raises ConfigError with every mistake, at its place.
    """
    draft = _with_places(draft, over)
    problems: list[Problem] = []
    base: SourcedConfig | None = None
    try:
        base = draft.validated()
    except ConfigError as error:
        if not isinstance(draft.raw, Mapping):  # an empty file, for instance: it has no keys to look at
            raise
        problems += error.found
    space, of_block = readable_space(draft, over, None if base is None else base.config)
    # Combinations may be too many to be made if something is wrong, and most mistakes are in a single value.
    combinations = space.one_at_a_time() if problems or of_block else space.combinations()
    cells, of_cells = cells_and_mistakes(draft, space, combinations)
    problems += of_block
    # The cells repeat the mistakes of the base config.
    problems += [problem for problem in of_cells if problem not in problems]
    if base is None or problems:
        raise draft.source.error(problems)
    return ReadSweep(base, space, cells)


def _with_places(draft: Draft, over: Sequence[str]) -> Draft:
    """Return the draft, in which `--over` options are the places of the keys of the sweep block that they give."""
    given, _ = over_options(over)
    options: dict[Place, str] = {("sweep", key): option for key, (option, _) in given.items()}
    return replace(draft, source=replace(draft.source, options={**draft.source.options, **options}))
