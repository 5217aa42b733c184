"""What `find-lr` suggests, next to the best rate of a sweep, for each config that comes with lossrun.

    python -m tests.bench rates

A sweep trains the whole run with each of some rates, a factor of the square root of ten apart, on two seeds, and
chooses as `lossrun sweep CONFIG --over learning_rate=log:...` does. Rates whose score is worse by less than the
standard error of the difference might be the best ones with other seeds: the suggestion is compared with the nearest of
these. A config of MNIST is trained for fewer epochs, by both.
"""

import math
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from lossrun.analysis.sweeps.result import sweep_records
from lossrun.analysis.sweeps.tuning import tuning_of
from lossrun.analysis.values.readings import Spread, spread
from lossrun.catalog.metric_names import goal, sign
from lossrun.config import SourcedConfig, read
from lossrun.config.overrides import Change
from lossrun.data import default_data_dir
from lossrun.records.sweep_directory import create
from lossrun.sweeping.course import run_sweep
from lossrun.sweeping.plan import plan_sweep
from lossrun.sweeping.rate_finder import find_rate
from tests.bench.tables import print_table, progress

WITHIN: Final = 3.0
SEEDS: Final = 2
CONFIGS: Final = Path("configs")
# Epochs of configs that would take too long.
FEWER: Final = {"mnist-lenet": 3, "mnist-mlp-adam": 5, "mnist-mlp-sgd": 5}
# Where the rates are, three decades around what suits the optimizer and the loss.
RATES: Final = {"sgd": (1e-3, 1.0), "adam": (1e-4, 0.1), "adamw": (1e-4, 0.1)}
OWN_RATES: Final = {"sweep-mnist": (0.1, 100.0)}


def measure(only: list[str] | None = None) -> None:
    """Compare each config, and print a table."""
    rows = []
    for name in only or sorted(path.stem for path in CONFIGS.glob("*.yaml")):
        for row in _compared(name):
            rows.append(row)
            progress("  ".join(row))
    columns = ["config", "metric of find-lr", "suggested", "metric of the sweep", "best", "as good", "ratio", ""]
    print_table(f"Suggested rates next to a sweep's best, within a factor of {WITHIN:g}", columns, rows)


def _compared(name: str) -> Iterator[list[str]]:
    fewer = [Change("epochs", FEWER[name], "")] if name in FEWER else []
    for pair, changes in _pairs(read(Path(name))):
        reading = read(Path(name), [*changes, *fewer])
        found = find_rate(replace(reading, sweep=None), default_data_dir(), jobs=1)
        assert found.suggestion is not None
        scores, metric = _swept(reading, OWN_RATES.get(name) or RATES[reading.config.optimizer.name])
        upward = sign(goal(metric) or "min")
        best = max(scores, key=lambda rate: upward * scores[rate].mean)
        good = [rate for rate, score in scores.items() if _is_as_good(score, scores[best])]
        ratio = min((found.suggestion / rate for rate in good), key=lambda one: abs(math.log(one)))
        judged = "agrees" if 1 / WITHIN <= ratio <= WITHIN else "DISAGREES"
        as_good = f"{min(good):g} to {max(good):g}" if len(good) > 1 else f"{best:g}"
        told = [found.metric, f"{found.suggestion:g}", metric, f"{best:g}", as_good, f"{ratio:.2f}", judged]
        yield [f"{name}{pair}", *told]


def _pairs(reading: SourcedConfig) -> Iterator[tuple[str, list[Change]]]:
    """Yield what each pair of a sweep block changes; nothing for a config without one."""
    block = reading.sweep or {}
    for loss in block.get("loss", [None]):
        for optimizer in block.get("optimizer", [None]):
            given = {"loss": loss, "optimizer": optimizer}
            changes = [Change(key, value, "") for key, value in given.items() if value is not None]
            names = [one.value if isinstance(one.value, str) else one.value["name"] for one in changes]
            yield (f" ({', '.join(names)})" if names else ""), changes


def _swept(reading: SourcedConfig, rates: tuple[float, float]) -> tuple[dict[float, Spread], str]:
    """Train a config with each rate, and return the scores that have a mean and the metric that they are of.

    Without validation data there is nothing to tune by, and the training loss decides, as in `find-lr`.
    """
    low, high = rates
    log_range = {"log_range": [low, high], "points": 1 + round(2 * math.log10(high / low))}
    tunes = reading.config.dataset.parameters.get("validation") != 0 and reading.config.dataset.name != "inline"
    block: dict[str, Any] = {"learning_rate": log_range, "tune": {"seeds": SEEDS} if tunes else False}
    block |= {"extend": True} if tunes else {}
    seeds = (0,) if tunes else tuple(range(SEEDS))
    given = replace(
        reading, sweep=block, config=replace(reading.config, seeds=seeds), raw={**reading.raw, "seeds": list(seeds)}
    )
    with tempfile.TemporaryDirectory() as folder:
        planned = plan_sweep(given, [], Path(folder), default_data_dir())
        sweep = create(Path(folder), planned.name, planned.config, planned.cells, planned.facts)
        run_sweep(sweep, jobs=1)
        if (tuning := tuning_of(sweep)) is not None:
            trials = tuning.pairs[0].trials
            return {trial.values["learning_rate"]: trial.score for trial in trials if trial.score}, tuning.metric
        found: dict[float, dict[int, float]] = {}
        for row in sweep_records(sweep):
            if row["status"] == "finished":
                found.setdefault(row["learning_rate"], {})[row["seed"]] = row["train_loss"]
        return {rate: spread(by_seed) for rate, by_seed in found.items()}, "train_loss"


def _is_as_good(score: Spread, best: Spread) -> bool:
    error = math.sqrt(((score.deviation or 0) ** 2 + (best.deviation or 0) ** 2) / SEEDS)
    return abs(score.mean - best.mean) <= error
