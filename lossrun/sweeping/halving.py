"""Successive halving: all values are trained for a few epochs, and only the best of each pair for longer.

Jamieson and Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter Optimization", 2016. Each round
trains from the start, so that it contains a whole schedule. The last round is as long as the config says, and only its
scores choose. Which values are kept depends on the plan and the scores alone, so a sweep that was killed keeps the same
ones.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from lossrun.analysis.sweeps.trials import Trial, judged, repetitions
from lossrun.analysis.sweeps.tuning import TuningResult
from lossrun.analysis.values.metric_names import sign
from lossrun.records.sweep_directory import PlannedCell
from lossrun.sweeping.plan import tuning_line


@dataclass(frozen=True, slots=True)
class Halving:
    """The facts in a sweep's ledger under `halving`.

    Attributes:
        factor: One value in `factor` is kept for the next round, which is `factor` times as long.
        epochs: The length of each round.
    """

    factor: int
    epochs: Sequence[int]


def halved_cells(halving: Halving, tuning: TuningResult, planned: Sequence[PlannedCell]) -> list[PlannedCell]:
    """Return the cells of the next round: the best of each pair. None once all rounds are planned.

    Where tuning is repeated, each repetition keeps the best values on its own seeds, and a value is trained with the
    seeds of the repetitions that keep it.
    """
    reached = max(cell.config["epochs"] for cell in planned)
    if reached >= halving.epochs[-1]:
        return []
    following = next(epochs for epochs in halving.epochs if epochs > reached)
    found: list[PlannedCell] = []
    for pair in tuning.pairs:
        round_ = [trial for trial in pair.every if trial.cell.config["epochs"] == reached]
        kept: dict[str, list[int]] = {}
        for seeds in repetitions(pair.every, tuning.repeats):
            for trial in best_of(judged(round_, seeds, tuning.repeats), tuning, halving.factor):
                kept.setdefault(trial.cell.directory, []).extend(seeds)
        for trial in round_:
            if own := kept.get(trial.cell.directory):
                config = {**trial.cell.config, "epochs": following, "seeds": own}
                found.append(tuning_line(len(planned) + len(found) + 1, trial.cell.pair, trial.cell.changes, config))
    return found


def best_of(trials: Sequence[Trial], tuning: TuningResult, factor: int) -> list[Trial]:
    """Return the best share of the trials, one in `factor`; of equal scores, the earlier ones."""
    scored = [(trial.score.mean, trial) for trial in trials if trial.score is not None]
    ranked = sorted(scored, key=lambda one: -sign(tuning.goal) * one[0])
    return [trial for _, trial in ranked[: math.ceil(len(trials) / factor)]]
