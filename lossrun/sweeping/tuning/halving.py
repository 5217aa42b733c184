"""Successive halving: all values are trained for a few epochs, and only the best of each pair for longer.

Jamieson and Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter Optimization", 2016. Each round
trains from the start, so that it contains a whole schedule. The last round is as long as the config says, and only its
scores choose. Which values are kept depends on the plan and the scores alone, so a sweep that was killed keeps the same
ones.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lossrun.analysis.sweeps.trials import Trial
from lossrun.analysis.sweeps.tuning import TuningResult
from lossrun.catalog.metric_names import sign
from lossrun.records.sweep_directory import PlannedCell
from lossrun.sweeping.tuning.adding import Wanted, added_cells


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

    Where a sampler draws values a few at a time, each draw goes through the rounds separately, as in BOHB (Falkner and
    others, 2018): every pair then trains as many values in each round. Where tuning is repeated, each repetition keeps
    the best values on its own seeds, and a value goes on with the seeds of those repetitions that keep it.
    """
    return added_cells(lambda found, _: _kept(halving, found), tuning, planned)


def _kept(halving: Halving, tuning: TuningResult) -> Iterator[Wanted]:
    for pair in tuning.pairs:
        drawn = _latest_draw(pair.every, halving.epochs[0])
        reached = max((trial.cell.config["epochs"] for trial in drawn), default=halving.epochs[-1])
        if reached >= halving.epochs[-1]:
            continue
        following = next(epochs for epochs in halving.epochs if epochs > reached)
        round_ = [trial for trial in drawn if trial.cell.config["epochs"] == reached]
        kept = {trial.cell.directory for trial in best_share(round_, tuning, halving.factor)}
        for trial in round_:
            if trial.cell.directory in kept:
                yield Wanted(trial.cell.pair, trial.cell.changes, {**trial.cell.config, "epochs": following})


def _latest_draw(every: Sequence[Trial], shortest: int) -> list[Trial]:
    """Return the runs of the values that were drawn last, with those that trained them again.

    In the plan, the runs of the first round follow each other, and those that train some of them again come behind.
    """
    first = len(every)
    while first > 0 and every[first - 1].cell.config["epochs"] != shortest:
        first -= 1
    while first > 0 and every[first - 1].cell.config["epochs"] == shortest:
        first -= 1
    return list(every[first:])


def best_share(trials: Sequence[Trial], tuning: TuningResult, factor: int) -> list[Trial]:
    """Return the best share of the trials, one in `factor`; of equal scores, the earlier ones."""
    scored = [(trial.score.mean, trial) for trial in trials if trial.score is not None]
    ranked = sorted(scored, key=lambda one: -sign(tuning.goal) * one[0])
    return [trial for _, trial in ranked[: math.ceil(len(trials) / factor)]]
