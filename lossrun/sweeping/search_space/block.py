"""Read the sweep block of a config, with `--over`: which keys have alternatives, and how values are chosen."""

import math
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any, Final

from lossrun.analysis.values.metric_names import bare, goal
from lossrun.catalog import nearest
from lossrun.catalog.parameter import Parameter
from lossrun.config import SourcedConfig, leaves
from lossrun.config.key_paths import KeyPath, key_paths
from lossrun.config.keys import SWEEP_OPTIONS
from lossrun.config.source import Path
from lossrun.errors import ConfigError
from lossrun.shell import command, quoted
from lossrun.sweeping.search_space.over_option import over_options
from lossrun.sweeping.search_space.ranges import Span, log_ratio, spaced
from lossrun.sweeping.search_space.space import Alternatives, Space, Tuning, Value

MOST_CELLS: Final = 10_000
MOST_POINTS: Final = 1_000
# Keys of the block that are not keys of a config.
OPTIONS: Final = tuple(SWEEP_OPTIONS)
SAMPLERS: Final = ("random", "tpe")
EXTENSIONS: Final = 3  # values that `extend: true` adds at most
_RANGES: Final = {"log_range": True, "range": False}
_LARGEST: Final = 1e300  # of a number in a range; beyond that its width would not be finite
# Keys that are the same in all cells of a sweep, and why.
_SEEDS: Final = "seeds are repetitions, not alternatives; set seeds outside the sweep block"
_FIXED: Final = {
    "seed": _SEEDS,
    "seeds": _SEEDS,
    "name": "each cell is named after what it changes",
    "tags": "tags belong to the sweep; set them outside the sweep block",
}


def read_space(reading: SourcedConfig, over: Sequence[str] = ()) -> Space:
    """Return the space of the config's sweep block, in which `--over` options replace the block's keys.

    Raises ConfigError with every mistake, at its place.
    """
    return _Reader(reading, over).space()


class _Reader:
    def __init__(self, reading: SourcedConfig, over: Sequence[str]) -> None:
        self.source, self.config = reading.source, reading.config
        given = over_options(over)
        self.options = {key: option for key, (option, _) in given.items()}
        self.problems: list[str] = []
        block = reading.sweep
        if block is not None and not isinstance(block, Mapping):
            raise self.source.error(
                [self.source.problem(("sweep",), "expected a mapping from keys to lists of alternatives")]
            )
        self.block = {**(block or {}), **{key: value for key, (_, value) in given.items()}}
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
            if key in OPTIONS and not (key == "seed" and isinstance(value, list)):
                continue
            read = self._axis(str(key), value)
            if isinstance(read, Alternatives):
                alternatives.append(read)
            elif read is not None:
                spans.append(read)
        samples = self._count("samples", None)
        seed = None if isinstance(self.block.get("seed"), list) else self._count("seed", 0)
        if spans and samples is None and not self.problems:
            self.refuse(
                spans[0].key,
                "a range needs points, such as {log_range: [1e-4, 1], points: 7} or log:1e-4:1:7, or --set "
                "sweep.samples=30, which draws 30 values",
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
        elif sampler == "tpe" and tuning is not None and tuning.repeats > 1:
            self.refuse(
                "sampler",
                "tpe would draw by what all repetitions found, which would then not be independent; choose sampler: "
                "random, or tune without repeats",
            )
        fixed = [one.key for one in alternatives if one.is_range or one.key == "learning_rate"]
        if sampler == "tpe" and spans and fixed and not self.problems:
            self.refuse(fixed[0], "tpe draws every tuned key; give this one a range without points too")
        if sampler == "tpe" and find_spec("optuna") is None:
            self.refuse("sampler", 'tpe needs Optuna, which is not installed: pip install "lossrun[optuna]"')
            raise ConfigError(self.problems)
        extend = self._extend([one for one in alternatives if one.is_range], tuning)
        halving = self._halving(tuning, sampler, [*(one.key for one in alternatives), *(one.key for one in spans)])
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
            if "." not in key or (meant is not None and not self._may_be_own(key.partition(".")[0])):
                hint = f"did you mean {meant}?" if meant else f"`{command('schema')}` lists the keys of a config"
                self.refuse(key, f"there is no key {key}; {hint}")
                return None
        if isinstance(value, Mapping) and set(value) & set(_RANGES):
            return self._range(key, value, declared)
        if not isinstance(value, list):
            self.refuse(key, _not_a_list(key, value))
            return None
        if not value:
            self.refuse(key, "the list is empty; expected at least one alternative")
            return None
        if declared is not None and _is_one_value(declared, value):
            one, several = f"[{','.join(map(str, value))}]", ",".join(f"[{one}]" for one in value)
            if key in self.options:
                ways = [f"--over {quoted(f'{key}={way}')}" for way in (one, several)]
            else:
                ways = [f"[{way}]".replace(",", ", ") for way in (one, several)]
            text = f"write {ways[0]} for one alternative, or {ways[1]} for {len(value)}"
            self.refuse(key, f"a value of {key} is itself a list: {text}")
            return None
        places = () if key in self.options else tuple(("sweep", key, number) for number in range(len(value)))
        origins: tuple[Path, ...] = places or ((),) * len(value)
        for number, one in enumerate(value):
            if (first := value.index(one)) < number and type(value[first]) is type(one):
                self.refuse(key, f"{one!r} is given twice; keep one", number)
        return Alternatives(key, tuple(value), origins)

    def _may_be_own(self, kind: str) -> bool:
        """Return whether a component of this kind may be the user's own, which can have any parameter."""
        given = self.block.get(kind)
        every = [*(given if isinstance(given, list) else []), getattr(self.config, kind, None)]
        names = [one.get("name") if isinstance(one, Mapping) else getattr(one, "name", one) for one in every]
        return any(":" in str(name) for name in names)

    def _range(self, key: str, value: Mapping[str, Any], declared: KeyPath | None) -> Alternatives | Span | None:
        kind = next(name for name in _RANGES if name in value)
        log, bounds, points = _RANGES[kind], value[kind], value.get("points")
        if others := [name for name in value if name not in (kind, "points")]:
            self.refuse(key, f"there is no {others[0]} in a range; expected {kind} and points", others[0])
            return None
        variants = declared.variants if declared else ()
        types = {variant.key.numbers for variant in variants if isinstance(variant.key, Parameter)}
        if declared and not types - {"none"}:
            self.refuse(key, f"{key} does not take numbers, so it cannot have a range; expected a list of alternatives")
            return None
        whole = types == {"whole"}
        numbers = isinstance(bounds, list) and len(bounds) == 2 and all(_is_number(one, whole=whole) for one in bounds)
        if not numbers or not bounds[0] < bounds[1] or (log and bounds[0] <= 0):
            above, what = " above 0" if log else "", "integers" if whole else "numbers"
            such = "[8, 128]" if whole else "[1e-4, 1]"
            self.refuse(key, f"{kind}: expected two {what}{above}, the smaller one first, such as {such}", kind)
            return None
        origin: Path = () if key in self.options else ("sweep", key, kind)
        low, high = bounds if whole else map(float, bounds)
        if points is None:
            return Span(key, low, high, log, whole, origin)
        if not isinstance(points, int) or isinstance(points, bool) or not 2 <= points <= MOST_POINTS:
            self.refuse(key, f"points: expected an integer from 2 to {MOST_POINTS}", "points")
            return None
        values = spaced(low, high, points, log=log, whole=whole)
        if len(values) < points:
            text = f"points: {points} evenly spaced integers are not all different; only {len(values)} of them are"
            self.refuse(key, text, "points")
            return None
        return Alternatives(key, tuple(values), (origin,) * len(values), is_range=True)

    def _extend(self, ranges: Sequence[Alternatives], tuning: Tuning | None) -> dict[str, Any] | None:
        value = self.block.get("extend", False)
        if value is False or value is None:
            return None
        if value is not True and (not isinstance(value, int) or not 1 <= value <= MOST_POINTS):
            self.refuse("extend", f"expected true, false, or how many values may be added, at most {MOST_POINTS}")
            return None
        if tuning is None or len(ranges) != 1 or len(ranges[0].values) < 3:
            self.refuse(
                "extend", "one tuned range with at least 3 points is needed, such as {log_range: [1e-4, 1], points: 7}"
            )
            return None
        if tuning.repeats > 1:
            self.refuse(
                "extend",
                "the range would grow by what all repetitions found, which would then not be independent; give a "
                "wider range, or tune without repeats",
            )
            return None
        (only,) = ranges
        low, high, gaps = only.values[0], only.values[-1], len(only.values) - 1
        log = "log_range" in self.block[only.key]
        return {
            "key": only.key,
            "factor": math.exp(log_ratio(low, high) / gaps) if log else 0.0,
            "step": 0.0 if log else (high - low) / gaps,
            "points": len(only.values),
            "times": EXTENSIONS if value is True else value,
            "whole": isinstance(low, int),
        }

    def _halving(self, tuning: Tuning | None, sampler: Any, keys: Sequence[str]) -> int | None:
        value = self.block.get("halving")
        if value is None or value is False:
            return None
        factor = value.get("factor") if isinstance(value, Mapping) and set(value) == {"factor"} else value
        if not isinstance(factor, int) or isinstance(factor, bool) or factor < 2:
            self.refuse("halving", "expected {factor: 3}: one value in three is trained for three times as long")
            return None
        why_not = {
            "there is nothing to tune, so no value is better than another; leave out halving, or tune": tuning is None,
            "tpe learns from the scores of whole trainings, and most values would have none; choose sampler: random, "
            "or leave out halving": sampler == "tpe",
            "it sets the epochs of each round; take epochs out of the sweep block, or leave out halving": (
                "epochs" in keys
            ),
        }
        for reason, holds in why_not.items():
            if holds and not self.problems:
                self.refuse("halving", reason)
        return factor

    def _count(self, name: str, default: int | None) -> int | None:
        value = self.block.get(name, default)
        low = 0 if name == "seed" else 1
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < low):
            self.refuse(name, f"expected an integer of at least {low}")
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


def _is_number(value: Any, *, whole: bool) -> bool:
    types = int if whole else int | float
    return isinstance(value, types) and not isinstance(value, bool) and -_LARGEST <= value <= _LARGEST


def _is_one_value(declared: KeyPath, values: Sequence[Value]) -> bool:
    """Return whether a list is one value of a key that takes lists, and no item is a value of the key itself."""
    keys = [variant.key for variant in declared.variants if isinstance(variant.key, Parameter)]
    one = any(key.takes_lists and not leaves.check(key, list(values))[2] for key in keys)
    return one and not any(item is None or not leaves.check(key, item)[2] for key in keys for item in values)


def _not_a_list(key: str, value: Value) -> str:
    if isinstance(value, Mapping) and "name" not in value and (inner := next(iter(value), None)) is not None:
        nested = f"{key}.{inner}" if f"{key}.{inner}" in key_paths() else ""
        if nested:
            return f"expected a list of alternatives; write {nested}: [...] for those of a key inside {key}"
    return "expected a list of alternatives, such as [mse, mae], or {log_range: [1e-4, 1], points: 7}"
