"""The sweep block: which keys have alternatives, and what is tuned."""

import math
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import product
from typing import Any, Final, TypeAlias

from lossrun.analysis.values.metric_names import bare, goal
from lossrun.catalog import nearest
from lossrun.catalog.parameter import Parameter
from lossrun.config import SourcedConfig
from lossrun.config.key_paths import key_paths
from lossrun.config.keys import SWEEP_OPTIONS
from lossrun.config.reader import parse_value
from lossrun.config.source import Path
from lossrun.errors import ConfigError
from lossrun.shell import command

MOST_CELLS: Final = 10_000
MOST_POINTS: Final = 1_000
# Keys of the block that are no keys of a config.
OPTIONS: Final = tuple(SWEEP_OPTIONS)
FIRST_DRAWS: Final = 10  # values that are drawn at random before a sampler has enough to go by, as Optuna has it
SAMPLERS: Final = ("random", "tpe")
EXTENSIONS: Final = 3  # values that `extend: true` adds at most
_RANGES: Final = {"log_range": True, "range": False}
# What is the same in all cells of a sweep, and why.
_FIXED: Final = {
    "seed": "seeds are repetitions, not alternatives; set seeds outside the sweep block",
    "seeds": "seeds are repetitions, not alternatives; set seeds outside the sweep block",
    "name": "each cell is named after what it changes",
    "tags": "tags belong to the sweep; set them outside the sweep block",
}
_SPAN: Final = re.compile(r"(log|lin):([^:]+):([^:]+)(?::([^:]+))?")

Value: TypeAlias = Any


@dataclass(frozen=True, slots=True)
class Alternatives:
    """A key and the values that it takes, one cell for each. `origins`: where each value stands in the config."""

    key: str
    values: tuple[Value, ...]
    origins: tuple[Path, ...]
    is_range: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """A key whose values are drawn at random between `low` and `high`, on a logarithmic scale if `log`."""

    key: str
    low: float
    high: float
    log: bool
    origin: Path

    def draw(self, generator: random.Random) -> float:
        if self.log:
            return _readable(math.exp(generator.uniform(math.log(self.low), math.log(self.high))))
        return _readable(generator.uniform(self.low, self.high))


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
        samples: How many combinations of the spans are drawn for each pair, with the generator's `seed`.
        block: The sweep block that says all this, options included.
        extend: How the tuned range may grow; None for not at all.
        sampler: "random", or "tpe", which draws more values where the first ones did well.
        halving: One value in so many is trained for longer; None to train all for as long as the config says.
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
        ranges = [one.key for one in self.alternatives if one.is_range or one.key == "learning_rate"]
        return (*ranges, *(span.key for span in self.spans))

    def combinations(self) -> Iterator[dict[str, tuple[Value, Path]]]:
        """Every combination of values, each value with its place in the config, in the order of the block."""
        grid = [[(one.key, pair) for pair in zip(one.values, one.origins, strict=True)] for one in self.alternatives]
        for chosen in product(*grid):
            if not self.spans:
                yield dict(chosen)
                continue
            # The same draws for every pair: nobody gets luckier ones.
            generator = random.Random(self.seed)
            for _ in range(self.first_draws):
                drawn = {span.key: (span.draw(generator), span.origin) for span in self.spans}
                yield {**dict(chosen), **drawn}

    @property
    def first_draws(self) -> int:
        """How many values are drawn before any is trained."""
        return min(self.samples or 0, FIRST_DRAWS) if self.sampler == "tpe" else self.samples or 0

    @property
    def sampling(self) -> dict[str, Any] | None:
        """What the ledger keeps of a sampler that learns from the scores; None where values are drawn at random."""
        if self.sampler == "random":
            return None
        spans = {span.key: [span.low, span.high, span.log] for span in self.spans}
        return {"samples": self.samples, "seed": self.seed, "spans": spans}

    @property
    def size(self) -> int:
        return math.prod(len(one.values) for one in self.alternatives) * ((self.samples or 0) if self.spans else 1)


def over_option(text: str) -> tuple[str, Any]:
    """The key and the sweep block's value of `--over KEY=V,V`, `KEY=log:LOW:HIGH:POINTS` or `KEY=lin:...`.

    Raises ConfigError for anything else.
    """
    option = f"--over {text}"
    key, equals, values = text.partition("=")
    if not equals or not key.strip() or not values.strip():
        raise ConfigError([f"{option}: expected KEY=V,V or KEY=log:LOW:HIGH:POINTS, such as loss=mse,mae"])
    if match := _SPAN.fullmatch(values.strip()):
        numbers = [parse_value(part, option) for part in match.groups()[1:] if part is not None]
        block: dict[str, Any] = {"log_range" if match[1] == "log" else "range": numbers[:2]}
        return key.strip(), {**block, "points": numbers[2]} if len(numbers) > 2 else block
    return key.strip(), [parse_value(part, option) for part in _split(values)]


def _split(values: str) -> list[str]:
    """The parts between commas that stand in no bracket."""
    parts, depth = [""], 0
    for char in values:
        depth += (char in "[{(") - (char in "]})")
        if char == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += char
    return parts


def read_space(reading: SourcedConfig, over: Sequence[str] = ()) -> Space:
    """What the config's sweep block, and the `--over` options on top of it, say.

    Raises ConfigError with every mistake, at its place.
    """
    return _Reader(reading, over).space()


class _Reader:
    def __init__(self, reading: SourcedConfig, over: Sequence[str]) -> None:
        self.source = reading.source
        self.options: dict[str, str] = {}
        self.problems: list[str] = []
        block = reading.sweep
        if block is not None and not isinstance(block, Mapping):
            raise self.source.error(
                [self.source.problem(("sweep",), "expected a mapping from keys to lists of alternatives")]
            )
        self.block = dict(block or {})
        for text in over:
            key, value = over_option(text)
            self.block[key] = value
            self.options[key] = f"--over {text}"
        if not self.block:
            raise ConfigError(
                [
                    f"{self.source.name}: nothing to sweep over; add a sweep block to the config, or options such as "
                    "--over loss=mse,mae --over learning_rate=log:1e-4:1:7"
                ]
            )

    def refuse(self, key: str, message: str, *inside: str | int) -> None:
        if key in self.options:
            self.problems.append(f"{self.options[key]}: {message}")
        else:
            self.problems.append(self.source.problem(("sweep", key, *inside), message).text)

    def space(self) -> Space:
        alternatives: list[Alternatives] = []
        spans: list[Span] = []
        for key, value in self.block.items():
            if key in OPTIONS:
                continue
            read = self._axis(str(key), value)
            if isinstance(read, Alternatives):
                alternatives.append(read)
            elif read is not None:
                spans.append(read)
        samples, seed = self._count("samples", None), self._count("seed", 0)
        if spans and samples is None and not self.problems:
            self.refuse(
                spans[0].key,
                "a range needs points, such as {log_range: [1e-4, 1], points: 7} or log:1e-4:1:7, or --set "
                "sweep.samples=30, which draws as many values",
            )
        if samples is not None and not spans and not self.problems:
            self.refuse("samples", "there is nothing to draw; give a key a range without points")
        sampler = self.block.get("sampler", "random")
        if sampler not in SAMPLERS:
            self.refuse("sampler", f"expected {' or '.join(SAMPLERS)}")
        elif sampler == "tpe" and samples is None and not self.problems:
            self.refuse("sampler", "set samples, such as samples: 30, and give a key a range without points")
        tuning = self._tuning(alternatives, spans)
        if sampler == "tpe" and tuning is None and not self.problems:
            self.refuse("sampler", "tpe learns from the tuning scores; leave out tune: false")
        if sampler == "tpe" and find_spec("optuna") is None:
            self.refuse("sampler", 'tpe needs Optuna, which is not installed: pip install "lossrun[optuna]"')
            raise ConfigError(self.problems)
        extend = self._extend([one for one in alternatives if one.is_range], tuning)
        halving = self._halving(tuning, extend, sampler, [one.key for one in alternatives])
        if self.problems:
            raise ConfigError(self.problems)
        if not alternatives and not spans:
            raise ConfigError(
                [f"{self.source.name}: sweep: no key has alternatives; add one, such as loss: [mse, mae]"]
            )
        space = Space(
            tuple(alternatives), tuple(spans), tuning, samples, seed or 0, self.block, extend, sampler, halving
        )
        if space.size > MOST_CELLS:
            counts = " x ".join(str(len(one.values)) for one in alternatives) + (f" x {samples}" if spans else "")
            raise ConfigError(
                [
                    f"{self.source.name}: sweep: {counts} = {space.size:,} cells; at most {MOST_CELLS:,}: give fewer "
                    "alternatives, or draw some of them with sweep.samples"
                ]
            )
        return space

    def _axis(self, key: str, value: Any) -> Alternatives | Span | None:
        declared = key_paths().get(key)
        if key in _FIXED:
            self.refuse(key, _FIXED[key])
            return None
        if declared is None:
            spelled = next((one for one in key_paths().values() if key in one.spellings), None)
            meant = spelled.path if spelled else nearest(key, list(key_paths()))
            own = any(":" in str(part) for part in (self.block.get(key.partition(".")[0]) or ()))
            if "." not in key or (meant is not None and not own):
                hint = f"did you mean {meant}?" if meant else f"`{command('schema')}` lists the keys of a config"
                self.refuse(key, f"there is no key {key}; {hint}")
                return None
        if isinstance(value, Mapping) and set(value) & set(_RANGES):
            return self._range(key, value)
        if not isinstance(value, list):
            self.refuse(
                key, "expected a list of alternatives, such as [mse, mae], or {log_range: [1e-4, 1], points: 7}"
            )
            return None
        if not value:
            self.refuse(key, "the list is empty; expected at least one alternative")
            return None
        takes_lists = declared is not None and any(
            isinstance(variant.key, Parameter) and variant.key.takes_lists for variant in declared.variants
        )
        if takes_lists and not any(isinstance(one, list | Mapping | str) or one is None for one in value):
            numbers = ", ".join(str(one) for one in value)
            self.refuse(
                key,
                f"a value of {key} is itself a list: write [[{numbers}]] for one alternative, or "
                f"[{', '.join(f'[{one}]' for one in value)}] for {len(value)}",
            )
            return None
        places = () if key in self.options else tuple(("sweep", key, number) for number in range(len(value)))
        origins: tuple[Path, ...] = places or ((),) * len(value)
        for number, one in enumerate(value):
            if (first := value.index(one)) < number and type(value[first]) is type(one):
                self.refuse(key, f"{one!r} is given twice; keep one", number)
        return Alternatives(key, tuple(value), origins)

    def _range(self, key: str, value: Mapping[str, Any]) -> Alternatives | Span | None:
        kind = next(name for name in _RANGES if name in value)
        log, bounds, points = _RANGES[kind], value[kind], value.get("points")
        if others := [name for name in value if name not in (kind, "points")]:
            self.refuse(key, f"there is no {others[0]} in a range; expected {kind} and points", others[0])
            return None
        numbers = isinstance(bounds, list) and len(bounds) == 2 and all(map(_is_number, bounds))
        if not numbers or not bounds[0] < bounds[1] or (log and bounds[0] <= 0):
            above = " above 0" if log else ""
            self.refuse(key, f"{kind}: expected two numbers{above}, the smaller one first, such as [1e-4, 1]", kind)
            return None
        origin: Path = () if key in self.options else ("sweep", key, kind)
        low, high = map(float, bounds)
        if points is None:
            return Span(key, low, high, log, origin)
        if not isinstance(points, int) or isinstance(points, bool) or not 2 <= points <= MOST_POINTS:
            self.refuse(key, f"points: expected an integer from 2 to {MOST_POINTS}", "points")
            return None
        values = dict.fromkeys(_spaced(low, high, points, log=log))
        return Alternatives(key, tuple(values), (origin,) * len(values), is_range=True)

    def _extend(self, ranges: Sequence[Alternatives], tuning: Tuning | None) -> dict[str, Any] | None:
        value = self.block.get("extend", False)
        if value is False or value is None:
            return None
        if value is not True and (not isinstance(value, int) or value < 1):
            self.refuse("extend", "expected true, false, or how many values may be added")
            return None
        if tuning is None or len(ranges) != 1 or len(ranges[0].values) < 3:
            self.refuse(
                "extend", "one tuned range with at least 3 points is needed, such as {log_range: [1e-4, 1], points: 7}"
            )
            return None
        (only,) = ranges
        log, low, high, gaps = (
            "log_range" in self.block[only.key],
            only.values[0],
            only.values[-1],
            len(only.values) - 1,
        )
        return {
            "key": only.key,
            "factor": (high / low) ** (1 / gaps) if log else 0.0,
            "step": 0.0 if log else (high - low) / gaps,
            "points": len(only.values),
            "times": EXTENSIONS if value is True else value,
        }

    def _halving(self, tuning: Tuning | None, extend: Any, sampler: Any, keys: Sequence[str]) -> int | None:
        value = self.block.get("halving")
        if value is None or value is False:
            return None
        factor = value.get("factor") if isinstance(value, Mapping) and set(value) == {"factor"} else value
        if not isinstance(factor, int) or isinstance(factor, bool) or factor < 2:
            self.refuse("halving", "expected {factor: 3}: one value in three is trained for three times as long")
            return None
        others = {
            "a sweep that tunes": tuning is None,
            "no extend, which needs every score": bool(extend),
            "sampler: random": sampler != "random",
            "tune without repeats, which choose on their own": tuning is not None and tuning.repeats > 1,
            "the same epochs in all cells": "epochs" in keys,
        }
        for needed, lacking in others.items():
            if lacking:
                self.refuse("halving", f"it needs {needed}")
        return factor

    def _count(self, name: str, default: int | None) -> int | None:
        value = self.block.get(name, default)
        low = 0 if name == "seed" else 1
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < low):
            self.refuse(name, f"expected an integer from {low} on")
            return default
        return value

    def _tuning(self, alternatives: Sequence[Alternatives], spans: Sequence[Span]) -> Tuning | None:
        value = self.block.get("tune")
        tunable = bool(spans) or any(one.is_range or one.key == "learning_rate" for one in alternatives)
        if value is False or (value is None and not tunable):
            return None
        if not tunable:
            self.refuse("tune", "there is nothing to tune; give learning_rate alternatives, or another key a range")
            return None
        given = {"metric": value} if isinstance(value, str) else {} if value in (None, True) else value
        names = ("metric", "seeds", "repeats")
        if not isinstance(given, Mapping) or (unknown := [name for name in given if name not in names]):
            named = f"there is no {unknown[0]} in tune; " if isinstance(given, Mapping) else ""
            self.refuse("tune", f"{named}expected {{metric: val_accuracy, seeds: 2}}, or false for a plain grid")
            return None
        metric, repeats = given.get("metric"), given.get("repeats", 1)
        seeds = given.get("seeds", 2 if repeats == 1 else 1)
        if metric is not None and not isinstance(metric, str):
            self.refuse("tune", "metric: expected the name of a metric on validation data, such as val_rmse", "metric")
        for name, count in (("seeds", seeds), ("repeats", repeats)):
            if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= MOST_POINTS:
                self.refuse("tune", f"{name}: expected an integer from 1 to {MOST_POINTS}", name)
                return None
        if isinstance(metric, str) and not metric.startswith("val_") and metric != "auto":
            meant = f"did you mean val_{bare(metric)}?" if goal(metric) else "expected val_..."
            self.refuse("tune", f"metric: {metric} is not measured on validation data; {meant}", "metric")
        return Tuning(metric if metric != "auto" else None, int(seeds), int(repeats))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _spaced(low: float, high: float, points: int, *, log: bool) -> list[float]:
    """Evenly spaced values from `low` to `high`, in numbers that a person can read."""
    shares = [number / (points - 1) for number in range(1, points - 1)]
    inside = [low * (high / low) ** share if log else low + (high - low) * share for share in shares]
    return [low, *map(_readable, inside), high]


def _readable(value: float) -> float:
    """Three significant digits."""
    return float(f"{value:.3g}")
