"""Name the files of a run directory, and create one."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lossrun.files import is_there
from lossrun.records import names
from lossrun.records.files import config_file, durable, new_directories, strict_json


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
    created: Callable[[Path], object] = lambda path: None,
    stamped: bool = True,
) -> RunDirectory:
    """Create a run directory `<UTC time>-<name>`, or `<name>` unless `stamped`, with these files.

    If the name is taken, it gets -2, -3, and so on.

    Args:
        files: The content of each, of config.yaml and run.json at least: see `file_contents`.
        begin: Writes further files into the new directory.
        created: Called with its path once the run exists, before a stop can end the command.

    Raises:
        RunError: If writing fails, or it is not `stamped` and `runs_dir` does not exist; nothing is left behind.
    """

    def build(hidden: Sequence[Path]) -> None:
        (run,) = map(RunDirectory, hidden)
        run.checkpoints.mkdir()
        for file, content in files.items():
            durable.write(run.path / file, content)
        begin(run)

    directory = names.stamped(name, when or datetime.now(UTC)) if stamped else names.slug(name)
    # A run without a stamp is a cell, and a sweep that is gone must not begin again with it.
    (path,) = new_directories.create(
        [runs_dir / directory], build, numbered=True, makes_folder=stamped, created=lambda paths: created(paths[0])
    )
    return RunDirectory(path)


def create_together(folder: Path, runs: Mapping[str, Mapping[str, bytes]]) -> None:
    """Create several run directories, each by its name with the content of its files, in one commit.

    Raises:
        RunError: If writing fails, or `folder` does not exist.
    """

    def build(hidden: Sequence[Path]) -> None:
        contents = [
            (directory / file, data)
            for directory, files in zip(hidden, runs.values(), strict=True)
            for file, data in files.items()
        ]
        for directory in hidden:
            RunDirectory(directory).checkpoints.mkdir()
        for parent in {path.parent for path, _ in contents}:
            parent.mkdir(parents=True, exist_ok=True)
        durable.write_all(contents)

    new_directories.create([folder / name for name in runs], build, makes_folder=False)


def file_contents(config: Mapping[str, Any], environment: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the content of config.yaml and run.json."""
    return {
        "config.yaml": config_file.dumps(config).encode(),
        "run.json": (strict_json.dumps(dict(environment), indent=2) + "\n").encode(),
    }


def all_runs(runs_dir: Path) -> list[Path]:
    """Return every run directory directly in `runs_dir`, oldest first, also one that has lost a file.

    A folder that this process may not read counts as a run if its name looks like one.
    """

    def belongs(path: str) -> bool:
        return (names.is_stamped(path) or is_open(path)) if is_run(path) else has_lost_a_file(path)

    return names.oldest_first(runs_dir, belongs)


def is_open(path: Path | str) -> bool:
    """Return whether this process may look at what is in a folder."""
    try:
        os.lstat(f"{path}/.")
    except OSError:
        return False
    return True


def is_run(path: Path | str) -> bool:
    """Return whether the two files exist that every run has. A config alone may belong to anything.

    The files may be damaged, broken links, or on a failing disk; reading the run then raises an error.
    """
    return not missing_files(path)


def has_lost_a_file(path: Path | str) -> bool:
    """Return whether this was a run: its name and its checkpoints tell, although a file that every run has is gone."""
    return names.is_stamped(str(path)) and is_there(f"{path}/checkpoints") and not is_run(path)


def missing_files(path: Path | str) -> list[str]:
    """Return the names of the files that every run has and that do not exist here."""
    # Creating path objects would take too long for a listing of thousands of runs.
    return [name for name in ("config.yaml", "run.json") if not is_there(f"{path}/{name}")]
