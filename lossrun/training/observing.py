"""Collect what an epoch showed of each seed, in the form that `health/examine.py` judges."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any, NamedTuple

import torch

from lossrun.config import Config
from lossrun.health.circumstances import Circumstances, Settings, TryOut, try_nothing
from lossrun.health.examine import SeedEpoch, is_finite
from lossrun.health.floors import Floors, floors
from lossrun.health.output_checks import StackOutputs
from lossrun.health.window import Window
from lossrun.steps.evaluate import OutputSpec
from lossrun.steps.replica import Replica
from lossrun.steps.seed_stack import SeedStack
from lossrun.training.epoch_sums import EpochSums
from lossrun.training.session import Position, Session
from lossrun.training.trial import SettingsTrial


class ReadSums(NamedTuple):
    """The sums of an epoch, read from the device, for each seed at its place in the session.

    Attributes:
        first_losses: In the epoch's first step.
        recent_losses: Towards its end.
        gradient_norms: Of its last step.
        rates: Of its last step.
    """

    train_losses: Sequence[float]
    first_losses: Sequence[float]
    recent_losses: Sequence[float]
    gradient_norms: Sequence[float]
    first_gradient_norms: Sequence[float]
    rates: Sequence[float]


def read_sums(sums: EpochSums) -> ReadSums:
    """Read the sums of all seeds at once, because reading waits for the device."""
    each = (sums.mean(), sums.first(), sums.recent(), sums.gradient_norm, sums.first_gradient_norm)
    read: tuple[list[float], list[float], list[float], list[float], list[float]] = tuple(torch.stack(each).tolist())
    return ReadSums(*read, sums.rates.tolist())


@dataclass(frozen=True, slots=True)
class MeasuredEpoch:
    """What an epoch measured.

    Attributes:
        validation: The validation columns of each seed, by its place in the session.
        seconds: Shared by the seeds that train together, like `train_seconds`, its training part.
    """

    sums: ReadSums
    validation: Mapping[int, Mapping[str, float]]
    seconds: float
    train_seconds: float

    def row(self, position: Position, place: int, seed: int, split: int | None = None) -> dict[str, Any]:
        """Return the history row of one seed. `split`: the number of its split, where a run has several."""
        return {
            "epoch": position.epoch,
            "step": position.step,
            "seed": seed,
            **({} if split is None else {"split": split}),
            "train_loss": self.sums.train_losses[place],
            **self.validation.get(place, {}),
            "learning_rate": self.sums.rates[place],
            "grad_norm": self.sums.gradient_norms[place],
            "seconds": self.seconds,
            "train_seconds": self.train_seconds,
        }


@dataclass(slots=True)
class KnownFloors:
    """The floors of each seed's training data, computed when first asked for.

    Attributes:
        notes: Sentences about floors that cannot be computed, until `take_notes` takes them.
        tried: {(settings, updates): the losses}, of the settings that have been tried.
    """

    config: Config
    spec: OutputSpec
    by_parts: dict[int, Floors | None] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    tried: dict[tuple[Settings, int], tuple[float, float]] = field(default_factory=dict)

    def of(self, replica: Replica) -> Floors | None:
        """Return the floors of the seed's training data; None if the user's own loss fails on them."""
        key = id(replica.parts)  # seeds with the same data share them
        if key not in self.by_parts:
            self.by_parts[key] = self._computed(replica)
        return self.by_parts[key]

    def trial(self, session: Session, replica: Replica) -> TryOut:
        """Return a function that tries settings for a seed. No settings are tried for a second seed.

        In a stack nothing is tried: many values of a sweep train badly, and the sweep itself tries others.
        """
        return try_nothing if session.stack is not None else SettingsTrial(session, replica, self.tried)

    def take_notes(self) -> list[str]:
        notes, self.notes = self.notes, []
        return notes

    def _computed(self, replica: Replica) -> Floors | None:
        if not self.config.loss.is_plugin:
            return floors(replica, self.spec, self.config)
        try:
            return floors(replica, self.spec, self.config)
        except Exception as error:
            # A user's own loss may raise anything when it gets the same outputs for every sample, which the preflight
            # did not try. Training goes on without floors.
            if None not in self.by_parts.values():  # said once, not for each seed's split
                self.notes.append(
                    f"loss: {self.config.loss.name} fails on outputs that are the same for every sample "
                    f"({type(error).__name__}: {error}), so plateaus and doubled activations cannot be found"
                )
            return None


def stack_outputs(session: Session) -> dict[int, StackOutputs]:
    """Return, for each stacked seed by its place, the object that computes its outputs after an epoch."""
    stacks = {
        id(replica): stack
        for group in session.groups
        if isinstance(group, SeedStack)
        for stack in [StackOutputs(group, session.grouping.recorder)]
        for replica in group.replicas
    }
    return {place: stacks[id(one)] for place, one in enumerate(session.replicas) if id(one) in stacks}


def seed_epoch(
    session: Session, floors_known: KnownFloors, epoch: MeasuredEpoch, place: int, row: Mapping[str, Any]
) -> SeedEpoch:
    """Return what the epoch that has just ended showed of the seed at this place. `row`: its history row."""
    sums, replica = session.sums, session.replicas[place]
    member = next(one for one in session.members if replica in one.replicas)
    config = member.config
    finite, first_bad = is_finite(row), None
    if not finite and (bad := sums.first_bad(place)):
        step = (session.position.epoch - 1) * session.steps_per_epoch + bad
        first_bad = step, session.rates(step - 1)[place]
    of_probabilities = session.output_spec.reads_as == "probabilities" and not config.loss.is_plugin
    # The user's loss may have learned NaN in its own weights; then the floors come from another seed.
    known_floors = floors_known.of(replica) if finite else None
    constant = known_floors.constant if known_floors else inf
    trial = floors_known.trial(session, replica)
    return SeedEpoch(
        row=row,
        first_loss=epoch.sums.first_losses[place],
        recent_loss=epoch.sums.recent_losses[place],
        first_bad=first_bad,
        first_gradient_norm=epoch.sums.first_gradient_norms[place],
        is_last=_is_last(session, replica, row),
        floors=known_floors,
        least_loss=0.0 if of_probabilities else -inf,
        own_model=config.model.is_plugin,
        window=Window(config.epochs),
        known=Circumstances(config, session.facts, member.lint, constant, trial),
    )


def _is_last(session: Session, replica: Replica, row: Mapping[str, Any]) -> bool:
    """Return whether this was the seed's last epoch: the run's last one, or the one at which early stopping ends it."""
    if session.position.epoch >= session.config.epochs:
        return True
    early, stopping = session.config.early_stopping, replica.stopping
    if early is None or stopping is None or stopping.improves(row[stopping.metric]):
        return False
    return stopping.bad_epochs + 1 >= early.patience
