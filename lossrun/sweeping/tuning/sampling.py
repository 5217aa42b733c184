"""Draw values where earlier ones did well, by Optuna's tree-structured Parzen estimator (TPE).

Bergstra and others, "Algorithms for Hyper-Parameter Optimization", 2011. The sampler proposes a few values at a time
for each pair. Its proposals depend on the plan and the scores alone, so a sweep that was killed gets the same ones.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lossrun.analysis.sweeps.trials import Trial, key_of
from lossrun.analysis.sweeps.tuning import PairTuning, TuningResult
from lossrun.catalog.metric_names import Goal, sign
from lossrun.records.sweep_directory import PlannedCell
from lossrun.sweeping.search_space.ranges import Span, unseen
from lossrun.sweeping.search_space.space import AT_A_TIME
from lossrun.sweeping.tuning.adding import Wanted, added_cells
from lossrun.sweeping.tuning.extending import config_with_value

_ASKED: Final = 10  # attempts to get one new value, because the sampler may propose integers that were tried already
_SEEDS_OF_A_REPETITION: Final = 1_000_000  # of samplers
_WORSE: Final = 2.0  # a diverged value counts as this many spreads of the scores worse than the worst


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a sweep draws values, as recorded in its ledger under `sampler`.

    Attributes:
        samples: The number of values for each pair.
        seed: Of the sampler.
        spans: {key: [low, high, whether on a logarithmic scale, whether integers]}; older sweeps lack the last one.
        at_a_time: How many values are drawn before the next ones are, after the first.
    """

    samples: int
    seed: int
    spans: Mapping[str, Sequence[Any]]
    at_a_time: int = AT_A_TIME


def sampled_cells(sampling: Sampling, tuning: TuningResult, planned: Sequence[PlannedCell]) -> list[PlannedCell]:
    """Return the next cells of each pair; none once every pair has its number of values.

    Where tuning is repeated, each repetition draws by what it has found itself.
    """
    return added_cells(lambda found, number: _drawn(sampling, found, number), tuning, planned)


def _drawn(sampling: Sampling, tuning: TuningResult, repetition: int) -> Iterator[Wanted]:
    for number, pair in enumerate(tuning.pairs):
        room = min(sampling.at_a_time, sampling.samples - len(pair.trials))
        if room <= 0:
            continue
        first = (pair.every or pair.trials)[0].cell
        seed = sampling.seed + 1_000 * number + len(pair.trials) + _SEEDS_OF_A_REPETITION * repetition
        for values in _proposed(sampling, pair, tuning, seed, room):
            config = first.config
            for key, value in values.items():
                config = config_with_value(config, key.split("."), value)
            yield Wanted(first.pair, {**first.changes, **values}, config)


def _proposed(
    sampling: Sampling, pair: PairTuning, tuning: TuningResult, seed: int, count: int
) -> list[dict[str, float]]:
    """Return what the sampler proposes for a pair, having seen its trials in the order of the plan."""
    import optuna

    spans = [Span(key, *facts) for key, facts in sampling.spans.items()]
    distributions: dict[str, optuna.distributions.BaseDistribution] = {
        span.key: optuna.distributions.IntDistribution(int(span.low), int(span.high), log=span.log)
        if span.whole
        else optuna.distributions.FloatDistribution(span.low, span.high, log=span.log)
        for span in spans
    }
    with warnings.catch_warnings():
        # Some of these options are experimental and may change, as any sampler may in a new version of Optuna.
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        # Proposals of one round do not know each other's scores; the constant liar keeps them from being too similar.
        sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=0, constant_liar=True)
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    known = {tuple(trial.values[span.key] for span in spans) for trial in pair.trials}
    found: list[dict[str, float]] = []
    try:
        study = optuna.create_study(sampler=sampler)
        for trial, outcome in zip(pair.trials, _outcomes(pair, tuning), strict=True):
            # A sampler accepts no value outside its range, and older sweeps may have rounded a value beyond it.
            values = {span.key: min(max(trial.values[span.key], span.low), span.high) for span in spans}
            study.add_trial(optuna.trial.create_trial(params=values, distributions=distributions, **outcome))
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


def _outcomes(pair: PairTuning, tuning: TuningResult) -> list[dict[str, Any]]:
    """Return how each trial ended, in Optuna's words.

    What halving has stopped early is pruned: it is worse than whatever was trained for longer, and otherwise judged by
    its last score.
    """
    import optuna

    whole = [trial for trial in pair.trials if not _is_short(trial, tuning)]
    errors = iter(_errors(whole, tuning.goal))
    last = {key_of(trial.values): trial for trial in pair.every}
    outcomes: list[dict[str, Any]] = []
    for trial in pair.trials:
        if not _is_short(trial, tuning):
            outcomes.append({"value": next(errors)})
            continue
        run = last[key_of(trial.values)]
        seen = {} if run.score is None else {run.cell.config["epochs"]: -sign(tuning.goal) * run.score.mean}
        outcomes.append({"state": optuna.trial.TrialState.PRUNED, "intermediate_values": seen})
    return outcomes


def _is_short(trial: Trial, tuning: TuningResult) -> bool:
    return bool(tuning.rounds) and trial.cell.config["epochs"] < tuning.rounds[-1]


def _errors(trials: Sequence[Trial], goal: Goal) -> list[float]:
    """Return the scores, the lower the better; one that diverged is worse than all."""
    scores = [None if trial.score is None else -sign(goal) * trial.score.mean for trial in trials]
    known = [score for score in scores if score is not None] or [0.0]
    lost = max(known) + _WORSE * (max(known) - min(known) or 1.0)
    return [lost if score is None else score for score in scores]
