"""What a sweep tries: the keys with alternatives, the ranges that are drawn from, and how values are chosen."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any, Final, TypeAlias

from lossrun.config.source import Path
from lossrun.sweeping.search_space.ranges import Span, draws

FIRST_DRAWS: Final = 10  # random draws before a sampler proposes any, Optuna's own default
AT_A_TIME: Final = 5  # values that it proposes before it has seen their scores

Value: TypeAlias = Any


@dataclass(frozen=True, slots=True)
class Alternatives:
    """A key and its values, one cell for each. `origins`: the place of each value in the config."""

    key: str
    values: tuple[Value, ...]
    origins: tuple[Path, ...]
    is_range: bool = False

    @property
    def is_tunable(self) -> bool:
        """Whether the best of the values may be chosen for each pair; otherwise each value makes a pair."""
        return self.is_range or (self.key == "learning_rate" and len(self.values) > 1)


@dataclass(frozen=True, slots=True)
class Tuning:
    """How the values of the tuned keys are chosen.

    Attributes:
        metric: The metric to choose by; None for the primary metric of the task, on validation data.
        seeds: How many seeds each value is tried with.
        repeats: How many times values are chosen, each time with other seeds and for one final seed; 1 to choose once
            for all final seeds.
    """

    metric: str | None
    seeds: int
    repeats: int = 1


@dataclass(frozen=True, slots=True)
class Space:
    """Everything that a sweep tries.

    Attributes:
        samples: The number of combinations of the spans that are drawn for each pair, with the generator's `seed`.
        block: The sweep block with all of this, options included.
        extend: How the tuned range may grow; None if it may not.
        sampler: "random", or "tpe", which draws more values where the first ones did well.
        halving: One value in `halving` is trained for longer; None to train all values for the config's epochs.
    """

    alternatives: tuple[Alternatives, ...]
    spans: tuple[Span, ...]
    tuning: Tuning | None
    samples: int | None
    seed: int
    block: Mapping[str, Any]
    extend: Mapping[str, Any] | None = None
    sampler: str = "random"
    halving: int | None = None

    @property
    def tuned(self) -> tuple[str, ...]:
        """The keys whose best value is chosen for each pair; empty for a plain grid."""
        if self.tuning is None:
            return ()
        ranges = [one.key for one in self.alternatives if one.is_tunable]
        return (*ranges, *(span.key for span in self.spans))

    def combinations(self) -> Iterator[dict[str, tuple[Value, Path]]]:
        """Yield every combination of values, each value with its place in the config, in the order of the block."""
        grid = [[(one.key, pair) for pair in zip(one.values, one.origins, strict=True)] for one in self.alternatives]
        # All pairs get the same draws, so that no pair is luckier than another.
        drawn = list(draws(self.spans, self.first_draws, self.seed)) if self.spans else [{}]
        origins = {span.key: span.origin for span in self.spans}
        for chosen in product(*grid):
            for values in drawn:
                yield {**dict(chosen), **{key: (value, origins[key]) for key, value in values.items()}}

    def one_at_a_time(self) -> Iterator[dict[str, tuple[Value, Path]]]:
        """Yield combinations in which each value occurs at least once, with the first values of the other keys."""
        axes = [[(one.key, pair) for pair in zip(one.values, one.origins, strict=True)] for one in self.alternatives]
        if self.spans:
            (drawn,) = draws(self.spans, 1, self.seed)
            axes += [[(span.key, (drawn[span.key], span.origin))] for span in self.spans]
        first = dict(axis[0] for axis in axes)
        yield first
        for axis in axes:
            for changed in axis[1:]:
                yield {**first, **dict([changed])}

    @property
    def first_draws(self) -> int:
        """How many values are drawn before any is trained."""
        return min(self.samples or 0, FIRST_DRAWS) if self.sampler == "tpe" else self.samples or 0

    @property
    def sampling(self) -> dict[str, Any] | None:
        """What the ledger keeps of a sampler that learns from the scores; None if values are drawn at random."""
        if self.sampler == "random":
            return None
        spans = {span.key: [span.low, span.high, span.log, span.whole] for span in self.spans}
        return {"samples": self.samples, "seed": self.seed, "spans": spans}

    @property
    def size(self) -> int:
        return math.prod(len(one.values) for one in self.alternatives) * ((self.samples or 0) if self.spans else 1)

    def trainings(self, seeds: int) -> int:
        """Return the number of trainings of all cells, if a config has this many seeds."""
        if self.tuning is None:
            return self.size * seeds
        pairs = math.prod(len(one.values) for one in self.alternatives if one.key not in self.tuned)
        return self.size * self.tuning.seeds * self.tuning.repeats + pairs * seeds
