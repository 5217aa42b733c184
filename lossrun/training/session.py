"""Training in progress: everything that the loop advances and a checkpoint holds.

A session is one computation: its seeds take every step together. Its members are the runs that these seeds belong to.
`train` has one member; a stack of a sweep has a member for each of its cells, which differ only in seeds, learning
rates and weight decays. `training/starting/start.py` builds the session of a run and `training/starting/stacks.py` that
of a stack, `training/loop.py` advances it, `training/state.py` saves and restores it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from lossrun.catalog import DataFacts
from lossrun.components.schedules import Plateau, rate
from lossrun.config import Config
from lossrun.records.checkpoints import Checkpoint
from lossrun.records.files.edits import digest
from lossrun.records.history import Written
from lossrun.records.run_directory import RunDirectory
from lossrun.steps.evaluate import OutputSpec, Scorer
from lossrun.steps.randomness import Purpose, order, seed_torch
from lossrun.steps.replica import Replica
from lossrun.steps.seed_group import SeedGroup, keep_generator
from lossrun.steps.side_by_side import SideBySide
from lossrun.steps.step import Batch, Step
from lossrun.training.epoch_sums import EpochSums
from lossrun.training.grouping import Grouping
from lossrun.training.process.isolation import Stream
from lossrun.training.process.stopping import interruptible
from lossrun.training.process.stopwatch import Stopwatch

if TYPE_CHECKING:
    from lossrun.training.good_states import EpochStart


@dataclass(slots=True)
class Position:
    """Where training stands: the epoch in progress (from 1), and the number of updates done so far."""

    epoch: int = 1
    step: int = 0


@dataclass(slots=True)
class MemberRun:
    """One run of a session, with what it does not share with the other members.

    Attributes:
        replicas: Its seeds.
        first: The place of the first of them among all seeds of the session.
        lint: {rule: the settings that it advised}, of the broken rules that explain why a run does not learn.
        good_step: The last step at which no seed was suspected of diverging.
        end: Its position when its training ended; None while it trains.
        seconds: Time spent on its epochs; known once it has ended.
        waiting_rows: Rows of the history that are not on the disk yet.
        waiting_events: Events of the ledger that are not on the disk yet, each with its facts.
        closed: Whether it had ended before the session was resumed, so that nothing more is written for it.
        good: In a stack, the state that it ends with if it diverges, unless that is the beginning of this epoch.
        config_digest: The digest of its config.
    """

    config: Config
    replicas: Sequence[Replica]
    first: int
    run: RunDirectory
    run_id: str | None
    history: Written
    lint: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    good_step: int = 0
    end: Position | None = None
    seconds: float = 0.0
    waiting_rows: list[dict[str, Any]] = field(default_factory=list)
    waiting_events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    closed: bool = False
    good: Checkpoint | None = None
    config_digest: str = field(init=False)

    def __post_init__(self) -> None:
        self.config_digest = digest(self.config.to_mapping())  # once: every checkpoint holds it

    @property
    def diverged(self) -> bool:
        """Whether it has left a stack because a seed has diverged."""
        return any(replica.withdrawn_epoch is not None for replica in self.replicas)


@dataclass(slots=True)
class Session:
    """Training in progress.

    Attributes:
        members: The runs that are trained.
        replicas: The seeds of all members, member by member.
        scorers: One for each seed group, or for each seed of a group with several splits; none without validation
            data.
        hashes: Of the training, validation and test data.
        stack: The folder of the stack's checkpoints; None for a run that trains alone, whose directory has them.
        processes: How many processes compute each batch.
        seconds: Time spent on finished epochs.
        stopwatch: Measures the epoch in progress.
        stream: The states of torch's generators while other code uses them.
        saved: When the state was last saved, by `time.perf_counter`, and how long that took.
        epoch_start: Of a stack, its state at the beginning of the epoch; see `good_states.py`.
    """

    members: Sequence[MemberRun]
    facts: DataFacts
    output_spec: OutputSpec
    replicas: Sequence[Replica]
    grouping: Grouping
    groups: Sequence[SeedGroup]
    step: Step
    scorers: Sequence[Scorer]
    device: torch.device
    hashes: Mapping[str, str]
    sums: EpochSums
    plateau: Plateau | None
    stack: Path | None = None
    processes: int = 1
    position: Position = field(default_factory=Position)
    seconds: float = 0.0
    stopwatch: Stopwatch = field(default_factory=Stopwatch)
    stream: Stream = field(default_factory=Stream)
    saved: tuple[float, float] = (0.0, 0.0)
    epoch_start: "EpochStart | None" = None

    @property
    def config(self) -> Config:
        """What the configs of all members have in common: everything except seeds, learning rates and weight decays."""
        return self.members[0].config

    @property
    def lone(self) -> MemberRun:
        """The only member."""
        (member,) = self.members
        return member

    @property
    def run(self) -> RunDirectory:
        """The directory of the only member."""
        return self.lone.run

    @property
    def good_step(self) -> int:
        return self.lone.good_step

    @property
    def where(self) -> str:
        """A text with the device, the precision, the kind of step, and which seeds are trained together."""
        count = self.stream.threads or torch.get_num_threads()
        threads = f", {count} thread{'' if count == 1 else 's'}" if self.device.type == "cpu" else ""
        sizes, reason = self.grouping.sizes, self.grouping.why_one_by_one
        seeds = ""
        if reason and isinstance(self.step, SideBySide):
            seeds = f" ({len(self.replicas)} seeds, {self.step.at_once} side by side: {reason})"
        elif reason:
            seeds = f" (seed by seed: {reason})"
        elif len(sizes) > 1:
            why = "more would not fit into memory" if self.grouping.limited else "those of a split"
            seeds = f" ({len(self.replicas)} seeds, {max(sizes)} at a time: {why})"
        elif sizes[0] > 1:
            seeds = f" ({sizes[0]} seeds at once)"
        several = f"{self.processes} processes, each " if self.processes > 1 else ""
        return f"{several}{self.device.type}{threads}, {self.config.precision}, {self.step.kind} step{seeds}"

    @property
    def batch_size(self) -> int:
        return self.config.samples_per_step(self.facts.train)

    @property
    def steps_per_epoch(self) -> int:
        return self.config.steps_per_epoch(self.facts.train)

    @property
    def step_in_epoch(self) -> int:
        """Updates done in the epoch in progress."""
        return self.position.step - (self.position.epoch - 1) * self.steps_per_epoch

    @property
    def training(self) -> bool:
        """Whether there is anything left to train."""
        return self.position.epoch <= self.config.epochs and not all(replica.frozen for replica in self.replicas)

    def begin_epoch(self) -> None:
        """Set the order of each seed's samples.

        At the beginning of an epoch, start its dropout streams and sums as well. In the middle of one, they are where
        the checkpoint left them.
        """
        epoch, fresh = self.position.epoch, self.step_in_epoch == 0
        if fresh:
            self.sums.reset()
        for replica in self.replicas:
            replica.order = replica.order[:0].clone()  # freed before the next one is made: a million take 8 MB
        orders: dict[int, Tensor] = {}
        for replica in self.replicas:
            if replica.seed not in orders:
                found = order(replica.seed, epoch, self.facts.train, self.config.shuffle)
                orders[replica.seed] = found.to(self.device)
            replica.order = orders[replica.seed]
        self.sums.counted = self._counted()
        for group in self.groups:
            first = group.replicas[0]
            if fresh or first.generator_state is None:
                seed_torch(first.seed, Purpose.DROPOUT, epoch, self.device)
                keep_generator(group)
        self.step.begin_epoch()

    def _counted(self) -> Tensor | None:
        """Return the value of `EpochSums.counted`. It is known before the epoch, so the steps need not add it up."""
        size, steps = self.batch_size, self.steps_per_epoch
        columns = []
        for replica in self.replicas:
            if replica.counted is None:
                return None
            each = replica.counted[replica.order[: steps * size]].double()
            columns.append(F.pad(each, (0, steps * size - len(each))).view(steps, size).sum(dim=1))
        return torch.stack(columns, dim=1)

    def keep_best(self, improved: Sequence[Replica]) -> None:
        """Keep the present weights of these seeds as their best ones."""
        for group in self.groups:
            group.keep_best([replica for replica in group.active if replica in improved])

    def end_members(self) -> None:
        """Record the final position of members whose training is over."""
        for member in self.members:
            if member.end is None and (not self.training or all(replica.frozen for replica in member.replicas)):
                member.end, member.seconds = replace(self.position), self.seconds

    def validate(self) -> dict[int, dict[str, float]]:
        """Return the validation columns of each active seed, by its place; empty without validation data."""
        places = {id(replica): place for place, replica in enumerate(self.replicas)}
        with interruptible():
            return {
                places[id(replica)]: {f"val_{name}": value for name, value in scores.items()}
                for scorer in self.scorers
                if (active := [replica for replica in scorer.group.computed if not replica.frozen])
                for replica, scores in zip(active, scorer(), strict=True)
            }

    def remaining_batches(self) -> Iterator[Batch]:
        """Yield the start and stop of each remaining batch in the epoch's order."""
        size = self.batch_size
        for number in range(self.step_in_epoch, self.steps_per_epoch):
            yield number * size, min((number + 1) * size, self.facts.train)

    def next_batches(self) -> Iterator[list[Batch]]:
        """Yield the remaining batches, each time as many as the step may be given.

        Nothing is looked at between them. So the first step of an epoch, whose gradient is measured, is taken alone,
        and none goes past a checkpoint that is due.
        """
        every, step = self.config.checkpoint.every_steps, self.position.step
        batches, most = self.remaining_batches(), self.step.ahead if self.step_in_epoch else 1
        while taken := list(islice(batches, min(most, every - step % every) if every else most)):
            yield taken
            step += len(taken)
            most = self.step.ahead

    def rates(self, step: int) -> list[float]:
        """Return each seed's learning rate after `step` updates; a plateau may have reduced it."""
        steps_per_epoch = self.steps_per_epoch
        known: dict[float, float] = {}
        found: list[float] = []
        for member in self.members:
            if (rate := known.get(member.config.learning_rate)) is None:
                rate = scheduled_rate(member.config, step, steps_per_epoch)
                known[member.config.learning_rate] = rate
            found += [rate] * len(member.replicas)
        if self.plateau is None:
            return found
        states = [replica.plateau for replica in self.replicas]
        return [self.plateau.rate(state, rate) for state, rate in zip(states, found, strict=True) if state]


def scheduled_rate(config: Config, step: int, steps_per_epoch: int) -> float:
    """Return the learning rate of the schedule after `step` updates."""
    if config.schedule.name == "constant" and not config.schedule.parameters["warmup_epochs"]:
        return config.learning_rate  # takes a fifth of the time, before every step
    return rate(
        config.schedule.name,
        step=step,
        steps_per_epoch=steps_per_epoch,
        epochs=config.epochs,
        learning_rate=config.learning_rate,
        **config.schedule.parameters,
    )
