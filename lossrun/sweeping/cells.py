"""Make the cells of a sweep, one validated config for each combination, and the pairs that are compared."""

import json
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

from lossrun.analysis.sweeps.words import word, words
from lossrun.config import Config, Draft
from lossrun.config.overrides import Change, apply
from lossrun.config.source import ConfigSource, dotted
from lossrun.config.source import Path as Place
from lossrun.config.validate import validate
from lossrun.errors import ConfigError, Problem
from lossrun.sweeping.search_space.space import Space, Value

MOST_SEEDS: Final = 2**63  # the largest seed that files can hold
Combination: TypeAlias = Mapping[str, tuple[Value, Place]]


@dataclass(frozen=True, slots=True)
class Cell:
    """One run of a sweep. `pair`: what it changes except for the tuned keys; `tuned`: the tuned keys."""

    pair: Mapping[str, Value]
    tuned: Mapping[str, Value]
    config: Config
    source: ConfigSource

    @property
    def changes(self) -> dict[str, Value]:
        return {**self.pair, **self.tuned}

    @property
    def label(self) -> str:
        return words(self.changes)


def cells_of(draft: Draft, space: Space) -> list[Cell]:
    """Return the cell of every combination, in the order of the block.

    Raises ConfigError for a combination that is not a valid config, at the place of the value that makes it invalid,
    and for two combinations with the same config.
    """
    cells, problems = cells_and_mistakes(draft, space, space.combinations())
    if problems:
        raise draft.source.error(problems)
    return cells


def cells_and_mistakes(
    draft: Draft, space: Space, combinations: Iterable[Combination]
) -> tuple[list[Cell], list[Problem]]:
    """Return the cell of each combination that is a valid config, and every mistake of the others once."""
    found: list[Cell] = []
    known: dict[str, tuple[Cell, Combination]] = {}
    problems: dict[object, Problem] = {}
    ranged = [*(one.key for one in space.alternatives if one.is_range), *(span.key for span in space.spans)]
    for combination in combinations:
        try:
            config, placed = config_with(draft, combination)
        except ConfigError as error:
            for problem in error.found:
                problems.setdefault(_mistake(problem, ranged), problem)
            continue
        values = {key: value for key, (value, _) in combination.items()}
        pair = {key: value for key, value in values.items() if key not in space.tuned}
        tuned = {key: value for key, value in values.items() if key in space.tuned}
        cell = Cell(pair, tuned, config, placed)
        written = json.dumps(config.to_mapping(), sort_keys=True, default=str)
        same, before = known.setdefault(written, (cell, combination))
        if same is not cell:
            twice = _same(draft.source, same, cell, before, combination)
            problems[twice] = twice
        found.append(cell)
    return found, list(problems.values())


def _mistake(problem: Problem, ranged: Sequence[str]) -> object:
    """Return what two problems have in common that are the same mistake."""
    # A range has many values, and is one mistake.
    if (of_range := dotted(problem.path)) in ranged:
        return of_range
    # With a key that does not exist, an option is the same mistake for each of its values.
    return (problem.path, problem.message) if problem.option else problem.text


def names_its_value(problem: Problem, changes: Mapping[str, Value]) -> bool:
    """Return whether a problem with a cell came through an `--over` option, which says what the cell changes."""
    return problem.option in {_option(key, value) for key, value in changes.items()}


def _option(key: str, value: Value) -> str:
    return f"--over {key}={word(value)}"


def _same(source: ConfigSource, one: Cell, other: Cell, before: Combination, after: Combination) -> Problem:
    """Report that two cells have the same config, at the alternative that causes it if there is only one."""
    different = [key for key in after if before.get(key) != after[key]]
    if len(different) != 1:
        text = f"{one.label} and {other.label} are the same config; keep one of the alternatives"
        return source.problem(("sweep",), text, at_key=True)
    (key,) = different
    (value, origin), first = after[key], before[key][0]
    text = f"{word(first)} and {word(value)} are the same config; keep one of them"
    return source.problem(origin, text) if origin else Problem((-1, 0), f"{_option(key, value)}: {text}")


def config_with(draft: Draft, changes: Combination) -> tuple[Config, ConfigSource]:
    """Return the base config with `changes`: {key: (value, its place in the config, or () if it has none)}.

    Raises ConfigError.
    """
    raw: Any = dict(draft.raw)
    source = draft.source
    # `loss` before `loss.delta`, whatever the order of the block: the whole value would replace the part.
    for key, (value, origin) in sorted(changes.items(), key=lambda change: change[0].count(".")):
        raw, changed = apply(raw, source, [Change(key, value, _option(key, value))])
        source = changed if not origin else _placed(source, changed, tuple(key.split(".")), origin)
    return validate(raw, source)[0], source


def _placed(before: ConfigSource, changed: ConfigSource, path: Place, origin: Place) -> ConfigSource:
    """Return the source of a changed config, with the key and its value placed where the sweep block has them."""

    def copied(places: Mapping[Place, Any], written: Mapping[Place, Any]) -> dict[Place, Any]:
        inside = {path + at[len(origin) :]: place for at, place in written.items() if at[: len(origin)] == origin}
        key = {path: written[origin[:2]]} if origin[:2] in written and path not in inside else {}
        return {**places, **key, **inside}

    options = {
        at: option for at, option in changed.options.items() if at not in changed.options.keys() - before.options
    }
    return replace(
        changed,
        keys=copied(changed.keys, before.keys),
        values=copied(changed.values, before.values),
        options=options,
    )


def pairs_of(cells: Sequence[Cell]) -> list[list[Cell]]:
    """Return the cells of each pair, with the pairs in the order in which they first occur."""
    found: dict[str, list[Cell]] = {}
    for cell in cells:
        found.setdefault(json.dumps(dict(cell.pair), sort_keys=True, default=str), []).append(cell)
    return list(found.values())


def with_seeds(config: Config, seeds: Sequence[int]) -> Config:
    """Return the config with other seeds, on the same splits or folds."""
    if (key := config.resampled_by) and tuple(seeds) != config.seeds:
        config = replace(config, **{key: config.which_splits})  # type: ignore[arg-type]
    return replace(config, seeds=tuple(seeds))


def tuning_seeds(cells: Sequence[Cell], count: int) -> tuple[int, ...]:
    """Return seeds for tuning that no final run uses."""
    return unused_seeds({seed for cell in cells for seed in cell.config.seeds}, count)


def unused_seeds(used: Set[int], count: int) -> tuple[int, ...]:
    """Return the seeds that follow the largest one used, or if there are too few, the first ones that are free."""
    first = max(used) + 1
    if first + count > MOST_SEEDS:
        first = next(seed for seed in range(MOST_SEEDS) if used.isdisjoint(range(seed, seed + count)))
    return tuple(range(first, first + count))
