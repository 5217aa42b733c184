"""A recorded run, and the changes that are asked of it, before anything is loaded: no torch yet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lossrun.catalog import get
from lossrun.catalog.declaration import Schedule
from lossrun.config import Config, Override, Reading, from_mapping
from lossrun.errors import UsageError
from lossrun.records import recorded
from lossrun.records.belonging import Belonging
from lossrun.records.edits import differences
from lossrun.records.run_directory import RunDirectory
from lossrun.shell import option_set

# What may change between the parts of one run. Anything else makes it another experiment.
CHANGEABLE: Final = (
    "learning_rate",
    "epochs",
    "schedule",
    "optimizer",
    "early_stopping",
    "checkpoint",
    "on_divergence",
    "lint",
    "device",
    "step",
    "tags",
    "compare_on",
)


@dataclass(frozen=True, slots=True)
class Resumable:
    """A recorded run with the changes that are asked of it. `changes`: {key: [old, new]}, dotted keys."""

    run: RunDirectory
    before: Config
    reading: Reading
    changes: Mapping[str, list[Any]]
    environment: Mapping[str, Any]
    finished: bool
    belonging: Belonging
    notes: tuple[str, ...]
    overrides: tuple[Override, ...] = ()

    @property
    def options(self) -> list[str]:
        """The changes as `--set` was given them."""
        return [override for override in self.overrides if isinstance(override, str)]

    @property
    def changes_early_stopping(self) -> bool:
        return any(key.partition(".")[0] == "early_stopping" for key in self.changes)

    @property
    def chunk_sizes(self) -> list[int] | None:
        """How many seeds were trained together, if that is known."""
        return self.environment.get("chunks")

    def data_dir(self, default: Path) -> Path:
        """The folder that the run last found its data in, if it is still there."""
        remembered = Path(self.environment.get("data_dir", default))
        return remembered if remembered.is_dir() else default


def find_resumable(path: Path, overrides: Sequence[Override] = ()) -> Resumable:
    """Read a run for resuming it. Raises RunError where it is none, UsageError for a change that cannot be made."""
    recorded_run = recorded.load(path)
    recorded_run.refuse_edits()
    run = RunDirectory(path)
    directory = Path(recorded_run.environment.get("directory", "."))
    before = from_mapping(recorded_run.config, directory, name=str(run.config_path))
    after = from_mapping(recorded_run.config, directory, overrides, name=str(run.config_path))
    changes = differences(before.config.to_mapping(), after.config.to_mapping())
    for key in changes:
        # The bare "optimizer" is a change of its name: its state would mean nothing to another one.
        if key.partition(".")[0] not in CHANGEABLE or key == "optimizer":
            raise UsageError(
                f"{key} cannot change within a run, which has been trained with another so far; train anew with "
                f"--set {key}=... (a run can change {', '.join(CHANGEABLE)}; of the optimizer "
                "its parameters)"
            )
    _refuse_new_state(changes, after.config.optimizer.name)
    done = max(recorded_run.history.rows.column("epoch"), default=0)
    if after.config.epochs < done:
        raise UsageError(f"epochs={after.config.epochs}, but {done} epochs are done; a run can only go on, not back")
    notes = []
    schedule = get("schedule", after.config.schedule.name)
    assert isinstance(schedule, Schedule)
    if "epochs" in changes and schedule.follows_the_run(after.config.schedule.parameters):
        old, new = changes["epochs"]
        notes.append(
            f"the {schedule.name} schedule depends on the length of the run: the result differs from that of a run of "
            f"{new} epochs, because the first part was trained with a schedule of {old}"
        )
    started = [recorded_run.environment, *(e["environment"] for e in recorded_run.ledger if "environment" in e)]
    finished = recorded_run.status == "finished"
    belonging = Belonging.to(recorded_run)
    return Resumable(
        run, before.config, after, changes, started[-1], finished, belonging, tuple(notes), tuple(overrides)
    )


def _refuse_new_state(changes: Mapping[str, list[Any]], optimizer: str) -> None:
    """Raises UsageError for optimizer parameters that would need state which the steps done so far have not kept."""
    for key, (old, new) in changes.items():
        flag = key in ("optimizer.amsgrad", "optimizer.centered")
        if (flag and new) or (key == "optimizer.momentum" and optimizer == "rmsprop" and not old):
            raise UsageError(
                f"{key} cannot become {new} within a run: {optimizer} has kept nothing for it in the steps done so "
                f"far; train anew with {option_set(key, str(new).lower())}"
            )
