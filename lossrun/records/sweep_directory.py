"""Write and read the directory of a sweep.

sweep.yaml: the config as it was given, resolved, with its sweep block.

plan.jsonl: one line for each cell: its directory, its phase (tune or final), its pair, what it changes, and its stack.

ledger.jsonl: started, tuned (the value that each pair got), resumed, finished; with the digest of the plan.

stacks/<stack>/step-...: while a stack trains, the state of all its cells in one checkpoint.

<cell>/: an ordinary run directory.
"""

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from lossrun.errors import RunError
from lossrun.files import LARGE, read_regular
from lossrun.nearby import nearest_first
from lossrun.records import ledger
from lossrun.records.files import config_file, digests, durable, json_lines
from lossrun.records.files.digests import DAMAGED
from lossrun.records.run_directory import (
    age,
    all_runs,
    bare_name,
    find,
    is_pattern,
    is_run,
    recent,
    slug,
    steps_back,
)
from lossrun.shell import command

Phase: TypeAlias = Literal["tune", "final"]
_STAMP: Final = "%Y%m%d-%H%M%S"


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
            of beginning with the time, and whoever comes later gets the directory that is there.

    Raises:
        RunError: If the disk refuses.
    """
    text, lines = config_file.dumps(config).encode(), _lines(plan)
    stamp = f"{datetime.now(UTC):{_STAMP}}"
    stamped = f"{slug(name)}-{digests.of_bytes(text + lines)[:8]}" if shared else f"{stamp}-{slug(name)}"
    if shared and is_sweep(runs_dir / stamped):
        return SweepDirectory(runs_dir / stamped)
    hidden = runs_dir / f".{stamp}-{slug(name)}.{os.urandom(4).hex()}{durable.TEMPORARY_SUFFIX}"
    with durable.refusals_of_the_disk(runs_dir / stamped):
        try:
            durable.make_directory(runs_dir)
            hidden.mkdir()
            new = SweepDirectory(hidden)
            durable.write(new.config_path, text)
            durable.write(new.plan_path, lines)
            ledger.append(
                new.ledger_path,
                "started",
                config_digest=digests.of_bytes(text),
                plan_digest=digests.of_bytes(lines),
                **facts,
            )
            durable.sync_directory(hidden)
            final, number = hidden.with_name(stamped), 1
            while final.exists() and not shared:
                number += 1
                final = hidden.with_name(f"{stamped}-{number}")
            try:
                hidden.rename(final)
            except OSError:
                if not (shared and is_sweep(final)):
                    raise
                shutil.rmtree(hidden)  # another process was faster
        except BaseException:
            shutil.rmtree(hidden, ignore_errors=True)
            raise
        durable.sync_directory(runs_dir)
    return SweepDirectory(final)


def read_plan(sweep: SweepDirectory) -> list[PlannedCell]:
    """Return all cells planned so far.

    Raises:
        RunError: If the plan does not match the ledger.
    """
    known = {event["plan_digest"] for event in ledger.read(sweep.ledger_path) if "plan_digest" in event}
    try:
        content = read_regular(sweep.plan_path, LARGE)
    except OSError as error:
        raise RunError(f"cannot read {sweep.plan_path}: {error.strerror or error}") from error
    if digests.of_bytes(content) not in known:
        raise RunError(f"{sweep.plan_path}: it does not match the sweep's ledger; {DAMAGED}")
    rows, _ = json_lines.read(sweep.plan_path)
    return [PlannedCell(**row) for row in rows]


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


def is_sweep(path: Path) -> bool:
    sweep = SweepDirectory(path)
    return sweep.config_path.is_file() and sweep.plan_path.is_file()


def all_sweeps(runs_dir: Path) -> list[Path]:
    """Return every sweep directly in `runs_dir`, oldest first."""
    if not runs_dir.is_dir():
        return []
    return sorted((path for path in runs_dir.iterdir() if not path.name.startswith(".") and is_sweep(path)), key=_age)


def _age(path: Path) -> tuple[str, int, str]:
    return age(path, SweepDirectory(path).config_path.name if is_sweep(path) else "config.yaml")


def find_run_or_sweep(spec: str, runs_dir: Path) -> Path:
    """Return the run or the sweep that `spec` means: `last` counts both, and so does the beginning of a name.

    Raises:
        RunError: If there is none, or several.
    """
    if (sweep := named_sweep(spec, runs_dir)) is not None:
        return sweep
    if (back := steps_back(spec)) is not None:
        return recent(back, sorted([*all_runs(runs_dir), *all_sweeps(runs_dir)], key=_age), runs_dir)
    begun = beginning_with(spec, runs_dir)
    try:
        run = find(spec, runs_dir)
    except RunError:
        if len(begun) == 1:
            return begun[0]
        if begun:
            raise _several(spec, begun) from None
        if is_pattern(spec) or os.sep in spec or not (sweeps := all_sweeps(runs_dir)):
            raise
        names = [bare_name(path) for path in sorted([*all_runs(runs_dir), *sweeps], key=_age, reverse=True)]
        near = nearest_first(spec, list(dict.fromkeys(names)), "run or sweep", "there", words=("last", "last~1"))
        raise RunError(
            f"no run or sweep {spec} in {runs_dir}{near}; `{command('ls', runs_dir=runs_dir)}` lists all"
        ) from None
    if begun and spec not in (run.name, bare_name(run), str(run)):
        raise _several(spec, [run, *begun])
    return run


def find_sweep(spec: str, runs_dir: Path) -> Path:
    """Return the sweep that `spec` means: a path, a name, its beginning, or `last`, the newest sweep.

    Raises:
        RunError: If there is none, or several.
    """
    if (sweep := named_sweep(spec, runs_dir)) is not None:
        return sweep
    back, sweeps = steps_back(spec), all_sweeps(runs_dir)
    if back is not None and back < len(sweeps):
        return sweeps[-1 - back]
    begun = beginning_with(spec, runs_dir)
    if len(begun) > 1:
        raise _several(spec, begun)
    if not begun:
        near = nearest_first(spec, [path.name for path in reversed(sweeps)], "sweep", f"in {runs_dir}")
        raise RunError(f"no sweep {spec}{near}; `{command('sweep', 'CONFIG', runs_dir=runs_dir)}` starts one")
    return begun[0]


def beginning_with(spec: str, runs_dir: Path) -> list[Path]:
    """Return the sweeps whose name, with or without the time, begins with `spec`; of one name the newest."""
    found = [path for path in all_sweeps(runs_dir) if path.name.startswith(spec)]
    bare = {bare_name(path): path for path in all_sweeps(runs_dir) if bare_name(path).startswith(spec)}
    return found or list(bare.values())


def _several(spec: str, found: Sequence[Path]) -> RunError:
    listed = "".join(f"\n    {path.name}" for path in found)
    return RunError(f"{spec} is the beginning of {len(found)} names; write more of the name:{listed}")


def named_sweep(spec: str, runs_dir: Path) -> Path | None:
    """Return the sweep that `spec` means; None if there is none.

    It is a path, a directory's name, or a sweep's name: the newest of it, in its own letters or in the directory's.
    """
    if is_sweep(path := Path(spec)):
        return path
    sweeps = [path for path in reversed(all_sweeps(runs_dir)) if slug(spec) in path.name]
    for path in sweeps:
        if spec == path.name:
            return path
    like = re.compile(rf"{re.escape(slug(spec))}(-\d+)?")  # one made within the same second has a number behind it
    alike = [path for path in sweeps if like.fullmatch(bare_name(path))]
    exact = (path for path in alike if bare_name(path) == spec or configured_name(SweepDirectory(path)) == spec)
    return next(exact, None) or next((path for path in alike if bare_name(path) == slug(spec) != slug("")), None)


def configured_name(sweep: SweepDirectory) -> str | None:
    """Return the sweep's name as it was given; None where its config cannot be read."""
    try:
        name = config_file.read(sweep.config_path).get("name")
    except RunError:
        return None
    return name if isinstance(name, str) else None


def _lines(plan: Sequence[PlannedCell]) -> bytes:
    return json_lines.dumps([asdict(cell) for cell in plan])
