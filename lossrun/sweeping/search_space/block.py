"""Read the sweep block of a config, with `--over`: which keys have alternatives, and how values are chosen."""

import math
from collections.abc import Mapping, Sequence, Set
from functools import partial
from importlib.util import find_spec
from typing import Any, Final

from lossrun.catalog.lookup import COMPONENTS, find
from lossrun.config import Config, Draft, SourcedConfig
from lossrun.config.key_paths import key_paths
from lossrun.config.keys import SWEEP_OPTIONS
from lossrun.config.source import ConfigSource
from lossrun.errors import Problem
from lossrun.sweeping.search_space.axis import MOST_POINTS, read_axis
from lossrun.sweeping.search_space.over_option import over_options
from lossrun.sweeping.search_space.ranges import Span, log_ratio
from lossrun.sweeping.search_space.space import FIRST_DRAWS, Alternatives, Space, Tuning
from lossrun.sweeping.search_space.tune import read_tuning

MOST_CELLS: Final = 10_000
# Keys of the block that are not keys of a config.
OPTIONS: Final = tuple(SWEEP_OPTIONS)
SAMPLERS: Final = ("random", "tpe")
EXTENSIONS: Final = 3  # values that `extend: true` adds at most


def read_space(reading: SourcedConfig, over: Sequence[str] = ()) -> Space:
    """Return the space of the config's sweep block, in which `--over` options replace the block's keys.

    Raises ConfigError with every mistake, at its place.
    """
    space, problems = readable_space(reading, over, reading.config)
    if problems:
        raise reading.source.error(problems)
    return space


def readable_space(draft: Draft, over: Sequence[str], config: Config | None) -> tuple[Space, list[Problem]]:
    """Return the space of the keys in the sweep block that have no mistake, and the mistakes of the others.

    `config`: the base config; None if it has mistakes, so that it says nothing about the block.
    """
    given, problems = over_options(over)
    source, block = draft.source, draft.sweep
    if block is not None and not isinstance(block, Mapping):
        problems.append(source.problem(("sweep",), "expected a mapping from keys to lists of alternatives"))
        block = {}
    block = {**(block or {}), **{key: value for key, (_, value) in given.items()}}
    if not block and not problems:
        text = (
            f"{source.name}: nothing to sweep over; add a sweep block to the config, or options such as "
            "--over loss=mse,mae --over learning_rate=log:1e-4:1:7"
        )
        problems.append(Problem((0, 0), text))
    if not block:
        return Space((), (), None, None, 0, {}), problems
    reader = _Reader(source, config, block, {key: option for key, (option, _) in given.items()}, problems)
    return reader.space(), reader.problems


def tuning_of(reading: SourcedConfig) -> Tuning | None:
    """Return what the config's sweep block says under `tune`; None if that is nothing, or false.

    The rest of the block does not matter. Raises ConfigError.
    """
    block = reading.sweep if isinstance(reading.sweep, Mapping) else {}
    if block.get("tune") in (None, False):
        return None
    reader = _Reader(reading.source, reading.config, block, {}, [])
    tuning = read_tuning(block["tune"], partial(reader.refuse, "tune"))
    if reader.problems:
        raise reading.source.error(reader.problems)
    return tuning


def _is_within(key: str, wrong: Set[str]) -> bool:
    """Return whether a key is wrong, or a part of one: without the losses of `loss`, `loss.delta` may not fit."""
    parts = key.split(".")
    return any(".".join(parts[:count]) in wrong for count in range(1, len(parts) + 1))


class _Reader:
    def __init__(
        self,
        source: ConfigSource,
        config: Config | None,
        block: Mapping[str, Any],
        options: Mapping[str, str],
        problems: list[Problem],
    ) -> None:
        self.source, self.config, self.block, self.options, self.problems = source, config, block, options, problems

    def refuse(self, key: str, message: str, *inside: str | int, at_key: bool = False) -> None:
        path = ("sweep", key, *inside)
        if option := self.options.get(key):
            part = f"{inside[-1]}: " if inside[-1:] == ("points",) else ""
            self.problems.append(Problem((-1, 0), f"{option}: {part}{message}", path, option))
        else:
            self.problems.append(self.source.problem(path, message, at_key=at_key))

    def space(self) -> Space:
        """Return the space of the keys without a mistake; `problems` has the mistakes of the others."""
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
            key = spans[0].key
            if key in self.options:
                such, samples_of = "log:1e-4:1:7", "--set sweep.samples=30"
            else:
                such, samples_of = "{log_range: [1e-4, 1], points: 7}", "samples: 30 in the sweep block"
            self.refuse(key, f"a range needs points, such as {such}, or {samples_of}, which draws 30 values")
        if samples is not None and not spans and not self.problems:
            self.refuse("samples", "there is nothing to draw; give a key a range without points")
        for key in (*(one.key for one in alternatives), *(one.key for one in spans)):
            self._refuse_lacking(key)
        tuning = self._tuning(alternatives, spans)
        sampler = self._sampler(alternatives, spans, tuning, samples)
        extend = self._extend(alternatives, spans, tuning, samples)
        halving = self._halving(tuning, [*(one.key for one in alternatives), *(one.key for one in spans)])
        if not alternatives and not spans and not self.problems:
            text = "no key has alternatives; add one, such as loss: [mse, mae]"
            self.problems.append(self.source.problem(("sweep",), text, at_key=True))
        wrong = {str(problem.path[1]) for problem in self.problems if len(problem.path) > 1}
        alternatives = [one for one in alternatives if not _is_within(one.key, wrong)]
        spans = [one for one in spans if not _is_within(one.key, wrong)]
        space = Space(
            tuple(alternatives), tuple(spans), tuning, samples, seed or 0, self.block, extend, sampler, halving
        )
        if space.size > MOST_CELLS and not self.problems:
            counts = [*(len(one.values) for one in alternatives), *([samples] if spans else [])]
            text = " x ".join(f"{count:,}" for count in counts) + (f" = {space.size:,}" if len(counts) > 1 else "")
            fewer = "fewer alternatives, or draw some of them with sweep.samples" if alternatives else "fewer samples"
            why = f"{text} cells; at most {MOST_CELLS:,}: give {fewer}"
            self.problems.append(self.source.problem(("sweep",), why, at_key=True))
        return space

    def _axis(self, key: str, value: Any) -> Alternatives | Span | None:
        own = self._may_be_own(key.partition(".")[0])
        return read_axis(key, value, partial(self.refuse, key), may_be_own=own, by_option=key in self.options)

    def _refuse_lacking(self, key: str) -> None:
        """Refuse a parameter that one of the alternatives of its component does not have."""
        kind, _, name = key.partition(".")
        given, declared = self.block.get(kind), key_paths().get(key)
        if kind not in COMPONENTS or declared is None or not isinstance(given, list):
            return
        having = [component for variant in declared.variants for component in variant.components]
        names = [str(one.get("name") if isinstance(one, Mapping) else one) for one in given]
        meant = [found.component.name for one in names if ":" not in one and (found := find(kind, one))]
        lacking = next((one for one in meant if one not in having), None)
        if having and lacking and "." not in name:
            own = [f'"{one}"' for one in names if ":" in one]
            having = [*own, *(one for one in meant if one in having)] or having
            such = f"{kind}: [{lacking}, {{name: {having[0]}, {name}: ...}}]"
            self.refuse(
                key, f"{lacking} has no {name}; write it inside the alternatives that have it: {such}", at_key=True
            )

    def _may_be_own(self, kind: str) -> bool:
        """Return whether a component of this kind may be the user's own, which can have any parameter."""
        if self.config is None:
            return True
        given = self.block.get(kind)
        every = [*(given if isinstance(given, list) else []), getattr(self.config, kind, None)]
        names = [one.get("name") if isinstance(one, Mapping) else getattr(one, "name", one) for one in every]
        return any(":" in str(name) for name in names)

    def _extend(
        self, alternatives: Sequence[Alternatives], spans: Sequence[Span], tuning: Tuning | None, samples: int | None
    ) -> dict[str, Any] | None:
        value = self.block.get("extend", False)
        if value is False or value is None:
            return None
        if value is not True and (not isinstance(value, int) or not 1 <= value <= MOST_POINTS):
            self.refuse("extend", f"expected true, false, or how many values may be added, at most {MOST_POINTS}")
            return None
        given = [(one.key, one.values[0], one.values[-1], len(one.values)) for one in alternatives if one.is_range]
        drawn = [(one.key, *one.ends, one.different(samples or 0)) for one in spans]
        ranges = [*given, *drawn]
        if tuning is None or len(ranges) != 1 or ranges[0][-1] < 3:
            self.refuse(
                "extend", "one tuned range with at least 3 values is needed, such as {log_range: [1e-4, 1], points: 7}"
            )
            return None
        ((key, low, high, points),) = ranges
        log = "log_range" in self.block[key]
        return {
            "key": key,
            # Drawn values are about as dense as as many evenly spaced ones.
            "factor": math.exp(log_ratio(low, high) / (points - 1)) if log else 0.0,
            "step": 0.0 if log else (high - low) / (points - 1),
            "points": points,
            "times": EXTENSIONS if value is True else value,
            "whole": isinstance(low, int),
        }

    def _sampler(
        self, alternatives: Sequence[Alternatives], spans: Sequence[Span], tuning: Tuning | None, samples: int | None
    ) -> str:
        sampler = self.block.get("sampler", "random")
        if sampler not in SAMPLERS:
            self.refuse("sampler", f"expected {' or '.join(SAMPLERS)}")
        elif sampler == "tpe" and samples is None and not self.problems:
            self.refuse("sampler", "set samples, such as samples: 30, and give a key a range without points")
        if sampler == "tpe" and tuning is None and not self.problems:
            self.refuse("sampler", "tpe learns from the tuning scores; leave out tune: false")
        fixed = [one.key for one in alternatives if one.is_tunable]
        if sampler == "tpe" and spans and fixed and not self.problems:
            self.refuse(fixed[0], "tpe draws every tuned key; give this one a range without points too")
        if sampler == "tpe" and samples is not None and samples <= FIRST_DRAWS and not self.problems:
            self.refuse(
                "samples",
                f"tpe draws the first {FIRST_DRAWS} values at random, so it would draw none of {samples}; set more, "
                "such as samples: 30, or leave out sampler",
            )
        if sampler == "tpe" and find_spec("optuna") is None:
            self.refuse("sampler", 'tpe needs Optuna, which is not installed: pip install "lossrun[optuna]"')
        return str(sampler)

    def _halving(self, tuning: Tuning | None, keys: Sequence[str]) -> int | None:
        value = self.block.get("halving")
        if value is None or value is False:
            return None
        factor = value.get("factor") if isinstance(value, Mapping) and set(value) == {"factor"} else value
        if not isinstance(factor, int) or isinstance(factor, bool) or factor < 2:
            self.refuse(
                "halving",
                "expected {factor: 3}, or another integer from 2 on: one value in three is trained three times as long",
            )
            return None
        why_not = {
            "there is nothing to tune, so no value is better than another; leave out halving, or tune": tuning is None,
            "it sets the epochs of each round; take epochs out of the sweep block, or leave out halving": (
                "epochs" in keys
            ),
            f"its first round would be shorter than 1 epoch; set epochs to at least {factor}, or leave out halving": (
                self.config is not None and self.config.epochs < factor
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
        tunable = bool(spans) or any(one.is_tunable for one in alternatives)
        if value is False or (value is None and not tunable):
            return None
        tuning = read_tuning(value, partial(self.refuse, "tune"))
        if not tunable and not self.problems:
            self.refuse("tune", "there is nothing to tune; give learning_rate several values, or another key a range")
        return tuning
