"""Read the arguments that the functions share: configs, overrides, runs and folders."""

import json
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Literal, TypeAlias

from lossrun.api.results import Sweep
from lossrun.config import Change, Draft, Override, SourcedConfig, draft_of_mapping, plain, read_draft
from lossrun.data import default_data_dir
from lossrun.errors import UsageError
from lossrun.files import named_path
from lossrun.records.finding.runs import find
from lossrun.records.finding.sweeps import named_sweep
from lossrun.records.recorded import RecordedRun

ConfigLike: TypeAlias = str | PathLike[str] | Mapping[str, Any]
RunLike: TypeAlias = RecordedRun | str | PathLike[str]
SweepLike: TypeAlias = Sweep | str | PathLike[str]
Jobs: TypeAlias = int | Literal["auto"] | None
Overrides: TypeAlias = str | Sequence[str] | Mapping[str, Any]
Alternatives: TypeAlias = str | Sequence[str] | Mapping[str, Any]


def config_of(config: ConfigLike, overrides: Overrides) -> SourcedConfig:
    return draft_of(config, overrides).validated()


def draft_of(config: ConfigLike, overrides: Overrides) -> Draft:
    """Return the config that is given, not validated."""
    changes = changes_of(overrides)
    if isinstance(config, Mapping):
        return draft_of_mapping(plain(config), _current_folder(), changes)
    return read_draft(expanded(config), changes)


def _current_folder() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise UsageError("the current folder no longer exists; change to another one with os.chdir") from None


def changes_of(overrides: Overrides) -> list[Override]:
    if isinstance(overrides, str):
        return [overrides]
    if isinstance(overrides, Mapping):
        return [Change(str(key), plain(value), f"overrides[{key!r}]") for key, value in overrides.items()]
    return list(overrides)


def options_of(over: Alternatives) -> list[str]:
    """Return the alternatives of a sweep as `--over` takes them."""
    if isinstance(over, Mapping):
        return [f"{key}={_in_json(key, plain(value))}" for key, value in over.items()]
    return [over] if isinstance(over, str) else list(over)


def _in_json(key: str, value: Any) -> str:
    try:
        return json.dumps(value)
    except TypeError as error:
        raise UsageError(f"over[{key!r}]: {error}; write names, numbers and texts, as in a config") from None


def path_of(run: RunLike, runs_dir: str | PathLike[str]) -> Path:
    if isinstance(run, RecordedRun):
        return run.path
    if (sweep := named_sweep(words_of(run), expanded(runs_dir))) is not None:
        raise UsageError(
            f"{run} is a sweep: lossrun.load_sweep shows what it has found, lossrun.resume_sweep continues it, and its "
            f"runs are the folders in {sweep}"
        )
    return find(words_of(run), expanded(runs_dir))


def words_of(run: str | PathLike[str]) -> str:
    """Return the words that name a run or a sweep, with `~` as in a path."""
    text = str(run)
    return str(expanded(text)) if text.startswith("~/") else text


def data_folder(given: str | PathLike[str] | None) -> Path:
    return optional(given) or default_data_dir()


def jobs_of(jobs: Jobs) -> int | None:
    """Return the number of worker processes; None for one per core. Raises UsageError."""
    if jobs is None or jobs == "auto":
        return None
    if jobs < 1:
        raise UsageError(f"jobs={jobs!r}: expected an integer from 1 on, or None for one process per core")
    return jobs


def optional(given: str | PathLike[str] | None) -> Path | None:
    """Return the folder of the datasets; None for the one that a run last used."""
    return None if given is None else expanded(given)


def expanded(given: str | PathLike[str]) -> Path:
    """Return the path; `~` at its beginning is the home directory. Raises UsageError for an empty one."""
    if not str(given):
        raise UsageError("'': the name is empty; expected a path")
    path = named_path(given)
    if "\0" in str(path):
        raise UsageError(f"{str(given)!r}: a path has no character with the code 0")
    if path.parts[:1] == ("~",):
        raise UsageError(f"{given}: there is no home directory; write the whole path")
    return path
