"""Draw values where earlier ones did well, by Optuna's tree-structured Parzen estimator (TPE).

Bergstra and others, "Algorithms for Hyper-Parameter Optimization", 2011. The sampler proposes a few values at a time
for each pair. Its proposals depend on the plan and the scores alone, so a sweep that was killed gets the same ones.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lossrun.analysis.sweeps.trials import Trial
from lossrun.analysis.sweeps.tuning import PairTuning, TuningResult
from lossrun.analysis.values.metric_names import Goal, sign
from lossrun.records.sweep_directory import PlannedCell
from lossrun.sweeping.extending import config_with_value
from lossrun.sweeping.plan import tuning_line
from lossrun.sweeping.search_space.ranges import Span, unseen

AT_A_TIME: Final = 5  # values that are trained side by side afterwards
_ASKED: Final = 10  # attempts to get one new value, because the sampler may propose integers that were tried already
_WORSE: Final = 2.0  # a diverged value counts as this many spreads of the scores worse than the worst


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a sweep draws values, as recorded in its ledger under `sampler`.

    Attributes:
        samples: The number of values for each pair.
        seed: Of the sampler.
        spans: {key: [low, high, whether on a logarithmic scale, whether integers]}; older sweeps lack the last one.
    """

    samples: int
    seed: int
    spans: Mapping[str, Sequence[Any]]


def sampled_cells(sampling: Sampling, tuning: TuningResult, planned: Sequence[PlannedCell]) -> list[PlannedCell]:
    """Return the next cells of each pair; no cells once every pair has its number of values."""
    found: list[PlannedCell] = []
    for number, pair in enumerate(tuning.pairs):
        room = min(AT_A_TIME, sampling.samples - len(pair.trials))
        for values in _proposed(sampling, pair, tuning.goal, number, room) if room > 0 else ():
            cell = pair.trials[0].cell
            config = cell.config
            for key, value in values.items():
                config = config_with_value(config, key.split("."), value)
            found.append(tuning_line(len(planned) + len(found) + 1, cell.pair, {**cell.changes, **values}, config))
    return found


def _proposed(sampling: Sampling, pair: PairTuning, goal: Goal, number: int, count: int) -> list[dict[str, float]]:
    """Return the sampler's proposals for a pair, given its trials in the order of the plan."""
    import optuna

    spans = [Span(key, *facts) for key, facts in sampling.spans.items()]
    distributions: dict[str, optuna.distributions.BaseDistribution] = {
        span.key: optuna.distributions.IntDistribution(int(span.low), int(span.high), log=span.log)
        if span.whole
        else optuna.distributions.FloatDistribution(span.low, span.high, log=span.log)
        for span in spans
    }
    errors = _errors(pair.trials, goal)
    with warnings.catch_warnings():
        # Some of these options are experimental and may change, as any sampler may in a new version of Optuna.
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        # Proposals of one round do not know each other's scores; the constant liar keeps them from being too similar.
        sampler = optuna.samplers.TPESampler(
            seed=sampling.seed + 1_000 * number + len(pair.trials), n_startup_trials=0, constant_liar=True
        )
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    known = {tuple(trial.values[span.key] for span in spans) for trial in pair.trials}
    found: list[dict[str, float]] = []
    try:
        study = optuna.create_study(sampler=sampler)
        for trial, error in zip(pair.trials, errors, strict=True):
            # A sampler accepts no value outside its range, and older sweeps may have rounded a value beyond it.
            values = {span.key: min(max(trial.values[span.key], span.low), span.high) for span in spans}
            study.add_trial(optuna.trial.create_trial(params=values, distributions=distributions, value=error))
        for _ in range(count * _ASKED):
            if len(found) == count:
                break
            asked = study.ask(distributions)
            # A value that was tried already would cost a training and add no information.
            if (new := unseen(spans, [asked.params[span.key] for span in spans], known)) is not None:
                found.append(new)
    finally:
        optuna.logging.set_verbosity(before)
    return found


def _errors(trials: Sequence[Trial], goal: Goal) -> list[float]:
    """Return the scores, the lower the better; one that diverged is worse than all."""
    scores = [None if trial.score is None else -sign(goal) * trial.score.mean for trial in trials]
    known = [score for score in scores if score is not None] or [0.0]
    lost = max(known) + _WORSE * (max(known) - min(known) or 1.0)
    return [lost if score is None else score for score in scores]
