"""Find a run's data and its own code after the project, or a file, was moved."""

import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any, Final

from lossrun.catalog.datasets import DATASETS
from lossrun.errors import RunError
from lossrun.files import is_file, is_folder, named_path
from lossrun.records.provenance.own_source import changed_files
from lossrun.records.recorded import RecordedRun
from lossrun.records.run_directory import RunDirectory

# Datasets that are a file, which the config names relative to itself.
_FILES: Final = frozenset(dataset.name for dataset in DATASETS if dataset.is_file)
_OWN: Final = ("dataset", "model", "loss", "optimizer")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run's data and code are.

    Attributes:
        directory: The folder that the config's paths and own modules are relative to.
        path: The dataset's file, if it is not where the config says.
        copied: Whether the code is the copy that the run keeps.
    """

    directory: Path
    path: Path | None = None
    copied: bool = False


def starting_points(runs_dir: Path, directory: Path, data_dir: Path) -> dict[str, Any]:
    """Return the paths of the config's folder and of the data: absolute, and relative to the run for a later move."""
    return {
        "from_runs_dir": _way(runs_dir, directory),
        "data_from_runs_dir": _way(runs_dir, data_dir),
        "directory": str(directory),
        "data_dir": str(data_dir.absolute()),
    }


def _way(runs_dir: Path, folder: Path) -> str | None:
    """Return the relative path of a folder; None on another drive."""
    try:
        # realpath accepts a link that leads to itself, which Path.resolve does not. Using the folder then raises the
        # error.
        return os.path.relpath(os.path.realpath(folder), os.path.realpath(runs_dir))
    except ValueError:
        return None


def environment(run: RecordedRun) -> dict[str, Any]:
    """Return the environment that the run was last trained in."""
    every = [run.environment, *(event["environment"] for event in run.ledger if "environment" in event)]
    return dict(every[-1])


def data_folder(run: RecordedRun, default: Path) -> Path:
    """Return the folder where the run last found its data, also if it was moved with the run."""
    return recorded_data_folder(environment(run), run.path, default)


def recorded_data_folder(facts: Mapping[str, Any], path: Path, default: Path) -> Path:
    """Return the folder where the run or sweep in `path` last found its data, from its recorded `starting_points`."""
    remembered = Path(facts.get("data_dir", default))
    if is_folder(remembered) or not facts.get("data_from_runs_dir"):
        return remembered if is_folder(remembered) else default
    moved = path.resolve().parent / facts["data_from_runs_dir"]
    return moved.resolve() if is_folder(moved) else default


def config_folder(config: Mapping[str, Any], facts: Mapping[str, Any], path: Path) -> Path:
    """Return the folder that the paths of a run are relative to before it starts; `facts` and `path` are of its sweep.

    It is the first folder that holds the dataset's file and the user's own modules, as for a run that has moved; if no
    folder does, it is the recorded one.
    """
    folders, dataset = _possible_folders(facts, path), config["dataset"]
    named = _file_of(dataset)
    modules = [name.partition(":")[0] for name in _own_names(config)]
    own = [module for module in modules if any(_has(folder, module) for folder in folders)]
    complete = (f for f in folders if (named is None or is_file(f / named)) and _has_all(f, own))
    return next(complete, folders[0])


def code_place(run: RecordedRun, *, goes_on: bool = False) -> Place:
    """Return the folder of the user's modules that the run was trained with, or of the run's copy of these modules.

    Args:
        goes_on: Whether the run will be trained further, with the modules as they now are where it was started.
    """
    folders, copy = _folders(run), RunDirectory(run.path).source
    modules = _own_modules(run)
    # A user who trains the run further where it was started may have changed the code, which is reported and recorded.
    at_home = environment(run).get("host") in (None, socket.gethostname())
    if not modules or (goes_on and at_home and _has_all(folders[0], modules)):
        return Place(folders[0])
    # Elsewhere a module of that name may be a different one, and the weights do not fit a changed model.
    for folder in folders:
        if _has_all(folder, modules) and not changed_files(run, folder):
            return Place(folder)
    if _has_all(copy, modules):
        return Place(copy, copied=True)
    for folder in folders[:2]:
        if _has_all(folder, modules) and (changed := changed_files(run, folder)):
            raise RunError(
                f"{changed[0]} is not the code that {run.name} was trained with, and the run keeps no copy of that "
                "code; it was not imported: put the file back as it was, or train again"
            )
    return Place(folders[0])


def data_places(run: RecordedRun, data_dir: Path | None = None, *, goes_on: bool = False) -> list[Place]:
    """Return where the dataset's file may be, the likeliest place first; if it is nowhere, where the run was started.

    It is searched in `data_dir`, the config's folder (at its recorded path, and moved with the run), the folders above
    the run, and the current folder.

    Args:
        goes_on: As for `code_place`.
    """
    code = code_place(run, goes_on=goes_on)
    dataset = run.config["dataset"]
    named = _file_of(dataset)
    if code.copied and ":" in dataset["name"]:
        # The code may read files next to it, which were not copied. It is imported there if it has not changed.
        module = dataset["name"].partition(":")[0]
        there = [
            folder
            for folder in _folders(run)[:2]
            if _has_all(folder, _own_modules(run)) and not changed_files(run, folder, only=module)
        ]
        return [*map(Place, there), code]
    if named is None:
        return [code]
    own, found = bool(_own_names(run.config)), list(_files(run, named, data_dir))
    places = []
    for path in dict.fromkeys(found):
        if not named.is_absolute() and not own and path.parts[-len(named.parts) :] == named.parts:
            folder = path
            for _ in named.parts:
                folder = folder.parent
            places.append(Place(folder))
        else:
            as_configured = (code.directory / named).resolve() == path.resolve()
            places.append(Place(code.directory, None if as_configured else path, code.copied))
    return places or [code]


def missing_data_message(run: RecordedRun, data_dir: Path | None = None) -> str:
    """Say where the dataset's file was searched, if it was not found; "" if it was found."""
    named = _file_of(run.config["dataset"])
    if named is None or any(_files(run, named, data_dir)):
        return ""
    folders = list(dict.fromkeys(map(str, (*([data_dir] if data_dir else []), *_folders(run)))))
    return (
        f"the run's data file {named} is in none of {', '.join(folders)}; name its folder with --data-dir FOLDER, or "
        "with resume also its path: --set dataset.path=FILE"
    )


def placed(config: Mapping[str, Any], place: Place) -> dict[str, Any]:
    """Return the config with the path of the dataset's file where it is now."""
    if place.path is None:
        return dict(config)
    return {**config, "dataset": {**config["dataset"], "path": str(place.path)}}


def _file_of(dataset: Mapping[str, Any]) -> Path | None:
    """Return the dataset's file as the config names it; None if the dataset is not a file."""
    named = dataset.get("path") if dataset["name"] in _FILES else None
    return named_path(named) if isinstance(named, str) else None


def _files(run: RecordedRun, name: Path, data_dir: Path | None) -> Iterator[Path]:
    folders = _folders(run)
    remembered = environment(run).get("data_dir")
    others = [Path(remembered)] if remembered else []
    for folder in (*([data_dir.absolute()] if data_dir else []), *folders, *others):
        for path in (folder / name, folder / name.name):
            if is_file(path):
                yield path


def _folders(run: RecordedRun) -> Sequence[Path]:
    """Return where the config's folder may be, the recorded one first."""
    return _possible_folders(environment(run), run.path)


def _possible_folders(facts: Mapping[str, Any], path: Path) -> Sequence[Path]:
    directory, moved = path.resolve(), facts.get("from_runs_dir")
    recorded = Path(facts.get("directory") or ".")
    found = [recorded, *([directory.parent / moved] if moved else []), directory.parent, directory.parent.parent]
    with suppress(FileNotFoundError):  # the current folder was removed
        found.append(Path.cwd())
    return [folder.resolve() if is_folder(folder) else folder for folder in dict.fromkeys(found)]


def _has_all(folder: Path, modules: Sequence[str]) -> bool:
    return all(_has(folder, module) for module in modules)


def _has(folder: Path, module: str) -> bool:
    *packages, _ = module.split(".")
    return PathFinder.find_spec(module, [str(folder.joinpath(*packages))]) is not None


def _own_modules(run: RecordedRun) -> list[str]:
    """Return the modules of the user's own components, without installed ones, which have no copies."""
    modules = [name.partition(":")[0] for name in _own_names(run.config)]
    copy = RunDirectory(run.path).source
    return [module for module in modules if _has(copy, module)] or modules


def _own_names(config: Mapping[str, Any]) -> list[str]:
    """Return the the user's own names components."""
    names = [config[kind].get("name", "") for kind in _OWN if isinstance(config.get(kind), Mapping)]
    return [name for name in names if ":" in name]
