"""Drawing values where earlier ones did well: Optuna's tree-structured Parzen estimator (TPE).

Bergstra and others, "Algorithms for Hyper-Parameter Optimization", 2011. The sampler proposes a few values at a time
for each pair. What it proposes follows from the plan and the scores alone: a sweep that was killed proposes the same.
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
_ASKED: Final = 10  # times that the sampler is asked for one value, where it proposes integers that are known already
_WORSE: Final = 2.0  # a value that diverged counts as so many times the spread of the scores worse than the worst


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a sweep draws: what its ledger says under `sampler`.

    Attributes:
        samples: The number of values for each pair.
        seed: Of the sampler.
        spans: {key: [low, high, whether on a logarithmic scale, whether integers]}; older sweeps lack the last one.
    """

    samples: int
    seed: int
    spans: Mapping[str, Sequence[Any]]


def sampled_cells(sampling: Sampling, tuning: TuningResult, planned: Sequence[PlannedCell]) -> list[PlannedCell]:
    """Return the next cells of each pair; none once every pair has its number of values."""
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
    """Return what the sampler proposes for a pair, having seen its trials in the order of the plan."""
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
        # Some options of the sampler may still change, which a new version of Optuna may do anyway.
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        # Proposals of one round do not know each other's scores: the liar keeps them apart.
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
            # A sampler takes nothing outside of its range, and older sweeps may have rounded a value to there.
            values = {span.key: min(max(trial.values[span.key], span.low), span.high) for span in spans}
            study.add_trial(optuna.trial.create_trial(params=values, distributions=distributions, value=error))
        for _ in range(count * _ASKED):
            if len(found) == count:
                break
            asked = study.ask(distributions)
            # A value that is known already would cost a training and tell nothing.
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
