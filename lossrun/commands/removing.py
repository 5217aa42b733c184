"""Commands that remove runs and free disk space."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from lossrun.arguments import RunNames, RunsDir, Tags, Yes
from lossrun.commands.run_lookup import found_run_or_sweep, found_runs, how_to_list
from lossrun.errors import RunError
from lossrun.shell import DEFAULT_RUNS

if TYPE_CHECKING:
    from lossrun.records.removal import Removables


def rm(runs: RunNames = None, tag: Tags = None, yes: Yes = False, runs_dir: RunsDir = DEFAULT_RUNS) -> None:
    """Remove runs and sweeps for good, after showing them and asking. A run in progress is never removed."""
    from lossrun.errors import UsageError
    from lossrun.records.finding.runs import is_pattern
    from lossrun.records.removal import whole_runs

    if not runs and not tag:
        raise UsageError(f"rm needs a run, a pattern such as 'mnist-*', or --tag TAG; {how_to_list(runs_dir)}")
    if tag:
        found = found_runs(runs, runs_dir, tag)
    else:
        found = []
        for run in runs or []:
            found += found_runs([run], runs_dir, None) if is_pattern(run) else [found_run_or_sweep(run, runs_dir)[0]]
    _remove(whole_runs(found, runs_dir), yes=yes)


def gc(
    older_than: Annotated[
        str | None,
        typer.Option(
            metavar="LENGTH",
            help="Remove only what has not changed for this long: 30d, 12h, 90min.",
            show_default=False,
        ),
    ] = None,
    keep_best: Annotated[
        bool,
        typer.Option("--keep-best", help="Keep only the best weights. A finished run can then no longer be resumed."),
    ] = False,
    yes: Yes = False,
    runs_dir: RunsDir = DEFAULT_RUNS,
) -> None:
    """Free disk space, after showing what would be removed and asking.

    This removes all checkpoints of finished runs except the best and the last, runs that never finished a step, and
    leftover temporary files of killed writes.
    """
    from lossrun.analysis.selection import duration
    from lossrun.records.leftovers import superfluous

    _remove(
        superfluous(runs_dir, older_than=duration(older_than) if older_than else None, keep_best=keep_best), yes=yes
    )


def _remove(found: "Removables", *, yes: bool) -> None:
    """Show what will be removed, ask, and remove it. What cannot be removed is reported, and the rest is removed."""
    from lossrun.errors import LockedError, UsageError
    from lossrun.records.removal import remove
    from lossrun.report.layout.console import note, stderr, warning
    from lossrun.report.layout.numbers import format_size
    from lossrun.report.removables import print_removables

    console = stderr()
    print_removables(found, console)
    if not found.found:
        note(console, "nothing to remove")
        return
    if not yes:
        if not sys.stdin or not sys.stdin.isatty():
            raise UsageError("nothing was removed: there is no terminal to ask on; --yes removes without asking")
        console.print("Remove this for good? \\[y/N] ", end="")
        try:
            agreed = sys.stdin.readline().strip().lower() in ("y", "yes")
        except KeyboardInterrupt:
            agreed = False
        if not agreed:
            note(console, "nothing was removed")
            return
    freed, refused = 0, None
    for one in found.found:
        try:
            freed += remove(one)
        except (LockedError, RunError) as problem:
            warning(console, str(problem))
            refused = problem
    note(console, f"{format_size(freed)} freed ({freed} bytes)")
    if refused:
        sys.exit(refused.exit_code)
