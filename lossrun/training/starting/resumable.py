"""A recorded run and the changes asked for with `resume`, read before torch is imported."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from lossrun.catalog import get
from lossrun.catalog.declaration import Schedule
from lossrun.catalog.optimizers import OPTIMIZERS
from lossrun.config import Config, Override, SourcedConfig, from_mapping
from lossrun.config.overrides import key_of
from lossrun.errors import DataError, UsageError
from lossrun.files import is_file, named_path
from lossrun.records import recorded
from lossrun.records.checkpoint_headers import Header
from lossrun.records.files.edits import differences
from lossrun.records.lock import writing
from lossrun.records.provenance import original_data, saved_state, whereabouts
from lossrun.records.provenance.belonging import Belonging
from lossrun.records.provenance.own_source import check_copies
from lossrun.records.provenance.whereabouts import Place
from lossrun.records.recorded import RecordedRun
from lossrun.records.run_directory import RunDirectory
from lossrun.records.status import status
from lossrun.shell import set_options

# Keys that may change between the parts of one run. A change of any other key makes it another experiment.
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
    """A recorded run with the requested changes.

    Attributes:
        changes: {dotted key: [old, new]}.
        saved: The header of the run's newest checkpoint; None if none can be read.
    """

    run: RunDirectory
    before: Config
    reading: SourcedConfig
    changes: Mapping[str, list[Any]]
    environment: Mapping[str, Any]
    finished: bool
    recorded: RecordedRun
    belonging: Belonging
    notes: tuple[str, ...]
    overrides: tuple[Override, ...] = ()
    saved: Header | None = None

    @property
    def options(self) -> list[str]:
        """The changes as `--set` was given them."""
        return [override for override in self.overrides if isinstance(override, str)]

    @property
    def changes_early_stopping(self) -> bool:
        return any(key.partition(".")[0] == "early_stopping" for key in self.changes)

    def data_dir(self, default: Path) -> Path:
        """Return the folder that the run last found its data in, if it is still there, or moved along with the run."""
        return whereabouts.data_folder(self.recorded, default)


@contextmanager
def resuming(
    path: Path, overrides: Sequence[Override] = (), data_dir: Path | None = None, *, leads: bool = True
) -> Iterator[Resumable]:
    """Lock a run, so that no other process changes it meanwhile, and read it to resume it.

    `data_dir`: where its data are searched first. `leads`: False in a process that follows a leader, which holds the
    lock. Raises LockedError at once if another process writes the run, RunError if the path is not a run, UsageError
    for a change that cannot be made, and DataError if its data file is missing.
    """
    if not leads or (not overrides and status(path) == "finished"):
        yield _read(path, overrides, data_dir)  # nothing will be written, so the disk may be read-only
        return
    with writing(path):
        yield _read(path, overrides, data_dir)


def _read(path: Path, overrides: Sequence[Override], data_dir: Path | None) -> Resumable:
    recorded_run = recorded.load(path)
    recorded_run.refuse_edits()
    run, events = RunDirectory(path), recorded_run.ledger
    finished = bool(events) and events[-1]["event"] == "finished"
    place = _place(recorded_run, data_dir)
    before = from_mapping(recorded_run.config, place.directory, name=str(run.config_path))
    with_directions = [*_directions(recorded_run.config, overrides), *overrides]
    after = _with_data_found(recorded_run, place, with_directions)
    changes = differences(before.config.to_mapping(), after.config.to_mapping())
    if "dataset.path" not in changes and (changes or not finished):
        problem = whereabouts.missing_data_message(recorded_run, data_dir)
        if problem:
            raise DataError(problem)
    for key in changes:
        # A change of plain "optimizer" is another optimizer, which could not use the state of the first.
        if key == "dataset.path":
            continue  # only says where the data are; their hashes say whether they are the same
        if key.partition(".")[0] not in CHANGEABLE or key == "optimizer":
            raise UsageError(
                f"{key} cannot change in an existing run; start a new run with --set {key}=... (an existing run can "
                f"change {', '.join(CHANGEABLE)}, and for the optimizer only its parameters)"
            )
    _refuse_new_state(changes, after.config.optimizer.name)
    done = max(recorded_run.history.rows.column("epoch"), default=0)
    if after.config.epochs < done:
        raise UsageError(f"epochs={after.config.epochs}, but {done} epochs are done; a run cannot become shorter")
    notes = list(recorded_run.warnings)
    if "dataset.path" in changes:
        notes.append(f"the data are read from {after.config.dataset['path']}")
    if place.copied:
        check_copies(recorded_run)
        notes.append(f"your own code is no longer where it was; the copy in {place.directory} is used")
    schedule = get("schedule", after.config.schedule.name)
    assert isinstance(schedule, Schedule)
    if "epochs" in changes and schedule.follows_the_run(after.config.schedule.parameters):
        old, new = changes["epochs"]
        notes.append(
            f"the {schedule.name} schedule depends on the length of the run: the result differs from that of a run of "
            f"{new} epochs, because the first part was trained with a schedule of {old}"
        )
    last = whereabouts.environment(recorded_run)
    belonging = Belonging.to(recorded_run)
    saved = saved_state.check_config(recorded_run, belonging) if changes or not finished else None
    return Resumable(
        run,
        before.config,
        after,
        changes,
        last,
        finished,
        recorded_run,
        belonging,
        tuple(notes),
        tuple(overrides),
        saved,
    )


def _place(run: RecordedRun, data_dir: Path | None) -> Place:
    """Return where the run's data are. Among several files of that name, it is the one that the run was trained on."""
    places = whereabouts.data_places(run, data_dir, goes_on=True)
    if len(places) > 1:
        with suppress(DataError, UsageError):  # what is wrong with the likeliest file is reported when it is read
            return original_data.find(run, data_dir, goes_on=True)[0]
    return places[0]


def _with_data_found(run: RecordedRun, place: Place, overrides: Sequence[Override]) -> SourcedConfig:
    """Return the config with the overrides, and with the present path of its data file.

    A path among the overrides may be relative to the current folder.
    """
    name = str(RunDirectory(run.path).config_path)
    reading = from_mapping(whereabouts.placed(run.config, place), place.directory, overrides, name=name)
    named = reading.config.dataset.parameters.get("path")
    if not isinstance(named, str):
        return reading
    path = named_path(named)
    if is_file(place.directory / path) or not is_file(path):
        return reading
    dataset = reading.config.dataset.replace(path=str(path.resolve()))
    return replace(reading, config=replace(reading.config, dataset=dataset))


def _directions(config: Mapping[str, Any], overrides: Sequence[Override]) -> list[str]:
    """Return overrides that take the direction, lower or higher is better, from a new metric.

    The recorded config has the direction of the old metric.
    """
    changed = set(map(key_of, overrides))
    return [
        f"{group}.mode=auto"
        for group in ("early_stopping", "schedule")
        if f"{group}.metric" in changed and isinstance(config.get(group), Mapping) and "mode" in config[group]
    ]


def _refuse_new_state(changes: Mapping[str, list[Any]], optimizer: str) -> None:
    """Raise UsageError for optimizer parameters whose state was not kept in the steps done so far."""
    declared = next((one for one in OPTIMIZERS if one.name == optimizer), None)
    if declared is None or declared.keeps_late:
        return
    for name in declared.keeps_for:
        key = f"optimizer.{name}"
        old, new = changes.get(key, (False, False))
        if new and not old:
            raise UsageError(
                f"{key} cannot become {new} in an existing run: {optimizer} has kept nothing for it in the steps done "
                f"so far; start a new run with {set_options(f'{key}={str(new).lower()}')}"
            )
