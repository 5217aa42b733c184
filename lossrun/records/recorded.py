"""Read a run from its directory, whatever its state, and check it against its digests."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lossrun.errors import CheckpointError, RunError
from lossrun.files import is_there
from lossrun.records import checkpoint_headers, formats, history, ledger
from lossrun.records.files import config_file, json_lines, strict_json
from lossrun.records.files.contents import content, gone, incomplete, length_of
from lossrun.records.files.digests import DAMAGED, PrefixDigest, of_text
from lossrun.records.files.edits import digest, edits
from lossrun.records.history import History
from lossrun.records.run_directory import RunDirectory, has_lost_a_file, missing_files
from lossrun.records.status import Status, status
from lossrun.shell import command, run_command

# A run without these keys cannot be described.
_KEYS: Final = {"dataset", "model", "loss", "optimizer", "learning_rate", "epochs", "best"}
UNVERIFIED: Final = "written by a version without digests, so its files cannot be verified"


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """A run as read from its directory.

    Attributes:
        config: The effective config: config.yaml with the ledger's changes.
        environment: The content of run.json.
        warnings: What could not be read or was edited, one sentence each.
        edited: The warnings about edits. Edits have no effect: config and environment are as recorded.
        verified: Whether the run has digests to check its files against.
        whole: Whether the run has finished and its history is known to be complete.
    """

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
    whole: bool = False

    @property
    def seeds(self) -> tuple[int, ...]:
        """The configured seeds, in the config's order."""
        seed, seeds = self.config.get("seed", 0), self.config.get("seeds")
        if isinstance(seeds, int):
            return tuple(range(seed, seed + seeds))
        return tuple(seeds) if seeds else (seed,)

    @property
    def extended(self) -> bool:
        """Whether the run finished and was then resumed with another config, chosen after seeing its results."""
        finished = False
        for event in self.ledger:
            if event["event"] == "finished":
                finished = True
            elif event["event"] == "resumed" and finished and event.get("changes"):
                return True
        return False

    @property
    def finished(self) -> dict[str, Any] | None:
        """The event `finished`, with the best epochs and test metrics of each seed.

        None before the end, and again once the run is resumed, because its files then no longer belong to that end.
        """
        last = next((event for event in reversed(self.ledger) if event["event"] in ("finished", "resumed")), None)
        return last if last and last["event"] == "finished" else None

    def refuse_edits(self) -> None:
        """Check that neither config.yaml nor run.json was edited.

        Raises:
            RunError: If one was, because what is computed now would not belong to this run.
        """
        if self.edited:
            changes = run_command("resume", self.path, set_=["KEY=VALUE"])
            raise RunError(f"{self.path}: {'; '.join(self.edited)}; undo the edit, or change the run with `{changes}`")


def load(path: Path) -> RecordedRun:
    """Read a run, without taking its lock and without writing.

    Raises:
        RunError: If a file is missing or damaged, or the history or the ledger is not what was written.
    """
    files = RunDirectory(path)
    described = read_description(path)
    marks = _marks(files, described)
    rows = history.read(files.history_path, [mark for mark, _ in marks])
    check_history(files.history_path, rows.content.agrees_with, marks)
    if marks and rows.content.goes_on and described.ledger[-1]["event"] == "finished":
        raise RunError(
            f"{files.history_path}: it is longer than the {marks[0][0].length} bytes that were written; {DAMAGED}"
        )
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
        warnings=(*(f"{name} {json_lines.TORN}" for name in torn), *described.edited),
        edited=described.edited,
        verified=described.verified,
    )


def load_all(paths: Sequence[Path], report: Callable[[str], None], *, at_least: int = 1) -> list[RecordedRun]:
    """Read the runs that can be read; `report(problem)` is called for every other run.

    Raises:
        RunError: If fewer than `at_least` can be read.
    """
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
        report(f"left out: {problem}")
    return runs


@dataclass(frozen=True, slots=True)
class Description:
    """A run without its history; the attributes are those of `RecordedRun`.

    Attributes:
        torn: Whether the ledger ended in an incomplete line.
    """

    config: dict[str, Any]
    environment: dict[str, Any]
    ledger: tuple[dict[str, Any], ...]
    torn: bool
    edited: tuple[str, ...]
    verified: bool


def read_description(path: Path) -> Description:
    """Read config, environment, and ledger.

    Raises:
        RunError: If a file is missing or damaged.
    """
    files = RunDirectory(path)
    if not is_there(path):
        raise RunError(gone(path))
    if missing := missing_files(path):
        if has_lost_a_file(path):
            raise RunError(f"{path} has lost its {' and its '.join(missing)}; restore it from a copy")
        raise RunError(
            f"{path} is not a run directory: it has no {' and no '.join(missing)}; "
            f"`{command('ls', runs_dir=path.parent)}` lists the runs"
        )
    events, torn = ledger.read_all(files.ledger_path)
    if any(event["event"] == "finished" and "seeds" not in event for event in events):  # a sweep's has none
        raise RunError(f"{files.ledger_path}: finished: seeds is missing; {DAMAGED}")
    started: Mapping[str, Any] = events[0] if ledger.recorded_config(events) is not None else {}
    text, facts = content(files.config_path, config_file.LONGEST), content(files.run_json)
    edited: tuple[str, ...] = ()
    if started and of_text(text) == started.get("config_digest"):
        config = started["config"]
    else:
        config = config_file.parsed(files.config_path, text)
        edited += edits(files.config_path, started["config"], config) if started else ()
    environment = _environment(files, facts)
    if environment is None or not config.keys() >= _KEYS:
        raise RunError(
            f"{path} is not a run of lossrun, or its config.yaml or run.json is damaged: restore it from a copy"
        )
    formats.check(files.run_json, environment, formats.ENVIRONMENT)
    if not started and "id" in environment:  # every version that writes an id also writes the ledger's config
        raise RunError(incomplete(files.ledger_path))
    if started:
        edited += edits(files.run_json, started["environment"], environment)
        config, environment = started["config"], dict(started["environment"])
    elif _is_not_what_was_trained(files, config, events):
        edited += (f"{files.config_path.name} is not the config that the checkpoints were saved with: it was edited",)
    effective = ledger.effective_config(config, events)
    if effective != started.get("config"):  # that one was checked with the ledger
        formats.check(files.ledger_path if started else files.config_path, effective, formats.CONFIG)
    return Description(effective, environment, events, torn, tuple(edited), verified=bool(started))


def _environment(files: RunDirectory, content: bytes) -> dict[str, Any] | None:
    """Return the mapping that run.json holds; None if it holds anything else. Raises RunError if it is not JSON."""
    try:
        environment = strict_json.loads_plain(content)
    except ValueError as error:
        raise RunError(f"cannot read {files.run_json}: {error}; the file is damaged: restore a copy") from error
    return environment if isinstance(environment, dict) else None


def _is_not_what_was_trained(
    files: RunDirectory, config: Mapping[str, Any], events: Sequence[Mapping[str, Any]]
) -> bool:
    """Return whether the digest of the config differs from the one that the checkpoints recorded.

    This is for older versions, in which the ledger does not hold the config; they did not record what changes led to.
    """
    if any(event.get("changes") or "config" in event for event in events):
        return False
    for path in checkpoint_headers.candidates(files.checkpoints):
        try:
            recorded = checkpoint_headers.metadata(path).get("config")
        except CheckpointError:
            continue
        return isinstance(recorded, str) and recorded != digest(config)
    return False


def _marks(files: RunDirectory, described: Description) -> list[tuple[PrefixDigest, Path | None]]:
    """Return the digests that the history must match, longest first, each with the checkpoint that recorded it.

    The checkpoint is None for a digest in the ledger. Digests from before the run was last resumed are left out,
    because they may include rows that were cut off then.
    """
    events = described.ledger
    resumed = max((place for place, event in enumerate(events) if event["event"] == "resumed"), default=0)
    found: list[tuple[PrefixDigest, Path | None]] = [
        (mark, None) for event in events[resumed:] if (mark := PrefixDigest.found_in(event.get("history")))
    ]
    # The end covers the whole history; if rows were lost since, checkpoints tell what should be left.
    finished = bool(found) and events[-1]["event"] == "finished"
    if not finished or length_of(files.history_path) < found[-1][0].length:
        found += list(_marks_of_checkpoints(files, described.environment.get("id")))
    return sorted(found, key=lambda pair: pair[0].length, reverse=True)


def _marks_of_checkpoints(files: RunDirectory, run_id: str | None) -> Iterator[tuple[PrefixDigest, Path]]:
    """Yield the digests that the run's own checkpoints recorded. Another run's say nothing about this history."""
    for path in checkpoint_headers.candidates(files.checkpoints):
        try:
            facts = checkpoint_headers.metadata(path)
        except CheckpointError:
            continue  # reading the checkpoint itself reports the problem
        if facts.get("run") == run_id and (mark := PrefixDigest.found_in(facts.get("history"))):
            yield mark, path


def check_history(
    path: Path, agrees: Callable[[PrefixDigest], bool | None], marks: Sequence[tuple[PrefixDigest, Path | None]]
) -> None:
    """Check the history's content.

    Args:
        marks: The digests, longest first.

    Raises:
        RunError: If the content is not what was written.
    """
    for mark, checkpoint in marks:
        agreed = agrees(mark)
        if agreed:
            return  # the shorter ones then match too
        if agreed is False and (checkpoint is None or _is_whole(checkpoint)):
            raise RunError(f"{path}: its first {mark.length} bytes do not match their digest; {DAMAGED}")


def _is_whole(checkpoint: Path) -> bool:
    from lossrun.records import checkpoints

    try:
        checkpoints.read(checkpoint)
    except CheckpointError:
        return False
    return True
