"""Read the seeds of a config, and check that they fit its splits or folds."""

from collections.abc import Mapping
from typing import Any, Final, Protocol

from lossrun.catalog import find
from lossrun.catalog.dataset_parameters import SPLIT_SEED, TEST
from lossrun.catalog.parameter import Parameter
from lossrun.config import leaves
from lossrun.config.source import Path

MAX_SEEDS: Final = 10_000


class Refuse(Protocol):
    """Reports a mistake at a key."""

    def __call__(self, path: Path, message: str, *, at_key: bool = False) -> None: ...


def seeds_of(raw: Mapping[str, Any], values: Mapping[str, Any], refuse: Refuse) -> tuple[int, ...]:
    """Return the seeds: `seeds: 3` counts up from `seed`, a list is used as it is.

    Args:
        raw: The mapping as it was given.
        values: The values of all keys.
        refuse: Called for every mistake.
    """
    seed, seeds = values["seed"], values["seeds"]
    groups = _resampling(values, refuse)
    if isinstance(seeds, list):
        if raw.get("seed") is not None:
            refuse(("seed",), "seeds already lists the seeds; keep one of them", at_key=True)
        if not seeds or len(set(seeds)) != len(seeds):
            refuse(("seeds",), f"{leaves.shown(seeds)}; expected at least one seed, each only once")
        _refuse_uneven(len(seeds), groups, refuse)
        return tuple(seeds)
    count = groups[1] if seeds is None else seeds
    _refuse_uneven(count, groups, refuse)
    if not 1 <= count <= MAX_SEEDS:
        refuse(("seeds",), f"{count} seeds; expected 1 to {MAX_SEEDS}, or a list of them")
        return ()
    return tuple(range(seed, seed + count)) if isinstance(seed, int) else ()


def _resampling(values: Mapping[str, Any], refuse: Refuse) -> tuple[str, int]:
    """Return `splits` or `folds` with its number; 1 if there is neither, or a mistake in it."""
    named = ((name, values.get(name)) for name in ("splits", "folds"))
    given = [(name, _count(name, value, refuse)) for name, value in named if isinstance(value, int | list)]
    if len(given) == 2:
        refuse(("folds",), "splits already says how the data are divided; keep one of the two", at_key=True)
    if not given:
        return "", 1
    dataset = values.get("dataset")
    if isinstance(dataset, Mapping):
        (name, _), which = given[0], dataset.get("split_seed", SPLIT_SEED.default)
        if which == "seed" or (name == "splits" and which != SPLIT_SEED.default):
            reason = "folds divide the data by a number" if name == "folds" else "splits already draws the splits"
            refuse(("dataset", "split_seed"), f"{leaves.shown(which)}, but {reason}; leave it out")
        test = dataset.get("test")
        found = find("dataset", str(dataset.get("name")))
        declared = found.component.parameter("test") if found else None
        usual = declared.default if isinstance(declared, Parameter) else TEST.default
        if name == "folds" and test not in (0, usual):
            refuse(("dataset", "test"), f"{leaves.shown(test)}, but each fold is the test data; leave it out")
    return given[0]


def _count(name: str, given: int | list[int] | list[str], refuse: Refuse) -> int:
    """Return how many splits or folds there are; 1 after a mistake."""
    if isinstance(given, int):
        if given < 2:
            refuse((name,), f"{given}; expected an integer of at least 2, or a list")
        return max(given, 1)
    if not given or len(set(given)) != len(given):
        refuse((name,), f"{leaves.shown(given)}; expected at least one, each only once")
    elif name == "folds":
        parts = [tuple(map(int, str(fold).split("/"))) for fold in given]
        if len({count for _, count in parts}) > 1 or any(number > count or count < 2 for number, count in parts):
            refuse((name,), f"{leaves.shown(given)}; expected folds of one division, such as [1/5, 4/5]")
    return max(len(given), 1)


def _refuse_uneven(seeds: int, groups: tuple[str, int], refuse: Refuse) -> None:
    name, count = groups
    if name and seeds % count:
        refuse(
            ("seeds",),
            f"{seeds} seeds for {name}: {count}; expected a multiple, so that each has as many seeds: {count}, "
            f"{2 * count}, {3 * count}",
        )
