"""Train for a short time, without a run: how well a config does after some steps, and how long an epoch takes."""

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import torch

from lossrun.experiment import Experiment
from lossrun.plugins.calling import own_code_errors
from lossrun.records.run_directory import RunDirectory
from lossrun.training.process.isolation import isolated
from lossrun.training.short_training import train_briefly
from lossrun.training.starting.prepare import prepare_stack
from lossrun.training.starting.start import session_of

LOOKS: Final = 5  # how often a short training is scored at least


@own_code_errors("in a short training")
@isolated()
def best_scores(experiments: Sequence[Experiment], steps: int, metric: str) -> list[list[float]]:
    """Train every seed of some experiments from its initial weights, and return its score where it did best.

    Like a run, it is scored after every epoch, and a training of a few epochs more often: large rates often do best
    early. A schedule is squeezed: it goes through its whole course in `steps` updates. Early stopping and
    `reduce_on_plateau` do nothing.

    Args:
        experiments: They may be trained as one stack: they differ only in their learning rates.
        metric: The column that scores. As in a run, `best.metric` says where a seed did best.

    Returns:
        For each experiment the score of each seed; NaN for a seed that diverged.
    """
    # The runs have no directories, because nothing is written.
    nowhere = [RunDirectory(Path()) for _ in experiments]
    session = session_of(prepare_stack(experiments), nowhere, [None] * len(experiments))
    chooses, upward = session.config.best.metric, 1 if session.config.best.mode == "max" else -1
    stretch = session.config.epochs * session.steps_per_epoch / steps
    looks = {math.ceil(steps * look / LOOKS) for look in range(1, LOOKS + 1)}
    looks.update(range(session.steps_per_epoch, steps, session.steps_per_epoch))
    seeds = len(session.replicas)
    best, scores, good = [-math.inf] * seeds, [math.nan] * seeds, [True] * seeds
    losses, since = torch.zeros(seeds, dtype=torch.float64, device=session.device), 0
    for each in train_briefly(session, steps, lambda step: session.rates(int(step * stretch))):
        losses, since = losses + each, since + 1
        if session.position.step not in looks:
            continue
        means = (losses / since).tolist()
        validation = session.validate()
        for place, mean in enumerate(means):
            row = {"train_loss": mean, **validation.get(place, {})}
            good[place] &= all(map(math.isfinite, (mean, row[chooses], row[metric])))
            if upward * row[chooses] > best[place]:
                best[place], scores[place] = upward * row[chooses], row[metric]
        if not any(good):
            break
        losses.zero_()
        since = 0
    left = iter(score if fine else math.nan for score, fine in zip(scores, good, strict=True))
    return [[next(left) for _ in member.replicas] for member in session.members]


@own_code_errors("in a short training")
@isolated()
def epoch_seconds(experiments: Sequence[Experiment], at_most: float = 0.5) -> float:
    """Return about how long an epoch of a stack takes, with its validation, from the steps of about `at_most` seconds.

    Args:
        experiments: They may be trained as one stack.
    """
    nowhere = [RunDirectory(Path()) for _ in experiments]
    session = session_of(prepare_stack(experiments), nowhere, [None] * len(experiments))
    session.begin_epoch()
    batches = list(session.remaining_batches())
    for start, stop in batches[:3]:  # the first steps are recorded, and take longer
        session.step(start, stop, session.rates(0))
    session.validate()
    begun, steps = time.perf_counter(), 0
    while steps < len(batches) and time.perf_counter() - begun < at_most:
        taken = batches[steps : steps + session.step.ahead]
        losses = session.sums.losses[: len(taken)]
        session.step.several(taken, [session.rates(0)] * len(taken), losses)
        steps += len(taken)
    trained = time.perf_counter()
    session.validate()
    return (trained - begun) / steps * len(batches) + time.perf_counter() - trained
