"""What `find-lr` suggests, next to the best rate of a sweep, for each config that comes with lossrun.

    python -m tests.bench rates

A sweep trains the whole run with each of some rates, a factor of 10^(1/4) apart, on eight seeds, and chooses as
`lossrun sweep CONFIG --over learning_rate=log:...` does. A config of MNIST has rates a factor of the square root of ten
apart and one seed, because its 5,000 validation samples tell more than the 32 to 200 of the others. The suggestion is
compared with the best rate, and with the nearest of those that may be the best ones with other seeds: their score is
worse by less than the standard error of the difference.
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
from lossrun.config import SourcedConfig, read
from lossrun.config.overrides import Change
from lossrun.data import default_data_dir
from lossrun.records.sweep_directory import create
from lossrun.sweeping.course import run_sweep
from lossrun.sweeping.plan import plan_sweep
from lossrun.sweeping.rate_finder import find_rate
from lossrun.sweeping.reading import read_sweep
from tests.bench.tables import print_table, progress

WITHIN: Final = 3.0
SEEDS: Final = 8
CONFIGS: Final = Path("configs")
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
    columns = ["config", "metric", "suggested", "best", "as good", "to the best", "to the nearest", ""]
    print_table(f"Suggested rates next to a sweep's best, within a factor of {WITHIN:g}", columns, rows)


def _compared(name: str) -> Iterator[list[str]]:
    for pair, changes in _pairs(read(Path(name))):
        reading = read(Path(name), changes)
        found = find_rate(replace(reading, sweep=None), default_data_dir(), jobs=1)
        assert found.suggestion is not None
        seeds = 1 if reading.config.dataset.name == "mnist" else SEEDS
        rates = OWN_RATES.get(name) or RATES[reading.config.optimizer.name]
        scores, best, metric = _swept(reading, rates, seeds)
        assert metric == found.metric
        good = [rate for rate, score in scores.items() if _is_as_good(score, scores[best])]
        ratio = found.suggestion / best
        nearest = min((found.suggestion / rate for rate in good), key=lambda one: abs(math.log(one)))
        judged = "agrees" if 1 / WITHIN <= ratio <= WITHIN else "DISAGREES"
        as_good = f"{min(good):g} to {max(good):g}" if len(good) > 1 else f"{best:g}"
        yield [
            f"{name}{pair}",
            metric,
            f"{found.suggestion:g}",
            f"{best:g}",
            as_good,
            f"{ratio:.2f}",
            f"{nearest:.2f}",
            judged,
        ]


def _pairs(reading: SourcedConfig) -> Iterator[tuple[str, list[Change]]]:
    """Yield what each pair of a sweep block changes; nothing for a config without one."""
    block = reading.sweep or {}
    for loss in block.get("loss", [None]):
        for optimizer in block.get("optimizer", [None]):
            given = {"loss": loss, "optimizer": optimizer}
            changes = [Change(key, value, "") for key, value in given.items() if value is not None]
            names = [one.value if isinstance(one.value, str) else one.value["name"] for one in changes]
            yield (f" ({', '.join(names)})" if names else ""), changes


def _swept(reading: SourcedConfig, rates: tuple[float, float], seeds: int) -> tuple[dict[float, Spread], float, str]:
    """Train a config with each rate; return the scores that have a mean, the best rate, and the metric.

    Without validation data there is nothing to tune by, and the training loss decides, as in `find-lr`.
    """
    low, high = rates
    points = 1 + round((2 if seeds == 1 else 4) * math.log10(high / low))
    tunes = reading.config.dataset.parameters.get("validation") != 0 and reading.config.dataset.name != "inline"
    block: dict[str, Any] = {"learning_rate": {"log_range": [low, high], "points": points}}
    block |= {"tune": {"seeds": seeds}, "extend": True} if tunes else {"tune": False}
    trained = (0,) if tunes else tuple(range(seeds))
    given = replace(
        reading, sweep=block, config=replace(reading.config, seeds=trained), raw={**reading.raw, "seeds": list(trained)}
    )
    with tempfile.TemporaryDirectory() as folder:
        planned = plan_sweep(read_sweep(given), Path(folder), default_data_dir())
        sweep = create(Path(folder), planned.name, planned.config, planned.cells, planned.facts)
        run_sweep(sweep, jobs=1)
        if (tuning := tuning_of(sweep)) is not None:
            pair = tuning.pairs[0]
            assert pair.chosen is not None
            scores = {trial.values["learning_rate"]: trial.score for trial in pair.trials if trial.score}
            return scores, pair.chosen.values["learning_rate"], tuning.metric
        found: dict[float, dict[int, float]] = {}
        for row in sweep_records(sweep):
            if row["status"] == "finished":
                found.setdefault(row["learning_rate"], {})[row["seed"]] = row["train_loss"]
        spreads = {rate: one for rate, by_seed in found.items() if (one := spread(by_seed))}
        return spreads, min(spreads, key=lambda rate: spreads[rate].mean), "train_loss"


def _is_as_good(score: Spread, best: Spread) -> bool:
    """Return whether the difference is at most its standard error. Both have the same seeds, which are compared."""
    found = spread({seed: value - best.per_seed[seed] for seed, value in score.per_seed.items()})
    assert found is not None
    return abs(found.mean) <= (found.deviation or 0.0) / math.sqrt(len(score.per_seed))
