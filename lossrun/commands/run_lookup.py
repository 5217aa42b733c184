"""Find the runs and configs that the command line names."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lossrun.packaged import packaged_config
from lossrun.shell import STDIN, command

if TYPE_CHECKING:
    from lossrun.config import Draft, Override, SourcedConfig
    from lossrun.records.recorded import RecordedRun


def found_run(run: str, runs_dir: Path) -> Path:
    """Return the directory of a run, and print which run it is if the argument could mean another."""
    from lossrun.records.finding.runs import find
    from lossrun.report.layout.console import note, stderr

    _refuse_sweep(run, runs_dir)
    cell, folder = _within_sweep(run, runs_dir)
    path = find(cell, folder)
    if path.name != Path(run).name:
        note(stderr(), f"{run} is {path.name}")
    return path


def found_run_or_sweep(spec: str, runs_dir: Path, *, quiet: bool = False) -> tuple[Path, bool]:
    """Return the directory that the argument means and whether it is a sweep; print which if it was not clear."""
    from lossrun.records.finding.sweeps import find_run_or_sweep
    from lossrun.records.sweep_directory import is_sweep
    from lossrun.report.layout.console import note, stderr

    path = find_run_or_sweep(*_within_sweep(spec, runs_dir))
    sweep = is_sweep(path)
    if path.name != Path(spec).name and not quiet:
        note(stderr(), f"{spec} is {'the sweep ' if sweep else ''}{path.name}")
    return path, sweep


def single_argument(runs: Sequence[str] | None, tags: Sequence[str] | None, runs_dir: Path) -> tuple[Path | None, bool]:
    """Return the run or sweep that a lone argument means, and whether it is a sweep; None for patterns, tags, several.

    Raises RunError for an argument that means nothing, if there are sweeps that it may have been meant for; otherwise
    it is None, and the search for the run reports what is wrong.
    """
    from lossrun.errors import RunError
    from lossrun.records.finding.runs import is_pattern
    from lossrun.records.sweep_directory import all_sweeps

    if not runs or len(runs) != 1 or tags or is_pattern(runs[0]):
        return None, False
    try:
        return found_run_or_sweep(runs[0], runs_dir)
    except RunError:
        if all_sweeps(runs_dir):
            raise
        return None, False


def _within_sweep(spec: str, runs_dir: Path) -> tuple[str, Path]:
    """Return what to look for and in which folder: of `SWEEP/CELL` it is the cell, in the sweep."""
    sweep, _, cell = spec.rpartition("/")
    if sweep and cell and not Path(spec).exists() and (path := _sweep_meant(sweep, runs_dir)):
        return cell, path
    return spec, runs_dir


def _refuse_sweep(run: str, runs_dir: Path, *, several: bool = False) -> None:
    """Raise UsageError for a sweep where a run is needed, with a run of it.

    `several`: whether the command takes several runs, so that all final runs of the sweep may be meant.
    """
    from lossrun.errors import UsageError
    from lossrun.records.sweep_directory import SweepDirectory, read_plan
    from lossrun.shell import run_command

    if (path := _sweep_meant(run, runs_dir)) is None:
        return
    sweep = SweepDirectory(path)
    cell = next((cell for cell in reversed(read_plan(sweep)) if sweep.is_begun(cell)), None)
    named = f"; a run of it is meant here, such as {sweep.run(cell)}" if cell else ""
    if several and cell and cell.phase == "final":
        named += f", or '{run}/final-*', all of its final runs"
    raise UsageError(f"{run} is a sweep, which `{run_command('compare', path)}` shows{named}")


def _sweep_meant(spec: str, runs_dir: Path) -> Path | None:
    """Return the sweep that the argument means if it means no run. `last` is the newest run where a run is needed."""
    from lossrun.errors import RunError
    from lossrun.records.finding.runs import find, is_pattern, steps_back
    from lossrun.records.finding.sweeps import named_sweep, sweeps_beginning_with

    if (path := named_sweep(spec, runs_dir)) is not None:
        return path
    if steps_back(spec) is not None or is_pattern(spec) or not (begun := sweeps_beginning_with(spec, runs_dir)):
        return None
    try:
        find(spec, runs_dir)
    except RunError:
        return begun[-1]
    return None


def found_runs(
    runs: list[str] | None, runs_dir: Path, tags: list[str] | None, specs: dict[str, Path] | None = None
) -> list[Path]:
    """Return the directories of all runs that the arguments mean, and print the run of an ambiguous argument.

    Args:
        specs: Filled with the directory that each argument means, except for patterns.
    """
    from lossrun.records.finding.runs import find_all
    from lossrun.report.layout.console import note, stderr

    def report(run: str, path: Path) -> None:
        if specs is not None:
            specs[run] = path
        if path.name != Path(run).name:
            note(stderr(), f"{run} is {path.name}")

    named: list[str] = []
    for run in runs or []:
        _refuse_sweep(run, runs_dir, several=True)
        cell, folder = _within_sweep(run, runs_dir)
        named += [run] if folder == runs_dir else map(str, find_all([cell], folder))
    return find_all(named, runs_dir, tags or [], report)


def loaded_runs(
    runs: list[str] | None,
    runs_dir: Path,
    tags: list[str] | None,
    specs: dict[str, Path] | None,
    *,
    at_least: int = 1,
    tell_edits: bool = False,
) -> "list[RecordedRun]":
    """Read the runs that the arguments mean. Runs that cannot be read are named and left out.

    Raises an error if fewer than `at_least` runs can be read.
    """
    from lossrun.records.recorded import load_all
    from lossrun.report.layout.console import stderr, warning

    def report(problem: str) -> None:
        warning(stderr(), problem)

    loaded = load_all(found_runs(runs, runs_dir, tags, specs), report, at_least=at_least)
    for run in loaded if tell_edits else ():
        for text in run.edited:
            report(f"{run.name}: {text}")
    return loaded


def read_config(config: Path, overrides: Sequence["Override"], *, quiet: bool = False) -> "SourcedConfig":
    """Read the config in a file, the packaged config of that name, or for `-` the config on standard input.

    It prints a note if the config is a packaged one (not if `quiet`), or if it waits for somebody to type a config.
    """
    return read_draft(config, overrides, quiet=quiet).validated()


def read_draft(config: Path, overrides: Sequence["Override"], *, quiet: bool = False) -> "Draft":
    """Read the config like `read_config`, but do not validate it."""
    from lossrun.config import draft_of_standard_input
    from lossrun.config import read_draft as read

    if config != STDIN:
        if packaged_config(config) and not quiet:
            from lossrun.report.layout.console import note, stderr

            copies = f"`{command('new', str(config))}` writes a copy to edit"
            note(stderr(), f"{config} is a config that comes with lossrun, not a file here; {copies}")
        return read(config, overrides)
    if sys.stdin and sys.stdin.isatty():
        from lossrun.report.layout.console import note, stderr

        note(stderr(), "type the config, or paste it; Ctrl-D on an empty line ends it")
    return draft_of_standard_input(overrides)


def with_name_and_tags(set_: Sequence[str] | None, name: str | None, tags: Sequence[str] | None) -> "list[Override]":
    """Return the overrides of --set, --name and --tag."""
    from lossrun.config import text_option

    named = [] if name is None else [text_option("--name", "name", name)]
    return [*(set_ or []), *named, *(text_option("--tag", "tags", text, adds=True) for text in tags or [])]


def chosen_data_dir(given: Path | None) -> Path:
    if given is not None:
        return given
    from lossrun.data import default_data_dir

    return default_data_dir()


def how_to_list(runs_dir: Path) -> str:
    """Say which command lists the runs."""
    return f"`{command('ls', runs_dir=runs_dir)}` lists the runs"
