"""Train for a short time, without a run: how well a config does after some steps, and how long an epoch takes."""

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import torch

from lossrun.experiment import Experiment
from lossrun.plugins.calling import own_code_told
from lossrun.records.run_directory import RunDirectory
from lossrun.training.process.isolation import isolated
from lossrun.training.session import Session
from lossrun.training.short_training import train_briefly
from lossrun.training.starting.prepare import prepare
from lossrun.training.starting.start import session_of

LOOKS: Final = 5  # how often a short training is scored at least


@own_code_told("in a short training")
@isolated()
def best_scores(experiment: Experiment, steps: int) -> list[float]:
    """Train every seed from its first weights, and return its best value of the metric that chooses the best epoch.

    Like a run, it is scored after every epoch, and a training of a few epochs more often: large rates often do best
    early. A schedule is squeezed: it goes through its whole course in `steps` updates. Early stopping and
    `reduce_on_plateau` do nothing.

    Returns:
        For each seed its score; NaN for all if one diverged.
    """
    # The run has no directory, because nothing is written.
    session = session_of(prepare(experiment), [RunDirectory(Path())], [None])
    metric = session.config.best.metric
    upward = 1 if session.config.best.mode == "max" else -1
    stretch = session.config.epochs * session.steps_per_epoch / steps
    looks = {math.ceil(steps * look / LOOKS) for look in range(1, LOOKS + 1)}
    looks.update(range(session.steps_per_epoch, steps, session.steps_per_epoch))
    best = [-math.inf] * len(session.replicas)
    losses, since = torch.zeros(len(session.replicas), dtype=torch.float64, device=session.device), 0
    for each in train_briefly(session, steps, lambda step: session.rates(int(step * stretch))):
        losses, since = losses + each, since + 1
        if session.position.step in looks:
            means = (losses / since).tolist()
            scores = _scores(session, metric, means)
            if not all(map(math.isfinite, [*means, *scores])):
                return [math.nan] * len(session.replicas)
            best = [max(before, upward * score) for before, score in zip(best, scores, strict=True)]
            losses.zero_()
            since = 0
    return [upward * score for score in best]


@own_code_told("in a short training")
@isolated()
def epoch_seconds(experiment: Experiment, at_most: float = 0.5) -> float:
    """Return about how long an epoch takes, with its validation, from the steps of about `at_most` seconds."""
    session = session_of(prepare(experiment), [RunDirectory(Path())], [None])
    session.begin_epoch()
    batches = list(session.remaining_batches())
    for start, stop in batches[:3]:  # the first steps are recorded, and take longer
        session.step(start, stop, session.rates(0))
    session.validate()
    begun, steps = time.perf_counter(), 0
    while steps < len(batches) and time.perf_counter() - begun < at_most:
        session.step(*batches[steps], session.rates(0))
        steps += 1
    trained = time.perf_counter()
    session.validate()
    return (trained - begun) / steps * len(batches) + time.perf_counter() - trained


def _scores(session: Session, metric: str, train_losses: Sequence[float]) -> list[float]:
    """Return the metric now, for each seed; the training loss is the mean since the last call."""
    if metric == "train_loss":
        return list(train_losses)
    validation = session.validate()
    return [validation[place][metric] for place in range(len(session.replicas))]
