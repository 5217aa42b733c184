"""Find the sweeps that a user names, and the runs and sweeps where a command takes both."""

import os
from collections.abc import Sequence
from pathlib import Path

from lossrun.errors import RunError
from lossrun.nearby import nearest_first
from lossrun.records.finding.runs import called, check_not_empty, find, is_pattern, recent, steps_back
from lossrun.records.names import age, bare_name
from lossrun.records.run_directory import all_runs
from lossrun.records.sweep_directory import all_sweeps, is_sweep
from lossrun.shell import command


def find_run_or_sweep(spec: str, runs_dir: Path) -> Path:
    """Return the run or the sweep that `spec` means: `last` counts both, and so does the beginning of a name.

    Raises:
        RunError: If there is none, or several.
    """
    if (sweep := named_sweep(spec, runs_dir)) is not None:
        return sweep
    if (back := steps_back(spec)) is not None:
        return recent(back, sorted([*all_runs(runs_dir), *all_sweeps(runs_dir)], key=age), runs_dir)
    begun = sweeps_beginning_with(spec, runs_dir)
    try:
        run = find(spec, runs_dir)
    except RunError:
        if len(begun) == 1:
            return begun[0]
        if begun:
            raise _several(spec, begun) from None
        if is_pattern(spec) or os.sep in spec or not (sweeps := all_sweeps(runs_dir)):
            raise
        names = [bare_name(path) for path in sorted([*all_runs(runs_dir), *sweeps], key=age, reverse=True)]
        near = nearest_first(spec, list(dict.fromkeys(names)), "run or sweep", "there", words=("last", "last~1"))
        raise RunError(
            f"no run or sweep {spec} in {runs_dir}{near}; `{command('ls', runs_dir=runs_dir)}` lists all"
        ) from None
    if begun and spec not in (run.name, bare_name(run), str(run)):
        raise _several(spec, [run, *begun])
    return run


def find_sweep(spec: str, runs_dir: Path) -> Path:
    """Return the sweep that `spec` means: a path, a name, its beginning, or `last`, the newest sweep.

    Raises:
        RunError: If there is none, or several.
    """
    if (sweep := named_sweep(spec, runs_dir)) is not None:
        return sweep
    back, sweeps = steps_back(spec), all_sweeps(runs_dir)
    if back is not None and back < len(sweeps):
        return sweeps[-1 - back]
    begun = sweeps_beginning_with(spec, runs_dir)
    if len(begun) > 1:
        raise _several(spec, begun)
    if not begun:
        near = nearest_first(spec, [path.name for path in reversed(sweeps)], "sweep", f"in {runs_dir}")
        raise RunError(f"no sweep {spec}{near}; `{command('sweep', 'CONFIG', runs_dir=runs_dir)}` starts one")
    return begun[0]


def sweeps_beginning_with(spec: str, runs_dir: Path) -> list[Path]:
    """Return the sweeps whose name, with or without the time, begins with `spec`; of one name the newest."""
    found = [path for path in all_sweeps(runs_dir) if path.name.startswith(spec)]
    bare = {bare_name(path): path for path in all_sweeps(runs_dir) if bare_name(path).startswith(spec)}
    return found or list(bare.values())


def named_sweep(spec: str, runs_dir: Path) -> Path | None:
    """Return the sweep with this path, directory name or name (the newest); None if there is none.

    Raises:
        RunError: For an empty name.
    """
    check_not_empty(spec)
    if is_sweep(path := Path(spec)):
        return path
    sweeps = all_sweeps(runs_dir)
    return next((path for path in sweeps if path.name == spec), None) or called(spec, sweeps, "sweep.yaml")


def _several(spec: str, found: Sequence[Path]) -> RunError:
    listed = "".join(f"\n    {path.name}" for path in found)
    return RunError(f"{spec} is the beginning of {len(found)} names; write more of the name:{listed}")
