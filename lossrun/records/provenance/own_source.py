"""The copies of the user's own modules that a run keeps, held against the digests that run.json has of them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lossrun.errors import RunError
from lossrun.records.files import digests
from lossrun.records.files.digests import DAMAGED
from lossrun.records.provenance.source_code import recorded_source
from lossrun.records.recorded import RecordedRun
from lossrun.records.run_directory import RunDirectory


def check_copies(run: RecordedRun) -> None:
    """Raises RunError for a copy that is not what the run was trained with."""
    for path in changed_files(run, RunDirectory(run.path).source):
        raise RunError(f"{path}: it does not agree with its digest; {DAMAGED}")


def changed_files(run: RecordedRun, folder: Path) -> list[Path]:
    """The files of the run's own modules in a folder that are not what the run was last trained with, or not there."""
    code, copies = _last_environment(run).get("code"), RunDirectory(run.path).source
    changed = []
    for component in code if isinstance(code, dict) else ():
        for module, digest in recorded_source(code, component).items():
            stem = module.replace(".", "/")
            for name in (f"{stem}.py", f"{stem}/__init__.py"):
                path = folder / name
                if path.is_file():
                    if digests.of_bytes(path.read_bytes()) != digest:
                        changed.append(path)
                elif (copies / name).is_file():
                    changed.append(path)
    return changed


def _last_environment(run: RecordedRun) -> Mapping[str, Any]:
    every = [run.environment, *(event["environment"] for event in run.ledger if "environment" in event)]
    return dict(every[-1])
