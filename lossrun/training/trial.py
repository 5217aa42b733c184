"""Try settings from the initial weights of a seed, so that lossrun only advises settings that train."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf, isfinite, prod
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from lossrun.config import Config, from_mapping, resolve
from lossrun.config.overrides import key_of
from lossrun.errors import ConfigError
from lossrun.health.circumstances import BRIEFLY, Settings, share_of
from lossrun.health.floors import floors
from lossrun.lint.size import layers
from lossrun.steps.evaluate import output_spec_of
from lossrun.steps.randomness import undisturbed
from lossrun.steps.replica import Replica
from lossrun.steps.samples import Parts, Samples
from lossrun.steps.seed_group import LoneSeed
from lossrun.steps.step import EagerStep
from lossrun.training import build
from lossrun.training.epoch_sums import EpochSums
from lossrun.training.session import Position, Session
from lossrun.training.short_training import train_briefly

# The budget of all trials for one diagnosis: the updates of the run, or updates that take a few seconds. A small
# network takes time for its calls, a large one for its multiplications.
MOST_STEPS: Final = 4000
MOST_MULTIPLICATIONS: Final = 1e11
# Forward, and twice as much backward.
PASSES: Final = 3
# If the budget is small, each of this many trials gets fewer updates, but not fewer than LEAST_STEPS.
TRIALS: Final = 8
LEAST_STEPS: Final = 25
# How far above its lowest value the loss may end; further above, the settings only seemed to work.
BOUNCED: Final = 1.5
# Samples on which the loss is computed at the end of a trial.
LOOKED_AT: Final = 1024
# The most input values that are standardized for a trial.
MOST_NUMBERS: Final = 1 << 24
# The only key of the data that a trial may change.
STANDARDIZE: Final = "dataset.standardize"


@dataclass(slots=True)
class SettingsTrial:
    """Tries settings for one seed of a lone run. The run itself and its random numbers stay as they are.

    Attributes:
        tried: {(settings, updates): the loss on training and on validation data} of what has been tried for any seed,
            which is not tried again.
        spent: The updates of the trials for this seed, including trials that another seed has already made, so that the
            advice for a seed does not depend on other seeds or on where a run was resumed.
    """

    session: Session
    replica: Replica
    tried: dict[tuple[Settings, int], tuple[float, float]]
    spent: int = 0

    def __call__(
        self, several: Sequence[Settings], steps: int = BRIEFLY, *, held_out: bool = False
    ) -> dict[Settings, float]:
        """Return {settings: the loss after some steps from the initial weights}, for settings that can be tried.

        The loss is a share of the best constant output's loss, so that different losses and scales of targets can be
        compared; infinity where the settings do not train. Settings are left out where no time is left for them, and
        where the user's own component fails with them.

        Args:
            steps: Updates that each is tried for, at most.
            held_out: Whether the loss on validation data counts where it is higher.
        """
        with undisturbed(self.session.device), torch.enable_grad():
            shares = {settings: self._shares(settings, steps) for settings in several}
        return {settings: max(each) if held_out else each[0] for settings, each in shares.items() if each is not None}

    def _shares(self, settings: Settings, most: int) -> tuple[float, float] | None:
        """Return the loss on training and on validation data; None where the settings cannot be tried."""
        facts = self.session.facts
        keys = [key_of(setting) for setting in settings]
        if any(key.startswith("dataset") and not key.startswith(STANDARDIZE) for key in keys):
            return None
        try:
            config = resolve(from_mapping(self.session.config.to_mapping(), Path(), settings).config, facts)
        except ConfigError:
            return None
        steps = self._steps(config, most)
        if self.spent + steps > self._most_steps():
            return None
        self.spent += steps
        if (settings, steps) in self.tried:
            return self.tried[settings, steps]
        if (parts := self._parts(config)) is None:
            return None
        shares = self._tried(config, parts, steps)
        if shares is not None:
            self.tried[settings, steps] = shares
        return shares

    def _tried(self, config: Config, parts: Parts, steps: int) -> tuple[float, float] | None:
        own = config.model.is_plugin or config.loss.is_plugin or config.optimizer.is_plugin
        try:
            session = self._from_initial_weights(config, parts)
            constant = floors(session.replicas[0], session.output_spec, config).constant
            losses = _losses(session, steps, config.learning_rate)
            return share_of(constant, losses[0]), share_of(constant, losses[1])
        # A user's own code may raise anything at other settings. The run itself does not need them.
        except (Exception, SystemExit):
            if own:
                return None
            raise

    def _parts(self, config: Config) -> Parts | None:
        """Return the data as the settings standardize them; None if there are too many."""
        parts, train = self.replica.parts, self.replica.parts.train
        before, now = (one.dataset.parameters.get("standardize") or {} for one in (self.session.config, config))
        if before == now:
            return parts
        if train.inputs.numel() > MOST_NUMBERS or any(before.get(key) and not now.get(key) for key in before):
            return None
        inputs = bool(now.get("inputs") and not before.get("inputs"))
        targets = bool(now.get("targets") and not before.get("targets") and self.session.facts.task == "regression")
        held_out = parts.validation and _standardized(parts.validation, train, inputs=inputs, targets=targets)
        return replace(parts, train=_standardized(train, train, inputs=inputs, targets=targets), validation=held_out)

    def _from_initial_weights(self, config: Config, parts: Parts) -> Session:
        """Return a session of this seed alone, on the same samples."""
        run = self.session
        place = build.Workplace(run.device, parts.train.dtype, config_dir=None)
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

    def _steps(self, config: Config, most: int) -> int:
        """Return the number of updates of one trial."""
        share = max(LEAST_STEPS, self._most_steps() // TRIALS)
        return min(most, share, config.epochs * config.steps_per_epoch(self.session.facts.train))

    def _most_steps(self) -> int:
        """Return the most updates that all trials together may make."""
        config, facts = self.session.config, self.session.facts
        size = facts.train if config.batch_size == "full" else config.batch_size
        # Each weight of a convolution is used at each position of its output, which a user's own model does not tell.
        if config.model.is_plugin:
            weights = sum(weight.numel() for weight in self.replica.weights) * prod(facts.input_shape[1:])
        else:
            weights = sum(row.parameters * prod(row.output_shape[1:]) for row in layers(config, facts))
        affordable = int(MOST_MULTIPLICATIONS / (PASSES * max(weights, 1) * min(size, facts.train)))
        return max(config.epochs * config.steps_per_epoch(facts.train), min(affordable, MOST_STEPS))


def _losses(session: Session, steps: int, rate: float) -> tuple[float, float]:
    """Train and return the loss on training and on validation data; infinity where the settings do not train."""
    each = [losses.detach().clone() for losses in train_briefly(session, steps, lambda _: [rate])]
    values = torch.cat(each).double().cpu()
    last = max(steps // 10, 1)
    end = float(values[-last:].mean())
    lowest = min(float(values[start : start + last].mean()) for start in range(0, steps - last + 1, last))
    if not (isfinite(end) and end - lowest <= (BOUNCED - 1) * abs(lowest)):
        return inf, inf
    replica = session.replicas[0]
    held_out = replica.parts.validation
    # A few batches are too few samples to tell two settings apart.
    on_training = _loss_on(replica, replica.parts.train)
    # Batch norm cannot normalize a single sample.
    return on_training, _loss_on(replica, held_out) if held_out and len(held_out) > 1 else on_training


@torch.no_grad()
def _loss_on(replica: Replica, samples: Samples) -> float:
    """Return the objective on some samples, with dropout as in training."""
    few = samples.thinned(LOOKED_AT)
    inputs = few.scaled(few.inputs)
    outputs, _ = replace(replica, mixed=False).forward(inputs)
    loss = float(replica.objective(outputs, few.targets, few.weights))
    return loss if isfinite(loss) else inf


def _standardized(samples: Samples, train: Samples, *, inputs: bool, targets: bool) -> Samples:
    """Return samples with the inputs or targets shifted and scaled to the training part's mean 0 and deviation 1."""
    if inputs:
        scaled = train.scaled(train.inputs)
        values = _like(samples.scaled(samples.inputs), scaled, tuple(range(scaled.ndim)) if scaled.ndim > 2 else (0,))
        samples = replace(samples, inputs=values, scale=None)
    return replace(samples, targets=_like(samples.targets, train.targets, (0,))) if targets else samples


def _like(values: Tensor, train: Tensor, axes: tuple[int, ...]) -> Tensor:
    wide = train.double()
    std = wide.std(dim=axes, keepdim=True, unbiased=False)
    shifted = values.double() - wide.mean(dim=axes, keepdim=True)
    return (shifted / std.where(std > 0, torch.ones_like(std))).to(values.dtype)
