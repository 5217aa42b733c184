"""Find the runs that a user names: by path, name, beginning, pattern, tag, `last` or `last~1`."""

import os
import re
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from lossrun.errors import RunError
from lossrun.files import is_folder
from lossrun.nearby import joined, nearby, nearest_first
from lossrun.records import ledger
from lossrun.records.files import config_file
from lossrun.records.files.contents import content_if_there
from lossrun.records.names import NAMELESS, age, bare_name, has_name, slug
from lossrun.records.run_directory import RunDirectory, all_runs, is_run, missing_files
from lossrun.shell import command

_RECENT: Final = re.compile(r"last(?:~(?P<back>\d+))?")
_WILDCARD: Final = re.compile(r"[*?\[]")  # characters that are never in a run's name


def is_pattern(spec: str) -> bool:
    """Return whether `spec` is a pattern for names of runs: `mnist-*`, `*-adam`, `2026112[01]-*`."""
    return bool(_WILDCARD.search(spec))


def steps_back(spec: str) -> int | None:
    """Return 0 for `last`, 1 for `last~1` and so on; None for anything else."""
    match = _RECENT.fullmatch(spec)
    return int(match["back"] or 0) if match else None


def check_not_empty(spec: str) -> None:
    """Raise RunError for a name without a character.

    Every name begins with it, so it would mean the only run, which `rm "$RUN" --yes` must not remove.
    """
    if not spec.strip():
        raise RunError(
            "the name of the run is empty; expected a path, a name or last (is a variable of the shell unset?)"
        )


def find(spec: str, runs_dir: Path) -> Path:
    """Return the run that `spec` means.

    It may be a path, a directory's name, a run's name (the newest run), `last` or `last~1` (the one before), the
    beginning of a single run's name, or a pattern that matches a single run. If the result has another name, the caller
    says which run it is.

    Raises:
        RunError: If there is no such run, or several, with the candidates or the nearest names.
    """
    check_not_empty(spec)
    if is_run(path := Path(spec)):
        return path
    if is_pattern(spec):
        matches = _by_pattern(spec, runs_dir)
        if len(matches) > 1:
            raise RunError(f"{spec} matches {len(matches)} runs, but this command needs one:{_listed(matches)}")
        return matches[0]
    runs = all_runs(runs_dir)
    if "/" in spec or os.sep in spec:
        if named := called(spec, runs, "config.yaml"):
            return named
        near = "" if is_folder(path) else _near_path(path)
        raise RunError(f"{spec} is not a run directory: it has no {' and no '.join(missing_files(path))}{near}")
    if (back := steps_back(spec)) is not None:
        return recent(back, runs, runs_dir)
    for path in runs:
        if path.name == spec:
            return path
    if named := called(spec, runs, "config.yaml"):
        return named
    return _by_beginning(spec, runs, runs_dir)


def find_all(
    specs: Sequence[str],
    runs_dir: Path,
    tags: Sequence[str] = (),
    report: Callable[[str, Path], None] = lambda spec, path: None,
) -> list[Path]:
    """Return the runs that the specs mean, in the order given, and only those with all `tags`.

    A pattern is matched, ignoring case, with the names of directories and of runs; it adds every run that is not there
    yet, oldest first. Other specs are as for `find`, and `report(spec, path)` is called with the run found. Without
    specs, all runs with the tags are returned.

    Raises:
        RunError: For a spec that means no run, or if no run is left.
    """
    found = [] if specs else all_runs(runs_dir)
    for spec in specs:
        if is_pattern(spec) and not is_run(Path(spec)):
            there = {path.resolve() for path in found}
            found += [path for path in _by_pattern(spec, runs_dir) if path.resolve() not in there]
        else:
            path = find(spec, runs_dir)
            report(spec, path)
            found.append(path)
    kept = [path for path in found if has_tags(path, tags)]
    if kept:
        return kept
    if not found:
        raise RunError(f"{runs_dir} has no runs; `{command('train', 'CONFIG', runs_dir=runs_dir)}` starts one")
    among = f"of {', '.join(specs)}" if specs else f"in {runs_dir}"
    shows = command("show", "RUN", runs_dir=runs_dir)
    raise RunError(
        f"no run {among} has the tag{'s' * (len(tags) > 1)} {' and '.join(tags)}; `{shows}` shows a run's tags"
    )


def recent(back: int, runs: Sequence[Path], runs_dir: Path) -> Path:
    """Return the run that is `back` runs before the newest one, which is the last of `runs`.

    Raises:
        RunError: If there are fewer runs.
    """
    if back >= len(runs):
        spec = f"last~{back}" if back else "last"
        raise RunError(
            f"{spec}: {runs_dir} has {len(runs)} run{'s' * (len(runs) != 1)}; "
            f"`{command('ls', runs_dir=runs_dir)}` lists the runs"
        )
    return runs[-1 - back]


def called(name: str, directories: Sequence[Path], config: str) -> Path | None:
    """Return the newest of some runs or sweeps, oldest first, that has this name.

    Directory names are simplified (`slug`), so that different names may look the same; the file `config` in the
    directory has the original name.
    """
    folded = slug(name)
    same = [path for path in reversed(directories) if has_name(path, name)]
    for path in same:
        if bare_name(path) == name or _configured_name(path / config) == name:
            return path
    # All names without a Latin letter are simplified to the same one.
    return next((path for path in same if bare_name(path) == folded != NAMELESS), None)


def _configured_name(config: Path) -> str | None:
    """Return the name as the user wrote it; None if the config cannot be read."""
    try:
        name = config_file.read(config).get("name")
    except RunError:
        return None
    return name if isinstance(name, str) else None


def _by_beginning(spec: str, runs: list[Path], runs_dir: Path) -> Path:
    matches = [path for path in runs if path.name.startswith(spec) or bare_name(path).startswith(spec)]
    if matches and len({bare_name(path) for path in matches}) == 1 and not matches[-1].name.startswith(spec):
        return matches[-1]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise RunError(f"{spec} is the beginning of {len(matches)} runs; write more of the name:{_listed(matches)}")
    if not runs_dir.is_dir():
        raise RunError(f"no run {spec}{nearby(runs_dir / spec)}")
    lists = f"`{command('ls', runs_dir=runs_dir)}` lists the runs"
    if not runs:
        raise RunError(f"no run {spec} in {runs_dir}, which has no runs; {lists}")
    # Compare with names of runs, or with names of directories if `spec` starts with a time.
    names = [path.name if spec[:1].isdigit() else bare_name(path) for path in reversed(runs)]
    near = nearest_first(spec, list(dict.fromkeys(names)), "run", "there", count=len(runs), words=("last", "last~1"))
    raise RunError(joined(f"no run {spec} in {runs_dir}{near}", lists))


def _near_path(path: Path) -> str:
    """Suggest a run with a similar name in the folder where this one was searched."""
    if not path.parent.is_dir():
        return nearby(path)
    runs = all_runs(path.parent)
    return nearest_first(path.name, [run.name for run in reversed(runs)], "run", f"in {path.parent}")


def _by_pattern(spec: str, runs_dir: Path) -> list[Path]:
    """Return the runs that match, oldest first. A pattern with a slash is for the last part of a path."""
    if "/" in spec or os.sep in spec:
        matches = sorted((path for path in Path(spec).parent.glob(Path(spec).name) if is_run(path)), key=age)
    else:
        folded = spec.lower()
        matches = [
            path
            for path in all_runs(runs_dir)
            if fnmatchcase(path.name.lower(), folded) or fnmatchcase(bare_name(path).lower(), folded)
        ]
    if not matches:
        raise RunError(f"no run in {runs_dir} matches {spec}; `{command('ls', runs_dir=runs_dir)}` lists the runs")
    return matches


def _listed(runs: Sequence[Path]) -> str:
    """Write a line for each run, newest first."""
    return "".join(f"\n    {path.name}" for path in reversed(runs))


def has_tags(path: Path, tags: Sequence[str]) -> bool:
    """Return whether the run's effective config has all of `tags`; False for a damaged run."""
    if not tags:
        return True
    run = RunDirectory(path)
    try:
        if all(_is_written_in(run, tag) for tag in tags):
            events = ledger.read(run.ledger_path)
            config = ledger.recorded_config(events) or config_file.read(run.config_path)
            config = ledger.effective_config(config, events)
            return set(tags) <= set(config.get("tags") or ())
    except (OSError, RunError):
        pass
    return False


def _is_written_in(run: RunDirectory, tag: str) -> bool:
    """Return whether the text of `tag` is in the run's files at all, which is much faster to check."""
    plain = tag.encode(errors="surrogatepass")  # a tag from the command line may be no text
    if not re.fullmatch(rb"[\w.-]+", plain):
        return True  # may be written with escapes
    return any(plain in content_if_there(path) for path in (run.config_path, run.ledger_path))
