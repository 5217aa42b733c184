"""Sweeps whose trainings are simulated: the real plan, choices and verdicts over scores that are drawn.

Every pair has the same recipe: its accuracy depends on the learning rate in the same way. So any verdict is false.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from lossrun.analysis.sweeps.result import SweepResult, result_from
from lossrun.analysis.sweeps.tuning import tuning_from
from lossrun.analysis.values.splits import resampled_by
from lossrun.config import from_mapping
from lossrun.data.samples.hashing import hashes
from lossrun.experiment import load_experiment
from lossrun.records.files.rows import Rows
from lossrun.records.history import History
from lossrun.records.recorded import RecordedRun
from lossrun.records.sweep_directory import PlannedCell
from lossrun.sweeping.course import following
from lossrun.sweeping.plan import Planned, plan_sweep
from lossrun.sweeping.reading import read_sweep

VALIDATION: Final = 80  # samples
LOSSES: Final = ("binary_cross_entropy", "hinge", "squared_hinge")
BASE: Final[dict[str, Any]] = {
    "dataset": {"name": "synthetic_classification", "kind": "moons", "samples": 400, "validation": VALIDATION},
    "model": {"name": "mlp", "hidden": [4]},
    "loss": LOSSES[0],
    "optimizer": "sgd",
    "learning_rate": 0.1,
    "epochs": 9,
    "lint": "warn",
}
SEED_EFFECT: Final = 0.004  # of a seed's initial weights and batches, the same for every pair
SEED_NOISE: Final = 0.006  # of a training
_WAVES: Final = 24  # of the random function that says what the validation samples make of a rate


def planned(block: Mapping[str, Any], *, pairs: int = 6, seeds: int = 6, **changes: Any) -> Planned:
    """Return the plan of a sweep over 1 to 3, or 6 pairs with `seeds` final seeds. `changes`: to the config."""
    of = {"loss": list(LOSSES[: min(pairs, 3)])} | ({"optimizer": ["sgd", "adam"]} if pairs > 3 else {})
    config = {**BASE, "seeds": seeds, **changes, "sweep": {**of, **block}}
    return plan_sweep(read_sweep(from_mapping(config, Path())), Path("runs"), Path())


def bump(rate: float, epochs: int) -> float:
    """The accuracy to expect: best at 0.03, chance far away; after fewer epochs it is lower, and best at more."""
    short = math.log(BASE["epochs"] / epochs) / math.log(3)
    away = math.log10(rate) + 1.5 - 0.3 * short
    return 0.5 + (0.4 - 0.03 * short) * math.exp(-0.25 * away * away)


def equal(rate: float, epochs: int) -> float:
    """The same accuracy everywhere: whatever is chosen, the chosen configurations are equal."""
    return 0.9


class Trainings:
    """Draws what the trainings of one sweep score.

    Args:
        accuracy: The true accuracy of a rate after a number of epochs, the same for every pair.
        own: The share of the variance of a validation score that is the training's own. The rest comes from the
            samples, which are the same for all trainings on a split, and nearly the same for rates nearby.
        diverging: Above this rate, a tuning run diverges in half of the cases.
        noise: The factor of everything that differs from the true accuracy.
    """

    def __init__(
        self,
        generator: np.random.Generator,
        accuracy: Callable[[float, int], float],
        own: float,
        diverging: float = math.inf,
        noise: float = 1.0,
    ) -> None:
        self.generator, self.accuracy, self.own, self.diverging = generator, accuracy, own, diverging
        self.noise = noise
        # Predictions are not simulated, so intervals are for new seeds on these test samples. On them, two rates are
        # equal only if these samples make no difference between rates.
        self.on_test = accuracy is not equal
        self.deviation = noise * math.sqrt(0.9 * 0.1 / VALIDATION)
        self.samples: dict[str, Callable[[float], float]] = {}
        self.effects: dict[int, float] = {}

    def run(self, cell: PlannedCell) -> RecordedRun:
        config = {**cell.config, "best": {"metric": "val_loss", "mode": "min"}}  # as resolved when training starts
        seeds, rate, epochs = config["seeds"], config["learning_rate"], config["epochs"]
        rows, ends = [], {}
        for number, seed in enumerate(seeds):
            split = self._split(config, number, len(seeds))
            lost = cell.phase == "tune" and self.diverges(cell, seed)
            truth = self.accuracy(rate, epochs)
            measured = truth + self._of_samples(split, rate) + self._own(self.deviation * math.sqrt(self.own))
            if not lost:
                row = {"epoch": epochs, "step": epochs, "seed": seed, "train_loss": 1.0, "val_loss": 1 - measured}
                rows.append({**row, "val_accuracy": measured})
            effect = self.effects.setdefault(seed, self._own(self.noise * SEED_EFFECT))
            of_samples = self._of_samples(f"test {split}", rate) if self.on_test else 0.0
            tested = truth + of_samples + effect + self._own(self.noise * SEED_NOISE)
            test = {"test_loss": 1.0, "test_accuracy": tested}
            ends[str(seed)] = {"test_at_best": test, "test_at_last": test, "diverged_epoch": 1 if lost else None}
        return RecordedRun(
            path=Path("simulated") / cell.directory,
            name=cell.directory,
            config=config,
            environment=_environment(config),
            history=History(Rows.from_dicts(rows)),
            ledger=({"event": "finished", "epoch": epochs, "seeds": ends, "seconds": 1.0},),
            status="finished",
            warnings=(),
            whole=True,
        )

    def diverges(self, cell: PlannedCell, seed: int) -> bool:  # noqa: ARG002
        """Whether a seed of a tuning run diverges."""
        return bool(cell.config["learning_rate"] > self.diverging and self.generator.random() < 0.5)

    def _own(self, deviation: float) -> float:
        return float(self.generator.normal(0, deviation))

    def _split(self, config: Mapping[str, Any], number: int, seeds: int) -> str:
        key = resampled_by(config)
        return str(config[key][number * len(config[key]) // seeds]) if key else ""

    def _of_samples(self, split: str, rate: float) -> float:
        """What the samples of a split add at a rate: a random function, smooth over a third of a decade."""
        if split not in self.samples:
            speeds = self.generator.normal(0, 3.0, _WAVES)
            shifts = self.generator.uniform(0, 2 * math.pi, _WAVES)
            height = self.deviation * math.sqrt(2 * (1 - self.own) / _WAVES)
            self.samples[split] = lambda place: height * float(np.cos(speeds * place + shifts).sum())
        return self.samples[split](math.log10(rate))


def _environment(config: Mapping[str, Any]) -> dict[str, Any]:
    """What run.json says of the data: their digests, one for each seed if they differ, and their sizes."""
    key = resampled_by(config)
    which = config[key] if key else [None]
    each = len(config["seeds"]) // len(which)
    found = [_data(key, one) for one in which for _ in range(each if key else 1)]
    digests = {part: "+".join(of[part] for of, _ in found) for part in found[0][0]}
    return {"task": "binary", "data": digests, "samples": found[0][1]}


@cache
def _data(key: str, which: Any) -> tuple[dict[str, str], dict[str, int]]:
    """The digest and the size of each part of the real data of one split or fold."""
    config = {**BASE, "seeds": [0], **({key: [which]} if key else {})}
    data = load_experiment(from_mapping(config, Path()), Path()).data
    (only,) = data.values()
    return hashes(data), {part: len(getattr(only, part)) for part in ("train", "validation", "test")}


def simulated(plan: Planned, trainings: Trainings) -> SweepResult:
    """Run a sweep to its end."""
    cells, runs = list(plan.cells), dict[str, RecordedRun]()
    while True:
        runs |= {cell.directory: trainings.run(cell) for cell in cells if cell.directory not in runs}
        tuning = tuning_from(cells, plan.facts, runs)
        assert tuning is not None
        if tuning.is_over:
            return result_from(plan.name, cells, plan.facts, runs)
        more = following(plan.facts, tuning, cells).cells
        assert more, "no tuning run has a score"
        cells += more


def has_verdict(result: SweepResult) -> bool:
    """Whether any run is called better or worse than the first."""
    assert result.comparison is not None
    words: Sequence[str] = [verdict.word for verdict in result.comparison.verdicts]
    assert words
    return any("better" in word or "worse" in word for word in words)
