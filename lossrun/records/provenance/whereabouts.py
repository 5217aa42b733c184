"""Where a run's data and its own code lie now: the project may have moved, or a file have gone elsewhere."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any, Final

from lossrun.catalog.datasets import DATASETS
from lossrun.records.provenance.own_source import changed_files
from lossrun.records.recorded import RecordedRun
from lossrun.records.run_directory import RunDirectory

# Datasets that are a file, which the config names relative to itself.
_FILES: Final = frozenset(dataset.name for dataset in DATASETS if dataset.is_file)
_OWN: Final = ("dataset", "model", "loss", "optimizer")


@dataclass(frozen=True, slots=True)
class Place:
    """`directory`: what the config's paths and own modules are relative to. `path`: the dataset's file where it is not
    where the config says, None where it is. `copied`: the own code is the copy that the run keeps."""

    directory: Path
    path: Path | None = None
    copied: bool = False


def environment(run: RecordedRun) -> dict[str, Any]:
    """The one that the run was last trained in."""
    every = [run.environment, *(event["environment"] for event in run.ledger if "environment" in event)]
    return dict(every[-1])


def data_folder(run: RecordedRun, default: Path) -> Path:
    """The folder that the run last found its data in, also where it moved along with the run."""
    facts = environment(run)
    remembered = Path(facts.get("data_dir", default))
    if remembered.is_dir() or not facts.get("data_from_runs_dir"):
        return remembered if remembered.is_dir() else default
    moved = run.path.resolve().parent / facts["data_from_runs_dir"]
    return moved.resolve() if moved.is_dir() else default


def code_place(run: RecordedRun, *, goes_on: bool = False) -> Place:
    """Where the run's own modules are as it was trained with them: the run's copy where they are nowhere else.

    `goes_on`: the run is to be trained further, with what has become of them where it was started.
    """
    folders, copy = _folders(run), RunDirectory(run.path).source
    modules = _own_modules(run)
    if not modules or (goes_on and _has_all(folders[0], modules)):
        return Place(folders[0])
    # Elsewhere a module of that name may be anybody's, and weights say nothing to a model that was changed.
    for folder in folders:
        if _has_all(folder, modules) and not changed_files(run, folder):
            return Place(folder)
    if _has_all(copy, modules):
        return Place(copy, copied=True)
    return Place(next((folder for folder in folders[:2] if _has_all(folder, modules)), folders[0]))


def data_places(run: RecordedRun, data_dir: Path | None = None, *, goes_on: bool = False) -> list[Place]:
    """Where the dataset's file is found, the likeliest place first; where the run was started, if it is nowhere.

    Looked at: `data_dir`, the config's folder as it was and as it moved along with the run, the folders above the run,
    the current folder. `goes_on`: as for `code_place`.
    """
    code = code_place(run, goes_on=goes_on)
    dataset = run.config["dataset"]
    named = dataset.get("path")
    if code.copied and ":" in dataset["name"]:
        # It may read files beside it, which were not copied; whether its data are the same, their hash says.
        there = [folder for folder in _folders(run)[:2] if _has_all(folder, _own_modules(run))]
        return [*map(Place, there), code]
    if dataset["name"] not in _FILES or not isinstance(named, str):
        return [code]
    own, found = bool(_own_names(run.config)), list(_files(run, named, data_dir))
    places = []
    for path in dict.fromkeys(found):
        if not Path(named).is_absolute() and not own and path.parts[-len(Path(named).parts) :] == Path(named).parts:
            folder = path
            for _ in Path(named).parts:
                folder = folder.parent
            places.append(Place(folder))
        else:
            as_configured = (code.directory / named).resolve() == path.resolve()
            places.append(Place(code.directory, None if as_configured else path, code.copied))
    return places or [code]


def where_data_are_not(run: RecordedRun, data_dir: Path | None = None) -> str:
    """What to say where the dataset's file is in none of the places; empty where it is."""
    dataset = run.config["dataset"]
    named = dataset.get("path")
    if dataset["name"] not in _FILES or not isinstance(named, str) or any(_files(run, named, data_dir)):
        return ""
    folders = list(dict.fromkeys(map(str, (*([data_dir] if data_dir else []), *_folders(run)))))
    return (
        f"the run's data file {named} is in none of {', '.join(folders)}; say where it is: --data-dir FOLDER, or with "
        "resume also --set dataset.path=FILE"
    )


def placed(config: Mapping[str, Any], place: Place) -> dict[str, Any]:
    """The config with the dataset's file where it is."""
    if place.path is None:
        return dict(config)
    return {**config, "dataset": {**config["dataset"], "path": str(place.path)}}


def _files(run: RecordedRun, named: str, data_dir: Path | None) -> Iterator[Path]:
    folders = _folders(run)
    remembered = environment(run).get("data_dir")
    others = [Path(remembered)] if remembered else []
    name = Path(named)
    for folder in (*([data_dir.absolute()] if data_dir else []), *folders, *others):
        for path in (folder / name, folder / name.name):
            if path.is_file():
                yield path


def _folders(run: RecordedRun) -> Sequence[Path]:
    """Where the config's folder may be, the recorded one first."""
    facts, run_path = environment(run), run.path.resolve()
    recorded = Path(facts.get("directory") or ".")
    moved = facts.get("from_runs_dir")
    found = [recorded, *([run_path.parent / moved] if moved else []), run_path.parent, run_path.parent.parent]
    with suppress(FileNotFoundError):  # removed under our feet
        found.append(Path.cwd())
    return [folder.resolve() if folder.exists() else folder for folder in dict.fromkeys(found)]


def _has_all(folder: Path, modules: Sequence[str]) -> bool:
    return all(_has(folder, module) for module in modules)


def _has(folder: Path, module: str) -> bool:
    *packages, _ = module.split(".")
    return PathFinder.find_spec(module, [str(folder.joinpath(*packages))]) is not None


def _own_modules(run: RecordedRun) -> list[str]:
    """Of the user's own components, installed ones left out: of these there are no copies."""
    modules = [name.partition(":")[0] for name in _own_names(run.config)]
    copy = RunDirectory(run.path).source
    return [module for module in modules if _has(copy, module)] or modules


def _own_names(config: Mapping[str, Any]) -> list[str]:
    """Of the user's own components."""
    names = [config[kind].get("name", "") for kind in _OWN if isinstance(config.get(kind), Mapping)]
    return [name for name in names if ":" in name]
