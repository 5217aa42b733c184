"""A run read back from its directory, whatever state it is in, and held against its digests."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lossrun.errors import CheckpointError, RunError
from lossrun.records import checkpoint_headers, history, ledger
from lossrun.records.files import config_file, strict_json
from lossrun.records.files.digests import DAMAGED, PrefixDigest, of_text
from lossrun.records.files.edits import digest, edits
from lossrun.records.history import History
from lossrun.records.run_directory import RunDirectory
from lossrun.records.status import Status, status
from lossrun.shell import command, run_command

# Without these there is nothing to be said of a run.
_KEYS: Final = {"dataset", "model", "loss", "optimizer", "learning_rate", "epochs", "best"}
UNVERIFIED: Final = "written before runs carried digests: its files cannot be verified"


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """`config` is the effective one: config.yaml with the ledger's changes replayed. `environment` is run.json.
    `warnings`: what could not be read, or was edited, in plain words. `edited`: those about edits, which do not count:
    config and environment are as they were recorded. `verified`: the run has digests to hold its files against."""

    path: Path
    name: str
    config: dict[str, Any]
    environment: dict[str, Any]
    history: History
    ledger: tuple[dict[str, Any], ...]
    status: Status
    warnings: tuple[str, ...]
    edited: tuple[str, ...] = ()
    verified: bool = True

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds asked for, in the config's order."""
        seed, seeds = self.config.get("seed", 0), self.config.get("seeds")
        if isinstance(seeds, int):
            return tuple(range(seed, seed + seeds))
        return tuple(seeds) if seeds else (seed,)

    @property
    def extended(self) -> bool:
        """Whether the run was finished and then sent on with another config: that was chosen after seeing results."""
        finished = False
        for event in self.ledger:
            if event["event"] == "finished":
                finished = True
            elif event["event"] == "resumed" and finished and event.get("changes"):
                return True
        return False

    @property
    def finished(self) -> dict[str, Any] | None:
        """The last `finished` event: best epochs and test metrics per seed. None before the end."""
        return next((event for event in reversed(self.ledger) if event["event"] == "finished"), None)

    def refuse_edits(self) -> None:
        """Raises RunError where config.yaml or run.json was edited: what is computed now would not be this run's."""
        if self.edited:
            changes = run_command("resume", self.path, set_=["KEY=VALUE"])
            raise RunError(f"{self.path}: {'; '.join(self.edited)}; undo the edit; to change a run: `{changes}`")


def load(path: Path) -> RecordedRun:
    """Read a run, taking no lock and writing nothing. Raises RunError where a file is missing or damaged, or the
    history or the ledger is not what was written."""
    files = RunDirectory(path)
    described = read_description(path)
    marks = _marks(files, described.ledger)
    rows = history.read(files.history_path, [mark for mark, _ in marks])
    check_history(files.history_path, rows.content.agrees_with, marks)
    if marks and rows.content.goes_on and described.ledger[-1]["event"] == "finished":
        raise RunError(f"{files.history_path}: it goes on after the {marks[0][0].length} bytes at the end; {DAMAGED}")
    torn = [files.history_path.name] if rows.torn else []
    torn += [files.ledger_path.name] if described.torn else []
    return RecordedRun(
        path=path,
        name=path.resolve().name,
        config=described.config,
        environment=described.environment,
        history=rows,
        ledger=described.ledger,
        status=status(path, described.ledger),
        warnings=(*(f"{name} ends in an incomplete line, which is left out" for name in torn), *described.edited),
        edited=described.edited,
        verified=described.verified,
    )


def load_all(paths: Sequence[Path], told: Callable[[str], None], *, at_least: int = 1) -> list[RecordedRun]:
    """The runs that can be read; `told(problem)` hears of each other one. Raises RunError where fewer than `at_least`
    can."""
    runs: list[RecordedRun] = []
    problems: list[RunError] = []
    for path in paths:
        try:
            runs.append(load(path))
        except RunError as error:
            problems.append(error)
    if problems and len(runs) < at_least:
        raise problems[0]
    for problem in problems:
        told(f"left out: {problem}")
    return runs


@dataclass(frozen=True, slots=True)
class Description:
    """A run without its history: what `RecordedRun` says of the same names. `torn`: of the ledger."""

    config: dict[str, Any]
    environment: dict[str, Any]
    ledger: tuple[dict[str, Any], ...]
    torn: bool
    edited: tuple[str, ...]
    verified: bool


def read_description(path: Path) -> Description:
    """Config, environment and ledger. Raises RunError."""
    files = RunDirectory(path)
    missing = [file.name for file in (files.config_path, files.run_json) if not file.is_file()]
    if missing:
        raise RunError(
            f"{path} is no run directory: it has no {' and no '.join(missing)}; "
            f"`{command('ls', runs_dir=path.parent)}` lists the runs"
        )
    events, torn = ledger.read_all(files.ledger_path)
    started: Mapping[str, Any] = events[0] if ledger.recorded_config(events) is not None else {}
    try:
        text, facts = files.config_path.read_bytes(), files.run_json.read_bytes()
    except OSError as error:
        raise RunError(f"cannot read {error.filename}: {error.strerror or error}") from error
    edited: tuple[str, ...] = ()
    if started and of_text(text) == started.get("config_digest"):
        config = started["config"]
    else:
        config = config_file.parsed(files.config_path, text)
        edited += edits(files.config_path, started["config"], config) if started else ()
    try:
        environment = strict_json.loads(facts)
    except ValueError as error:
        raise RunError(f"cannot read {files.run_json}: {error}; the file is damaged: restore a copy") from error
    if not isinstance(environment, dict) or not config.keys() >= _KEYS:
        raise RunError(
            f"{path} is no run of lossrun's, or its config.yaml or run.json is damaged: restore it from a copy"
        )
    if not started and "id" in environment:  # no version wrote one into run.json without the other
        raise RunError(f"{files.ledger_path} is missing or has lost its beginning; restore it from a copy")
    if started:
        edited += edits(files.run_json, started["environment"], environment)
        config, environment = started["config"], dict(started["environment"])
    elif _is_not_what_was_trained(files, config, events):
        edited += (f"{files.config_path.name} is not the config that the checkpoints were saved under: it was edited",)
    return Description(
        ledger.effective_config(config, events), environment, events, torn, tuple(edited), verified=bool(started)
    )


def _is_not_what_was_trained(
    files: RunDirectory, config: Mapping[str, Any], events: Sequence[Mapping[str, Any]]
) -> bool:
    """Whether a config that the ledger does not hold, as in older versions, has another digest than the checkpoints
    say. Which config changes led to was not recorded."""
    if any(event.get("changes") or "config" in event for event in events):
        return False
    for path in checkpoint_headers.candidates(files.checkpoints):
        try:
            recorded = checkpoint_headers.metadata(path).get("config")
        except CheckpointError:
            continue
        return isinstance(recorded, str) and recorded != digest(config)
    return False


def _marks(files: RunDirectory, events: Sequence[Mapping[str, Any]]) -> list[tuple[PrefixDigest, Path | None]]:
    """What the history must agree with, greatest length first, and the checkpoint that says so; None for the ledger.

    What was recorded before the run was last resumed may speak of rows that were cut off then.
    """
    resumed = max((place for place, event in enumerate(events) if event["event"] == "resumed"), default=0)
    said: list[tuple[PrefixDigest, Path | None]] = [
        (mark, None) for event in events[resumed:] if (mark := PrefixDigest.found_in(event.get("history")))
    ]
    # The end speaks of the whole history; checkpoints know what should be left of one that has lost rows since.
    finished = bool(said) and events[-1]["event"] == "finished"
    if not finished or _size(files.history_path) < said[-1][0].length:
        said += list(_marks_of_checkpoints(files))
    return sorted(said, key=lambda pair: pair[0].length, reverse=True)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _marks_of_checkpoints(files: RunDirectory) -> Iterator[tuple[PrefixDigest, Path]]:
    for path in checkpoint_headers.candidates(files.checkpoints):
        try:
            mark = PrefixDigest.found_in(checkpoint_headers.metadata(path).get("history"))
        except CheckpointError:
            continue  # whoever wants the checkpoint itself hears of it
        if mark:
            yield mark, path


def check_history(
    path: Path, agrees: Callable[[PrefixDigest], bool | None], marks: Sequence[tuple[PrefixDigest, Path | None]]
) -> None:
    """Raises RunError where the history's content is not what was written. `marks`: greatest length first."""
    for mark, checkpoint in marks:
        agreed = agrees(mark)
        if agreed:
            return  # shorter ones follow from it
        if agreed is False and (checkpoint is None or _is_whole(checkpoint)):
            raise RunError(f"{path}: its first {mark.length} bytes do not agree with their digest; {DAMAGED}")


def _is_whole(checkpoint: Path) -> bool:
    from lossrun.records import checkpoints

    try:
        checkpoints.read(checkpoint)
    except CheckpointError:
        return False
    return True
