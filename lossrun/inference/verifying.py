"""Verify a run: its files, and its training."""

from pathlib import Path

from lossrun.analysis.verification import Verification as Verification
from lossrun.analysis.verification import file_checks, remarks
from lossrun.records import recorded
from lossrun.training.starting.replaying import replayed


def verified(path: Path, *, whole: bool = False, data_dir: Path | None = None) -> Verification:
    """Check the files of a run, and train its last steps again. Nothing is written into it.

    Args:
        whole: Whether to train all of its steps again.

    Raises:
        RunError: If a file cannot be trusted at all.
        DataError: If the data are missing or have changed.
    """
    run = recorded.load(path)
    checks = list(file_checks(run))
    if all(check.passed for check in checks):
        checks += replayed(run, whole=whole, data_dir=data_dir)
    return Verification(run.name, path, tuple(checks), tuple(remarks(run)))
