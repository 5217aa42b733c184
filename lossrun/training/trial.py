"""Try settings from the first weights of a seed, so that lossrun only advises settings that train."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf, isfinite, prod
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from lossrun.catalog import DataFacts
from lossrun.config import Config, from_mapping, resolve
from lossrun.config.overrides import key_of
from lossrun.errors import ConfigError
from lossrun.health.circumstances import Settings, share_of
from lossrun.health.floors import floors
from lossrun.lint.size import layers
from lossrun.steps.evaluate import output_spec_of
from lossrun.steps.randomness import undisturbed
from lossrun.steps.replica import Replica
from lossrun.steps.samples import Parts
from lossrun.steps.seed_group import LoneSeed
from lossrun.steps.step import EagerStep
from lossrun.training import build
from lossrun.training.epoch_sums import EpochSums
from lossrun.training.session import Position, Session
from lossrun.training.short_training import train_briefly

# The most updates of one trial. A rate that is too high shows it in the first dozens.
STEPS: Final = 100
# The budget of all trials for one diagnosis: the updates of the run, or updates that take a few seconds. The time of a
# small network depends on its calls, that of a large one on its multiplications.
MOST_STEPS: Final = 2000
MOST_MULTIPLICATIONS: Final = 1e11
# Forward, and twice as much backward.
PASSES: Final = 3
# If the budget is small, each of this many trials gets fewer updates, but not fewer than LEAST_STEPS.
TRIALS: Final = 8
LEAST_STEPS: Final = 25
# How far above its lowest value the loss may end; further above, the settings only seemed to work.
BOUNCED: Final = 1.5
# The most input values that are standardized for a trial.
MOST_NUMBERS: Final = 1 << 24
# The only key of the data that a trial may change.
STANDARDIZE: Final = "dataset.standardize"


@dataclass(slots=True)
class SettingsTrial:
    """Tries settings for one seed of a lone run. The run itself and its random numbers stay as they are.

    Attributes:
        tried: {settings: the loss} of what has been tried for any seed, which is not tried again.
        spent: The updates of the trials for this seed, including trials that another seed has already made, so that the
            advice for a seed does not depend on other seeds or on where a run was resumed.
    """

    session: Session
    replica: Replica
    tried: dict[Settings, float]
    spent: int = 0

    def __call__(self, several: Sequence[Settings]) -> dict[Settings, float]:
        """Return {settings: the loss after some steps from the first weights}, for settings that can be tried.

        The loss is a share of the best constant output's loss, so that different losses and scales of targets can be
        compared; infinity where the settings do not train. The user's own component is not tried, because its code
        may do more than train. Nor are settings for which no time is left.
        """
        config = self.session.config
        if config.model.is_plugin or config.loss.is_plugin or config.optimizer.is_plugin:
            return {}
        with undisturbed(self.session.device), torch.enable_grad():
            shares = {settings: self._share(settings) for settings in several}
        found = {settings: share for settings, share in shares.items() if share is not None}
        self.tried |= found
        return found

    def _share(self, settings: Settings) -> float | None:
        facts = self.session.facts
        keys = [key_of(setting) for setting in settings]
        if any(key.startswith("dataset") and not key.startswith(STANDARDIZE) for key in keys):
            return None
        try:
            config = resolve(from_mapping(self.session.config.to_mapping(), Path(), settings).config, facts)
        except ConfigError:
            return None
        steps = self._steps(config)
        if self.spent + steps > _most_steps(self.session.config, facts):
            return None
        self.spent += steps
        if settings in self.tried:
            return self.tried[settings]
        if (parts := self._parts(config)) is None:
            return None
        session = self._from_first_weights(config, parts)
        constant = floors(session.replicas[0], session.output_spec, config).constant
        return share_of(constant, self._loss(session, steps, config.learning_rate))

    def _parts(self, config: Config) -> Parts | None:
        """Return the data as the settings standardize them; None if there are too many."""
        parts, train = self.replica.parts, self.replica.parts.train
        before, now = (one.dataset.parameters.get("standardize") or {} for one in (self.session.config, config))
        if before == now:
            return parts
        if train.inputs.numel() > MOST_NUMBERS or any(before.get(key) and not now.get(key) for key in before):
            return None
        if now.get("inputs") and not before.get("inputs"):
            inputs = train.scaled(train.inputs)
            train = replace(train, inputs=_standardized(inputs, images=inputs.ndim > 2), scale=None)
        if now.get("targets") and not before.get("targets") and self.session.facts.task == "regression":
            train = replace(train, targets=_standardized(train.targets, images=False))
        return replace(parts, train=train)

    def _from_first_weights(self, config: Config, parts: Parts) -> Session:
        """Return a session of this seed alone, on the same samples."""
        run = self.session
        place = build.Workplace(run.device, parts.train.dtype, Path())
        fresh = build.replica(config, run.facts, self.replica.seed, parts, place)
        group = LoneSeed(fresh)
        return replace(
            run,
            members=[replace(run.lone, config=config, replicas=[fresh])],
            output_spec=output_spec_of(config, run.facts),
            replicas=[fresh],
            groups=[group],
            step=EagerStep(group),
            scorers=[],
            sums=EpochSums.zero(config.steps_per_epoch(run.facts.train), 1, run.device),
            position=Position(),
        )

    def _steps(self, config: Config) -> int:
        """Return the number of updates of one trial."""
        facts = self.session.facts
        share = max(LEAST_STEPS, _most_steps(self.session.config, facts) // TRIALS)
        return min(STEPS, share, config.epochs * config.steps_per_epoch(facts.train))

    def _loss(self, session: Session, steps: int, rate: float) -> float:
        each = [losses.detach().clone() for losses in train_briefly(session, steps, lambda _: [rate])]
        values = torch.cat(each).double().cpu()
        last = max(steps // 10, 1)
        end = float(values[-last:].mean())
        lowest = min(float(values[start : start + last].mean()) for start in range(0, steps - last + 1, last))
        return end if isfinite(end) and end - lowest <= (BOUNCED - 1) * abs(lowest) else inf


def _most_steps(config: Config, facts: DataFacts) -> int:
    """Return the most updates that all trials together may make."""
    size = facts.train if config.batch_size == "full" else config.batch_size
    # Each weight of a convolution is used at each position of its output.
    weights = sum(row.parameters * prod(row.output_shape[1:]) for row in layers(config, facts))
    affordable = int(MOST_MULTIPLICATIONS / (PASSES * max(weights, 1) * min(size, facts.train)))
    return max(config.epochs * config.steps_per_epoch(facts.train), min(affordable, MOST_STEPS))


def _standardized(values: Tensor, *, images: bool) -> Tensor:
    """Return values of mean 0 and standard deviation 1 in each column, or over all pixels."""
    axes = tuple(range(values.ndim)) if images else (0,)
    wide = values.double()
    std = wide.std(dim=axes, keepdim=True, unbiased=False)
    return ((wide - wide.mean(dim=axes, keepdim=True)) / std.where(std > 0, torch.ones_like(std))).to(values.dtype)
