"""The run directory: where each file lies, how a directory comes to be, and how a run is found by name."""

import os
import re
import secrets
import shutil
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from itertools import count
from pathlib import Path
from typing import Any, Final

from lossrun.errors import RunError
from lossrun.records import config_file, durable, strict_json

_STAMP: Final = "%Y%m%d-%H%M%S"
_STAMPED: Final = re.compile(r"(?P<stamp>\d{8}-\d{6})-(?P<name>.+)")
_RECENT: Final = re.compile(r"last(?:~(?P<back>\d+))?")
_LONGEST_SLUG: Final = 120  # characters; file systems allow 255 bytes for the whole name


@dataclass(frozen=True, slots=True)
class RunDirectory:
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
    *,
    config: Mapping[str, Any],
    environment: Mapping[str, Any],
    when: datetime | None = None,
) -> RunDirectory:
    """A new run directory `<UTC time>-<name>`, with config.yaml and run.json in it.

    It is built under a hidden name beside its place and then renamed, so that nobody sees half of it. A name already
    taken gets -2, -3 and so on. Raises RunError where the disk refuses, leaving nothing behind.
    """
    stamped = f"{(when or datetime.now(UTC)).astimezone(UTC):{_STAMP}}-{slug(name)}"
    hidden = runs_dir / f".{stamped}.{secrets.token_hex(4)}{durable.TEMPORARY_SUFFIX}"
    with durable.refusals_of_the_disk(runs_dir / stamped):
        try:
            runs_dir.mkdir(parents=True, exist_ok=True)
            new = RunDirectory(hidden)
            new.checkpoints.mkdir(parents=True)
            durable.write(new.config_path, config_file.dumps(config).encode())
            durable.write(new.run_json, (strict_json.dumps(dict(environment), indent=2) + "\n").encode())
            durable.sync_directory(hidden)
            final = _renamed(hidden, stamped)
        except BaseException:
            shutil.rmtree(hidden, ignore_errors=True)
            raise
        durable.sync_directory(runs_dir)
    return RunDirectory(final)


def slug(text: str) -> str:
    """`text` in the letters of a run's name: a-z, 0-9, dot, underscore and dash; "run" where nothing is left."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9._]+", "-", plain)[:_LONGEST_SLUG].strip("-.") or "run"


def all_runs(runs_dir: Path) -> list[Path]:
    """Every run directory directly under `runs_dir`, oldest first."""
    if not runs_dir.is_dir():
        return []
    return sorted((path for path in runs_dir.iterdir() if not path.name.startswith(".") and is_run(path)), key=_age)


def is_run(path: Path) -> bool:
    return (path / "config.yaml").is_file()


def find(spec: str, runs_dir: Path) -> Path:
    """The run that `spec` means: a path, a directory's name, a run's name (the newest of it), `last` or `last~1`
    (the one before), or the beginning of a single run's name.

    Where the answer's name is not `spec`, the caller says which run it is. Raises RunError with the candidates or the
    nearest names.
    """
    if is_run(path := Path(spec)):
        return path
    if "/" in spec or os.sep in spec:
        raise RunError(f"{spec} is no run directory: it has no config.yaml")
    runs = all_runs(runs_dir)
    if recent := _RECENT.fullmatch(spec):
        return _recent(int(recent["back"] or 0), runs, runs_dir)
    for path in runs:
        if path.name == spec:
            return path
    if named := [path for path in runs if _name(path) == slug(spec)]:
        return named[-1]
    return _by_beginning(spec, runs, runs_dir)


def _recent(back: int, runs: list[Path], runs_dir: Path) -> Path:
    if back >= len(runs):
        spec = f"last~{back}" if back else "last"
        raise RunError(f"{spec}: {runs_dir} holds {len(runs)} runs; `lossrun ls` lists them")
    return runs[-1 - back]


def _by_beginning(spec: str, runs: list[Path], runs_dir: Path) -> Path:
    matches = [path for path in runs if path.name.startswith(spec) or _name(path).startswith(spec)]
    if matches and len({_name(path) for path in matches}) == 1 and not matches[-1].name.startswith(spec):
        return matches[-1]
    if len(matches) == 1:
        return matches[0]
    if matches:
        listed = "".join(f"\n    {path.name}" for path in reversed(matches))
        raise RunError(f"{spec} is the beginning of {len(matches)} runs; write more of the one you mean:{listed}")
    names = [name for path in runs for name in (path.name, _name(path))]
    near = list(dict.fromkeys(get_close_matches(spec, names, n=3)))
    hint = f"did you mean {' or '.join(near)}?" if near else "`lossrun ls` lists the runs there are"
    raise RunError(f"no run {spec} in {runs_dir}; {hint}")


def _renamed(hidden: Path, stamped: str) -> Path:
    """Move the finished directory to the first free name. A directory with files in it is never overwritten."""
    for number in count(1):
        final = hidden.with_name(stamped if number == 1 else f"{stamped}-{number}")
        if final.exists():
            continue
        try:
            return hidden.rename(final)
        except OSError:
            if not final.exists():
                raise
    raise AssertionError("count() does not end")


def _name(path: Path) -> str:
    match = _STAMPED.fullmatch(path.name)
    return match["name"] if match else path.name


def _age(path: Path) -> tuple[str, int, str]:
    """Sorts by the time in the name, within a second by the config file's own (it is written once)."""
    written = (path / "config.yaml").stat().st_mtime_ns
    match = _STAMPED.fullmatch(path.name)
    return match["stamp"] if match else f"{datetime.fromtimestamp(written / 1e9, UTC):{_STAMP}}", written, path.name
