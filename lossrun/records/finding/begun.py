"""Find the run that was already started from a config, for batch systems that repeat the same command."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lossrun.records import ledger
from lossrun.records.files import config_file
from lossrun.records.files.edits import digest
from lossrun.records.names import has_name
from lossrun.records.run_directory import RunDirectory, all_runs, is_open


def begun(config: Mapping[str, Any], name: str, runs_dir: Path) -> Path | None:
    """Return the newest run of this name that was started with exactly this config.

    Args:
        config: The resolved config, with every default.
        name: The run's name.

    Raises:
        RunError: If a run of this name is damaged, because it may be the run in question.
    """
    wanted = digest(config)
    for path in reversed(all_runs(runs_dir)):
        if not has_name(path, name) or _is_of_another_user(path):
            continue
        run = RunDirectory(path)
        started = ledger.recorded_config(ledger.read(run.ledger_path)) or config_file.read(run.config_path)
        if digest(started) == wanted:
            return path
    return None


def _is_of_another_user(path: Path) -> bool:
    """Return whether a run belongs to somebody who lets nobody else in, so that it is not the one in question."""
    return not is_open(path) and path.lstat().st_uid != os.geteuid()
