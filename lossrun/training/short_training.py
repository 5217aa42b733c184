"""Short trainings that leave nothing behind, and learning rates that are tried by them while a run trains."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import inf, isfinite
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from lossrun.config import Config
from lossrun.steps.randomness import undisturbed
from lossrun.steps.replica import Replica
from lossrun.steps.seed_group import LoneSeed
from lossrun.steps.step import EagerStep
from lossrun.training import build
from lossrun.training.epoch_sums import EpochSums
from lossrun.training.session import MemberRun, Position, Session

# Updates that a rate is tried for, at most. A rate that is too high shows it in the first dozens.
STEPS: Final = 100
# How far above its lowest value the loss may end; further above, the rate only seemed to work.
BOUNCED: Final = 1.5


def train_briefly(session: Session, steps: int, rates: Callable[[int], Sequence[float]]) -> Iterator[Tensor]:
    """Train a new session for some steps, epoch after epoch, and write nothing.

    Args:
        rates: The learning rate of each seed at the update that follows so many others.

    Yields:
        The losses of each step, (seeds,), valid until the next step.
    """
    position = session.position
    while position.step < steps:
        session.begin_epoch()
        for start, stop in session.remaining_batches():
            losses = session.step(start, stop, rates(position.step))
            position.step += 1
            yield losses
            if position.step == steps:
                return
        position.epoch += 1


@dataclass(frozen=True, slots=True)
class RateTrial:
    """Tries learning rates for one seed of a run, so that advice about the rate is advice that trains.

    The run itself and its random numbers stay as they are.
    """

    session: Session
    member: MemberRun
    replica: Replica

    def __call__(self, rates: Sequence[float]) -> dict[float, float]:
        """Return {rate: the loss after some steps from the first weights}; infinity for a rate that does not train.

        A component of the user's own is not tried, because its code may do more than train: then {} is returned.
        """
        config = self.member.config
        if config.model.is_plugin or config.loss.is_plugin or config.optimizer.is_plugin:
            return {}
        with undisturbed(self.session.device), torch.enable_grad():
            return {rate: self._loss(rate) for rate in rates}

    def _loss(self, rate: float) -> float:
        config = replace(self.member.config, learning_rate=rate)
        steps = min(STEPS, config.epochs * self.session.steps_per_epoch)
        session = self._from_first_weights(config)
        each = [losses.detach().clone() for losses in train_briefly(session, steps, lambda _: [rate])]
        values = torch.cat(each).double().cpu()
        last = max(steps // 10, 1)
        end = float(values[-last:].mean())
        lowest = min(float(values[start : start + last].mean()) for start in range(0, steps - last + 1, last))
        return end if isfinite(end) and end <= BOUNCED * lowest else inf

    def _from_first_weights(self, config: Config) -> Session:
        """A session of this seed alone, with the same data."""
        run, parts = self.session, self.replica.parts
        place = build.Workplace(run.device, parts.train.dtype, Path())
        fresh = build.replica(config, run.facts, self.replica.seed, parts, place)
        group = LoneSeed(fresh)
        return replace(
            run,
            members=[replace(self.member, config=config, replicas=[fresh], first=0)],
            replicas=[fresh],
            groups=[group],
            step=EagerStep(group),
            scorers=[],
            sums=EpochSums.zero(run.steps_per_epoch, 1, run.device),
            position=Position(),
        )
