"""Check the copies of the user's own modules that a run keeps against their digests in run.json."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lossrun.errors import RunError
from lossrun.files import is_there, read_regular
from lossrun.records.files import digests
from lossrun.records.files.contents import unreadable
from lossrun.records.files.digests import DAMAGED
from lossrun.records.provenance.source_code import recorded_source
from lossrun.records.recorded import RecordedRun
from lossrun.records.run_directory import RunDirectory


def check_copies(run: RecordedRun) -> None:
    """Check the run's copies of modules.

    Raises:
        RunError: If a copy is not what the run was trained with.
    """
    folder = RunDirectory(run.path).source
    try:
        is_other = is_there(folder) and not folder.is_dir()
    except OSError as error:
        raise RunError(unreadable(folder, error)) from error
    if is_other:
        raise RunError(f"{folder}: not a folder; {DAMAGED}")
    for path in changed_files(run, folder):
        raise RunError(f"{path}: the content does not match its digest; {DAMAGED}")


def changed_files(run: RecordedRun, folder: Path, only: str = "") -> list[Path]:
    """Return the files of the run's own modules in a folder that differ from its last training, or are missing.

    Args:
        only: The module of a component, to look only at this one and at those that it imports.
    """
    code, copies = _last_environment(run).get("code"), RunDirectory(run.path).source
    changed = []
    for component in code if isinstance(code, dict) else ():
        if only not in ("", component):
            continue
        for module, digest in recorded_source(code, component).items():
            stem = module.replace(".", "/")
            for name in (f"{stem}.py", f"{stem}/__init__.py"):
                path = folder / name
                if is_there(path):
                    if _digest(path) != digest:
                        changed.append(path)
                elif is_there(copies / name):
                    changed.append(path)
    return changed


def _digest(path: Path) -> str:
    """Return the digest of a file; "" if it cannot be read."""
    try:
        return digests.of_bytes(read_regular(path))
    except OSError:
        return ""


def _last_environment(run: RecordedRun) -> Mapping[str, Any]:
    every = [run.environment, *(event["environment"] for event in run.ledger if "environment" in event)]
    return dict(every[-1])
