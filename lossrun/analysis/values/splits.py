"""Find out which split of the data each seed of a run had.

With `splits`, `folds` or `dataset.split_seed: seed`, a run has several splits. Then the seeds of a run differ in their
data too: values can be compared seed by seed, and their mean is over random splits of the data instead of one split.
Whatever else the config says (a fixed seed, an official test set, parts given by the data): if all seeds had the same
training samples, they shared one split.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from lossrun.analysis.values.paired_differences import Resampled
from lossrun.records.recorded import RecordedRun

PARTS: Final = ("train", "validation", "test")
_COLUMNS: Final = {"val_": "validation", "test_": "test"}
DIGITS: Final = 16  # hex digits of a digest, as many as run.json records for each seed


@dataclass(frozen=True, slots=True)
class Splits:
    """The split of each seed.

    Attributes:
        own: Whether seeds have different splits: each its own (split_seed: seed), or some seeds for each split.
        digests: {part: {seed: the first digits of the SHA-256 of its samples}}; only what was recorded.
        sizes: {part: {seed: the number of its samples}}; only what was recorded.
    """

    own: bool
    digests: Mapping[str, Mapping[int, str]]
    sizes: Mapping[str, Mapping[int, float]]

    def same(self, other: "Splits", part: str) -> bool:
        """Return whether a part has the same samples in both runs, seed by seed, as far as recorded."""
        mine, its = self.digests.get(part, {}), other.digests.get(part, {})
        if self.own or other.own:
            return all(mine[seed] == its[seed] for seed in mine.keys() & its.keys())
        return len({*mine.values(), *its.values()}) <= 1

    @property
    def total(self) -> float | None:
        """The number of samples of the first seed, over all parts; None if not recorded."""
        counts = [next(iter(found.values()), 0) for found in self.sizes.values()]
        return sum(counts) if counts else None


def splits(run: RecordedRun) -> Splits:
    """Return the splits of a run, as run.json recorded them."""
    seeds, dataset = run.seeds, run.config["dataset"]
    recorded = run.environment.get("data") or {}
    digests = {part: _of_seeds(str(recorded[part]).split("+"), seeds) for part in PARTS if recorded.get(part)}
    shortened = {part: {seed: digest[:DIGITS] for seed, digest in found.items()} for part, found in digests.items()}
    trained_on = shortened.get("train", {})
    several = len(seeds) > 1 and not _lists_one(run.config)
    given = several and len(trained_on) == len(seeds) and len(set(trained_on.values())) == 1
    sizes = run.environment.get("samples") or _shares(dataset)
    return Splits(
        own=resamples(run.config) and not given,
        digests=shortened,
        sizes={
            part: _of_seeds(count if isinstance(count, list) else [count], seeds)
            for part, count in sizes.items()
            if count
        },
    )


def resamples(config: Mapping[str, Any]) -> bool:
    """Return whether a run with this config has splits of its data that its seeds do not share."""
    return bool(config["dataset"].get("split_seed") == "seed" or resampled_by(config))


def resampled_by(config: Mapping[str, Any]) -> Literal["splits", "folds", ""]:
    """Return the key of the config that asks for several splits; "" if neither does."""
    return "splits" if config.get("splits") else "folds" if config.get("folds") else ""


def _lists_one(config: Mapping[str, Any]) -> bool:
    """Return whether a run has a single one of several splits or folds, as a run of a sweep may."""
    key = resampled_by(config)
    return bool(key and isinstance(config[key], list) and len(config[key]) == 1)


def resampled(ours: Splits, theirs: Splits, column: str, seeds: Collection[int]) -> Resampled | None:
    """Return how the values of a column depend on each other over seeds with different splits.

    Args:
        seeds: The seeds that both runs have.

    Returns:
        The dependence; None if all seeds share one split.
    """
    if not (ours.own or theirs.own):
        return None
    trained_on = {**theirs.digests.get("train", {}), **ours.digests.get("train", {})}
    part = next((part for prefix, part in _COLUMNS.items() if column.startswith(prefix)), "")
    held_out = {**theirs.digests.get(part, {}), **ours.digests.get(part, {})}
    ratios = [_ratio(side.sizes, part, seeds) for side in (ours, theirs)]
    known = [ratio for ratio in ratios if ratio is not None]
    same_held_out = len(seeds) > 1 and len({held_out.get(seed, seed) for seed in seeds}) == 1
    return Resampled(
        # Without digests each seed counts as a split, because the config asked for that.
        split_of={seed: trained_on.get(seed, str(seed)) for seed in seeds},
        # With held-out samples that all splits share, these are draws from the same training samples. Their mean over
        # such draws varies as that of independent values, and how large the held-out part is says nothing about it.
        ratio=0.0 if same_held_out else max(known) if len(known) == 2 else None,
        same_held_out=same_held_out,
    )


def mixed(runs: Sequence[Splits]) -> bool:
    """Return whether some runs have a split for each seed and others one split, with different samples."""
    one = next((found for found in runs if not found.own), None)
    if one is None or not any(found.own for found in runs):
        return False
    return not all(_agree(found, one) for found in runs if found.own)


def _agree(own: Splits, one: Splits) -> bool:
    shared = own.digests.get("train", {}).keys() & one.digests.get("train", {}).keys()
    return bool(shared) and all(own.same(one, part) for part in PARTS)


def _of_seeds(values: Sequence[Any], seeds: Sequence[int]) -> dict[int, Any]:
    """Return {seed: its value}, from one value for all seeds or one for each; {} if the lengths differ."""
    if len(values) == 1:
        return dict.fromkeys(seeds, values[0])
    return dict(zip(seeds, values, strict=True)) if len(values) == len(seeds) else {}


def _ratio(sizes: Mapping[str, Mapping[int, float]], part: str, seeds: Collection[int]) -> float | None:
    """Return held-out samples / training samples, mean over the seeds; None if a size is not recorded."""
    held_out, trained_on = sizes.get(part, {}), sizes.get("train", {})
    if not seeds or not all(seed in held_out and seed in trained_on for seed in seeds):
        return None
    return sum(held_out[seed] / trained_on[seed] for seed in seeds) / len(seeds)


def _shares(dataset: Mapping[str, Any]) -> dict[str, float]:
    """Return the parts as shares of all samples, for runs without recorded sizes; {} if the config has counts."""
    test, validation = dataset.get("test"), dataset.get("validation")
    if not all(isinstance(share, float) or share == 0 for share in (test, validation)):
        return {}
    assert test is not None
    assert validation is not None
    rest = 1 - test
    return {"train": rest * (1 - validation), "validation": rest * validation, "test": test}
