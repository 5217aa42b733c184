"""Learning rates tried from the first weights of a seed, so that advice about the rate is advice that trains."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf, isfinite
from pathlib import Path
from typing import Final

import torch

from lossrun.config import Config
from lossrun.steps.randomness import Purpose, order, seed_torch, undisturbed
from lossrun.steps.replica import Replica
from lossrun.steps.seed_group import LoneSeed
from lossrun.steps.step import EagerStep
from lossrun.training import build
from lossrun.training.session import Session

# Updates that a rate is tried for, at most. A rate that is too high shows it in the first dozens.
STEPS: Final = 100
# How far above its lowest value the loss may end; further above, the rate only seemed to work.
BOUNCED: Final = 1.5


@dataclass(frozen=True, slots=True)
class RateTrial:
    """Tries learning rates for one seed of a run. The run itself and its random numbers stay as they are."""

    session: Session
    config: Config
    replica: Replica

    def __call__(self, rates: Sequence[float]) -> dict[float, float]:
        """Return {rate: the loss after some steps from the first weights}; infinity for a rate that does not train.

        A component of the user's own is not tried, because its code may do more than train: then {} is returned.
        """
        config = self.config
        if config.model.is_plugin or config.loss.is_plugin or config.optimizer.is_plugin:
            return {}
        with undisturbed(self.session.device), torch.enable_grad():
            return {rate: self._loss(rate) for rate in rates}

    def _loss(self, rate: float) -> float:
        session, seed = self.session, self.replica.seed
        place = build.Workplace(session.device, self.replica.parts.train.dtype, Path())
        config = replace(self.config, learning_rate=rate)
        fresh = build.replica(config, session.facts, seed, self.replica.parts, place)
        step, size, per_epoch = EagerStep(LoneSeed(fresh)), session.batch_size, session.steps_per_epoch
        count = min(STEPS, config.epochs * per_epoch)
        losses = []
        for number in range(count):
            epoch, place_in_epoch = divmod(number, per_epoch)
            if place_in_epoch == 0:
                fresh.order = order(seed, epoch + 1, session.facts.train, config.shuffle).to(session.device)
                seed_torch(seed, Purpose.DROPOUT, epoch + 1, session.device)
                fresh.generator_state = None
                step.begin_epoch()
            start = place_in_epoch * size
            losses.append(step(start, min(start + size, session.facts.train), [rate]).detach().clone())
        values = torch.cat(losses).double().cpu()
        last = max(count // 10, 1)
        end = float(values[-last:].mean())
        lowest = min(float(values[start : start + last].mean()) for start in range(0, count - last + 1, last))
        return end if isfinite(end) and end <= BOUNCED * lowest else inf
