"""Write and read the directory of a sweep.

sweep.yaml: the config as it was given, resolved, with its sweep block.

plan.jsonl: one line for each cell: its directory, its phase (tune or final), its pair, what it changes, and its stack.

ledger.jsonl: started; sampled, halved, extended (further cells), tuned (the values that each pair got), shard, divided
(the cells of a stack are trained alone), finished; with the digest of the plan.

stacks/<stack>/step-...: while a stack trains, the state of all its cells in one checkpoint.

<cell>/: an ordinary run directory.
"""

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from lossrun.errors import RunError
from lossrun.files import is_there
from lossrun.interrupts import leave_behind
from lossrun.records import ledger, names, sweep_formats
from lossrun.records.files import config_file, digests, durable, json_lines, new_directories, strict_json
from lossrun.records.files.contents import content, incomplete
from lossrun.records.files.digests import DAMAGED
from lossrun.records.lock import writing
from lossrun.records.run_directory import is_run
from lossrun.shell import command, run_word

Phase: TypeAlias = Literal["tune", "final"]
STACKS: Final = "stacks"
_LONGEST: Final = 1 << 26  # bytes of a plan; a cell takes some 3 kB


@dataclass(frozen=True, slots=True)
class PlannedCell:
    """A line of the plan.

    Attributes:
        directory: The run's directory, inside the sweep's.
        config: The run's config.
        stack: The cells of this name are trained as one computation; "" in plans of versions without stacks.
    """

    directory: str
    phase: Phase
    pair: Mapping[str, Any]
    changes: Mapping[str, Any]
    config: Mapping[str, Any]
    stack: str = ""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a sweep takes. `size`: in bytes. `jobs`: worker processes."""

    seconds: float
    size: int
    jobs: int


@dataclass(frozen=True, slots=True)
class SweepDirectory:
    """The paths of a sweep's files."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def config_path(self) -> Path:
        return self.path / "sweep.yaml"

    @property
    def plan_path(self) -> Path:
        return self.path / "plan.jsonl"

    @property
    def ledger_path(self) -> Path:
        return self.path / "ledger.jsonl"

    def run(self, cell: PlannedCell) -> Path:
        return self.path / cell.directory

    def is_begun(self, cell: PlannedCell) -> bool:
        return is_run(self.run(cell))


def shard_directory(sweep: Path, number: int, of: int) -> Path:
    """Return the folder with the lock of a shard."""
    return sweep / "shards" / f"{number}-of-{of}"


def shards(sweep: SweepDirectory) -> list[Path]:
    """Return the folders of all shards that were started."""
    folder = sweep.path / "shards"
    return sorted(folder.iterdir()) if folder.is_dir() else []


def stack_directory(sweep: Path, name: str) -> Path:
    """Return the folder of a stack's checkpoints."""
    return sweep / STACKS / name


@contextmanager
def holding_stack(sweep: Path, name: str) -> Iterator[None]:
    """Hold the lock of a stack.

    Raises:
        LockedError: If another process trains it.
        RunError: If its folder cannot be made, or the sweep is gone.
    """
    folder = stack_directory(sweep, name)
    with durable.refusals_of_the_disk(folder):
        _make(folder)
    with writing(folder):
        yield


def _make(folder: Path) -> None:
    """Make the folder of a stack, but never that of a sweep that somebody has removed."""
    while True:
        folder.parent.mkdir(exist_ok=True)
        try:
            folder.mkdir(exist_ok=True)
        except FileNotFoundError:  # another process has just ended the last stack, and removed the folder of all
            continue
        return


def remove_stack(sweep: Path, name: str) -> None:
    """Remove the state that the cells of a stack share, once no cell needs it."""
    durable.check_fences(stack_directory(sweep, name))
    shutil.rmtree(stack_directory(sweep, name), ignore_errors=True)
    with suppress(OSError):  # there are other stacks
        (sweep / STACKS).rmdir()


def divided(sweep: SweepDirectory) -> dict[str, str]:
    """Return {stack whose cells are trained alone: why}."""
    return {event["stack"]: event["why"] for event in read_events(sweep) if event["event"] == "divided"}


def divide(sweep: SweepDirectory, stack: str, why: str) -> None:
    """Record that the cells of a stack are trained alone from now on, and remove the state that they shared."""
    if stack not in divided(sweep):
        ledger.append(sweep.ledger_path, "divided", stack=stack, why=why)
    remove_stack(sweep.path, stack)


def create(
    runs_dir: Path,
    name: str,
    config: Mapping[str, Any],
    plan: Sequence[PlannedCell],
    facts: Mapping[str, Any],
    *,
    shared: bool = False,
) -> SweepDirectory:
    """Create the directory `<UTC time>-<name>` with the sweep's config and plan, completely or not at all.

    Args:
        shared: Whether several processes make the same sweep: its name then ends in a digest of config and plan instead
            of beginning with the time, and a later process gets the existing directory.

    Raises:
        RunError: If writing fails.
    """
    text, lines = config_file.dumps(config).encode(), _lines(plan)
    named = f"{names.slug(name)}-{digests.of_bytes(text + lines)[:8]}"
    path = runs_dir / (named if shared else names.stamped(name, datetime.now(UTC)))

    def build(hidden: Sequence[Path]) -> None:
        (new,) = map(SweepDirectory, hidden)
        durable.write(new.config_path, text)
        durable.write(new.plan_path, lines)
        known = {"config_digest": digests.of_bytes(text), "plan_digest": digests.of_bytes(lines)}
        ledger.append(new.ledger_path, "started", **known, **facts)

    def can_be_continued(paths: Sequence[Path]) -> None:
        leave_behind(f"continue with\n  {command('resume', run_word(paths[0]))}")

    if not (shared and is_sweep(path)):
        try:
            (path,) = new_directories.create([path], build, numbered=not shared, created=can_be_continued)
        except RunError:
            if not (shared and is_sweep(path)):
                raise  # otherwise another process was faster
    return SweepDirectory(path)


def read_plan(sweep: SweepDirectory) -> list[PlannedCell]:
    """Return all cells planned so far.

    Raises:
        RunError: If the plan does not match the ledger.
    """
    known = {event["plan_digest"] for event in read_events(sweep) if "plan_digest" in event}
    if digests.of_bytes(content(sweep.plan_path, _LONGEST)) not in known:
        raise RunError(f"{sweep.plan_path}: it does not match the sweep's ledger; {DAMAGED}")
    rows: list[dict[str, Any]] = []

    def take(more: list[dict[str, Any]]) -> None:
        # Before they are kept: a file of lines of another kind may hold millions.
        for row in map(strict_json.restored, more):
            if problem := sweep_formats.CELL(row, ""):
                raise RunError(f"{sweep.plan_path}, line {len(rows) + 1}: {problem}; {DAMAGED}")
            rows.append(row)

    json_lines.read_plain(sweep.plan_path, take)
    if problem := sweep_formats.plan_problem(rows):
        raise RunError(f"{sweep.plan_path}, {problem}; {DAMAGED}")
    known_keys = {field.name for field in fields(PlannedCell)}
    return [PlannedCell(**{name: row[name] for name in row.keys() & known_keys}) for row in rows]


def read_events(sweep: SweepDirectory) -> tuple[dict[str, Any], ...]:
    """Return the events of the sweep's ledger, oldest first.

    Raises:
        RunError: If a line is damaged, or not what a sweep writes.
    """
    events = ledger.read(sweep.ledger_path, sweep_formats.EVENTS)
    if not events or events[0]["event"] != "started":
        raise RunError(incomplete(sweep.ledger_path))
    return events


def warnings_about(sweep: SweepDirectory) -> tuple[str, ...]:
    """Return what is not as it should be, although nothing that counts is lost; one sentence each.

    Raises:
        RunError: If a line of the ledger is damaged, or the config cannot be read.
    """
    found = []
    if ledger.read_all(sweep.ledger_path, sweep_formats.EVENTS)[1]:
        found.append(f"{sweep.ledger_path.name} {json_lines.TORN}")
    config = content(sweep.config_path, config_file.LONGEST)
    if digests.of_bytes(config) != read_events(sweep)[0]["config_digest"]:
        found.append(
            f"{sweep.config_path.name} is not the file that the sweep was started with: it was edited; the cells are "
            f"those of {sweep.plan_path.name} all the same"
        )
    return tuple(found)


def begun_runs(sweep: SweepDirectory) -> list[Path]:
    """Return the runs of the cells that have begun, in the order of the plan.

    Raises:
        RunError: If the plan does not match the ledger.
    """
    return [sweep.run(cell) for cell in read_plan(sweep) if sweep.is_begun(cell)]


def extend_plan(sweep: SweepDirectory, cells: Sequence[PlannedCell], event: str, **facts: Any) -> None:
    """Add cells to the plan, and the event that led to them to the ledger.

    The ledger is written first: a plan without its last lines can be completed from the runs, but a plan that the
    ledger does not know would be taken for damaged.
    """
    lines = _lines([*read_plan(sweep), *cells])
    ledger.append(sweep.ledger_path, event, plan_digest=digests.of_bytes(lines), **facts)
    durable.replace(sweep.plan_path, lines)


def is_sweep(path: Path | str) -> bool:
    """Return whether the two files exist that every sweep has."""
    files = [f"{path}/{name}" for name in ("sweep.yaml", "plan.jsonl")]
    # Where not even one of them can be looked at, the whole folder cannot, and it counts as a run.
    return all(map(is_there, files)) and any(map(os.path.lexists, files))


def all_sweeps(runs_dir: Path) -> list[Path]:
    """Return every sweep directly in `runs_dir`, oldest first."""
    return names.oldest_first(runs_dir, is_sweep)


def _lines(plan: Sequence[PlannedCell]) -> bytes:
    return json_lines.dumps([asdict(cell) for cell in plan])
