"""Name the files of a run directory, create one, and find runs by name."""

import os
import re
import shutil
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from itertools import count
from pathlib import Path
from typing import Any, Final

from lossrun.errors import RunError
from lossrun.files import read_regular
from lossrun.nearby import joined, nearby, nearest_first
from lossrun.records import ledger
from lossrun.records.files import config_file, durable, strict_json
from lossrun.shell import command

_STAMP: Final = "%Y%m%d-%H%M%S"
_STAMPED: Final = re.compile(r"(?P<stamp>\d{8}-\d{6})-(?P<name>.+)")
_RECENT: Final = re.compile(r"last(?:~(?P<back>\d+))?")
_WILDCARD: Final = re.compile(r"[*?\[]")  # characters that are never in a run's name
_NAMELESS: Final = "run"
_LONGEST_SLUG: Final = 120  # characters; file systems allow 255 bytes for the whole name


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """The paths of a run's files."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def config_path(self) -> Path:
        return self.path / "config.yaml"

    @property
    def run_json(self) -> Path:
        return self.path / "run.json"

    @property
    def history_path(self) -> Path:
        return self.path / "history.jsonl"

    @property
    def ledger_path(self) -> Path:
        return self.path / "ledger.jsonl"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def predictions_path(self) -> Path:
        return self.path / "predictions.npz"

    @property
    def preparation_path(self) -> Path:
        return self.path / "preparation.json"

    @property
    def source(self) -> Path:
        """The folder of copies of the user's own modules."""
        return self.path / "source"

    @property
    def lock_path(self) -> Path:
        return self.path / "lock"

    @property
    def owner_path(self) -> Path:
        return self.path / "owner.json"

    def best_weights_path(self, seed: int) -> Path:
        return self.checkpoints / f"best-seed{seed}.safetensors"


def create(
    runs_dir: Path,
    name: str,
    files: Mapping[str, bytes],
    *,
    when: datetime | None = None,
    begin: Callable[[RunDirectory], object] = lambda run: None,
    stamped: bool = True,
) -> RunDirectory:
    """Create a run directory `<UTC time>-<name>`, or `<name>` unless `stamped`, with these files.

    It is built under a hidden name and then renamed, so that nobody sees half of it. If the name is taken, it gets -2,
    -3, and so on.

    Args:
        files: The content of each, of config.yaml and run.json at least: see `file_contents`.
        begin: Writes further files into the new directory.

    Raises:
        RunError: If the disk refuses; nothing is left behind.
    """
    directory = f"{(when or datetime.now(UTC)).astimezone(UTC):{_STAMP}}-{slug(name)}" if stamped else slug(name)
    hidden = runs_dir / f".{directory}.{os.urandom(4).hex()}{durable.TEMPORARY_SUFFIX}"
    with durable.refusals_of_the_disk(runs_dir / directory):
        try:
            durable.make_directory(runs_dir)
            new = RunDirectory(hidden)
            new.checkpoints.mkdir(parents=True)
            for file, content in files.items():
                durable.write(hidden / file, content)
            begin(new)
            durable.sync_directory(hidden)
            final = _renamed(hidden, directory)
        except BaseException:
            shutil.rmtree(hidden, ignore_errors=True)
            raise
        durable.sync_directory(runs_dir)
    return RunDirectory(final)


def create_together(folder: Path, runs: Mapping[str, Mapping[str, bytes]]) -> None:
    """Create several run directories, each by its name with the content of its files, in one commit.

    Each is built under a hidden name and then renamed. A crash may leave some of them and not the others.

    Raises:
        RunError: If the disk refuses.
    """
    hidden = {name: folder / f".{name}.{os.urandom(4).hex()}{durable.TEMPORARY_SUFFIX}" for name in runs}
    with durable.refusals_of_the_disk(folder):
        try:
            for name, files in runs.items():
                RunDirectory(hidden[name]).checkpoints.mkdir(parents=True)
                for parent in {(hidden[name] / file).parent for file in files}:
                    parent.mkdir(parents=True, exist_ok=True)
            durable.write_all(
                (hidden[name] / file, data) for name, files in runs.items() for file, data in files.items()
            )
            for path in hidden.values():
                durable.sync_directory(path)
            for name, path in hidden.items():
                path.rename(folder / name)
        except BaseException:
            for path in hidden.values():
                shutil.rmtree(path, ignore_errors=True)
            raise
        durable.sync_directory(folder)


def file_contents(config: Mapping[str, Any], environment: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the content of config.yaml and run.json."""
    return {
        "config.yaml": config_file.dumps(config).encode(),
        "run.json": (strict_json.dumps(dict(environment), indent=2) + "\n").encode(),
    }


def slug(text: str) -> str:
    """Write `text` with the characters of a run's name: a-z, 0-9, dot, underscore, and dash; "run" if none is left."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9._]+", "-", plain)[:_LONGEST_SLUG].strip("-.") or _NAMELESS


def all_runs(runs_dir: Path) -> list[Path]:
    """Return every run directory directly in `runs_dir`, oldest first."""
    if not runs_dir.is_dir():
        return []
    return sorted((path for path in runs_dir.iterdir() if not path.name.startswith(".") and is_run(path)), key=age)


def is_run(path: Path) -> bool:
    """Return whether the two files exist that every run has. A config alone may belong to anything."""
    return not _missing(path)


def bare_name(path: Path) -> str:
    """Return the run's name without the time; runs from different times may share it."""
    match = _STAMPED.fullmatch(path.name)
    return match["name"] if match else path.name


def is_pattern(spec: str) -> bool:
    """Return whether `spec` is a pattern for names of runs: `mnist-*`, `*-adam`, `2026112[01]-*`."""
    return bool(_WILDCARD.search(spec))


def find(spec: str, runs_dir: Path) -> Path:
    """Return the run that `spec` means.

    It may be a path, a directory's name, a run's name (the newest run), `last` or `last~1` (the one before), the
    beginning of a single run's name, or a pattern that matches a single run. If the result has another name, the caller
    says which run it is.

    Raises:
        RunError: If there is no such run, or several, with the candidates or the nearest names.
    """
    if is_run(path := Path(spec)):
        return path
    if is_pattern(spec):
        matches = _by_pattern(spec, runs_dir)
        if len(matches) > 1:
            raise RunError(f"{spec} matches {len(matches)} runs, but this command needs one:{_listed(matches)}")
        return matches[0]
    runs = all_runs(runs_dir)
    if "/" in spec or os.sep in spec:
        if named := _called(spec, runs):
            return named
        near = "" if path.is_dir() else _near_path(path)
        raise RunError(f"{spec} is not a run directory: it has no {' and no '.join(_missing(path))}{near}")
    if (back := steps_back(spec)) is not None:
        return recent(back, runs, runs_dir)
    for path in runs:
        if path.name == spec:
            return path
    if named := _called(spec, runs):
        return named
    return _by_beginning(spec, runs, runs_dir)


def find_all(
    specs: Sequence[str],
    runs_dir: Path,
    tags: Sequence[str] = (),
    told: Callable[[str, Path], None] = lambda spec, path: None,
) -> list[Path]:
    """Return the runs that the specs mean, in the order given, and only those with all `tags`.

    A pattern is matched, ignoring case, with the names of directories and of runs; it adds every run that is not there
    yet, oldest first. Other specs are as for `find`, and `told(spec, path)` is called with the run found. Without
    specs, all runs with the tags are returned.

    Raises:
        RunError: For a spec that means no run, or if no run is left.
    """
    found = [] if specs else all_runs(runs_dir)
    for spec in specs:
        if is_pattern(spec) and not is_run(Path(spec)):
            there = {path.resolve() for path in found}
            found += [path for path in _by_pattern(spec, runs_dir) if path.resolve() not in there]
        else:
            path = find(spec, runs_dir)
            told(spec, path)
            found.append(path)
    kept = [path for path in found if has_tags(path, tags)]
    if kept:
        return kept
    if not found:
        raise RunError(f"{runs_dir} has no runs; `{command('train', 'CONFIG', runs_dir=runs_dir)}` starts one")
    among = f"of {', '.join(specs)}" if specs else f"in {runs_dir}"
    shows = command("show", "RUN", runs_dir=runs_dir)
    raise RunError(
        f"no run {among} has the tag{'s' * (len(tags) > 1)} {' and '.join(tags)}; `{shows}` shows a run's tags"
    )


def has_tags(path: Path, tags: Sequence[str]) -> bool:
    """Return whether the run's effective config has all of `tags`; False for a damaged run."""
    if not tags:
        return True
    run = RunDirectory(path)
    try:
        if all(_is_written_in(run, tag) for tag in tags):
            events = ledger.read(run.ledger_path)
            config = ledger.recorded_config(events) or config_file.read(run.config_path)
            config = ledger.effective_config(config, events)
            return set(tags) <= set(config.get("tags") or ())
    except (OSError, RunError):
        pass
    return False


def _missing(path: Path) -> list[str]:
    run = RunDirectory(path)
    try:
        return [file.name for file in (run.config_path, run.run_json) if not file.is_file()]
    except PermissionError:
        return ["readable files"]


def steps_back(spec: str) -> int | None:
    """Return 0 for `last`, 1 for `last~1` and so on; None for anything else."""
    match = _RECENT.fullmatch(spec)
    return int(match["back"] or 0) if match else None


def recent(back: int, runs: Sequence[Path], runs_dir: Path) -> Path:
    """Return the run that is `back` runs before the newest one, which is the last of `runs`.

    Raises:
        RunError: If there are not so many.
    """
    if back >= len(runs):
        spec = f"last~{back}" if back else "last"
        raise RunError(
            f"{spec}: {runs_dir} has {len(runs)} run{'s' * (len(runs) != 1)}; "
            f"`{command('ls', runs_dir=runs_dir)}` lists the runs"
        )
    return runs[-1 - back]


def _called(name: str, runs: list[Path]) -> Path | None:
    """Return the newest run with this name.

    Directory names are simplified (`slug`), so that different names may look the same; the config has the original
    name.
    """
    folded = slug(name)
    # Runs from the same second have a number after the name.
    like = re.compile(rf"{re.escape(folded)}(-\d+)?")
    same = [path for path in reversed(runs) if like.fullmatch(bare_name(path))]
    for path in same:
        if (folded == name and bare_name(path) == folded) or configured_name(path) == name:
            return path
    # All names without a Latin letter are simplified to the same one.
    named = [path for path in same if bare_name(path) == folded and folded != _NAMELESS]
    return named[0] if named else None


def configured_name(path: Path) -> str | None:
    """Return the run's name as the user wrote it; None if the config cannot be read."""
    try:
        name = config_file.read(RunDirectory(path).config_path).get("name")
    except RunError:
        return None
    return name if isinstance(name, str) else None


def _by_beginning(spec: str, runs: list[Path], runs_dir: Path) -> Path:
    matches = [path for path in runs if path.name.startswith(spec) or bare_name(path).startswith(spec)]
    if matches and len({bare_name(path) for path in matches}) == 1 and not matches[-1].name.startswith(spec):
        return matches[-1]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise RunError(f"{spec} is the beginning of {len(matches)} runs; write more of the name:{_listed(matches)}")
    if not runs_dir.is_dir():
        raise RunError(f"no run {spec}{nearby(runs_dir / spec)}")
    lists = f"`{command('ls', runs_dir=runs_dir)}` lists the runs"
    if not runs:
        raise RunError(f"no run {spec} in {runs_dir}, which has no runs; {lists}")
    # Compare with names of runs, or with names of directories if `spec` starts with a time.
    names = [path.name if spec[:1].isdigit() else bare_name(path) for path in reversed(runs)]
    near = nearest_first(spec, list(dict.fromkeys(names)), "run", "there", count=len(runs), words=("last", "last~1"))
    raise RunError(joined(f"no run {spec} in {runs_dir}{near}", lists))


def _near_path(path: Path) -> str:
    """Name the run that may be meant, next to where this one was looked for."""
    if not path.parent.is_dir():
        return nearby(path)
    runs = all_runs(path.parent)
    return nearest_first(path.name, [run.name for run in reversed(runs)], "run", f"in {path.parent}")


def _by_pattern(spec: str, runs_dir: Path) -> list[Path]:
    """Return the runs that match, oldest first. A pattern with a slash is for the last part of a path."""
    if "/" in spec or os.sep in spec:
        matches = sorted((path for path in Path(spec).parent.glob(Path(spec).name) if is_run(path)), key=age)
    else:
        folded = spec.lower()
        matches = [
            path
            for path in all_runs(runs_dir)
            if fnmatchcase(path.name.lower(), folded) or fnmatchcase(bare_name(path).lower(), folded)
        ]
    if not matches:
        raise RunError(f"no run in {runs_dir} matches {spec}; `{command('ls', runs_dir=runs_dir)}` lists the runs")
    return matches


def _listed(runs: Sequence[Path]) -> str:
    """Write a line for each run, newest first."""
    return "".join(f"\n    {path.name}" for path in reversed(runs))


def _is_written_in(run: RunDirectory, tag: str) -> bool:
    """Return whether the text of `tag` is in the run's files at all, which is much faster to check."""
    plain = tag.encode()
    if not re.fullmatch(rb"[\w.-]+", plain):
        return True  # may be written with escapes
    return any(path.is_file() and plain in read_regular(path) for path in (run.config_path, run.ledger_path))


def _renamed(hidden: Path, stamped: str) -> Path:
    """Move the new directory to the first free name. A directory with files in it is never overwritten."""
    for number in count(1):
        final = hidden.with_name(stamped if number == 1 else f"{stamped}-{number}")
        if final.exists():
            continue
        try:
            return hidden.rename(final)
        except OSError:
            if not final.exists():
                raise
    raise AssertionError("count() never ends")


def age(path: Path, written_once: str = "config.yaml") -> tuple[str, int, str]:
    """Return what sorts runs, oldest first: the time in the name, and within a second that of a file written once."""
    try:
        written = (path / written_once).stat().st_mtime_ns
    except FileNotFoundError:
        written = 0  # it was removed in the meantime
    match = _STAMPED.fullmatch(path.name)
    return match["stamp"] if match else f"{datetime.fromtimestamp(written / 1e9, UTC):{_STAMP}}", written, path.name
