"""Check the runs that a command was given."""

from collections.abc import Sequence
from pathlib import Path

from lossrun.errors import UsageError
from lossrun.records.recorded import RecordedRun
from lossrun.shell import command


def check_at_least_two(count: int, runs_dir: Path | None = None) -> None:
    """Raise UsageError if `compare` was given fewer than two runs."""
    if count < 2:
        raise UsageError(
            f"compare needs a sweep or at least two runs, not {count} run{'' if count == 1 else 's'}; "
            f"`{command('ls', runs_dir=runs_dir)}` lists them, `{command('show', 'RUN', runs_dir=runs_dir)}` shows one"
        )


def check_different(runs: Sequence[RecordedRun], command_name: str) -> None:
    """Raise UsageError if a run was given twice."""
    paths = [run.path.resolve() for run in runs]
    for path in paths:
        if paths.count(path) > 1:
            raise UsageError(f"{path.name} is given twice; {command_name} needs different runs")
