"""Load the samples of a run's predictions, if they are available and unchanged. Nothing is downloaded."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import numpy as np

from lossrun.analysis.values.splits import DIGITS, Splits, splits
from lossrun.catalog import find
from lossrun.data.load import load
from lossrun.data.samples.dataset import Data
from lossrun.data.sources.images import IMAGE_SETS, TEST, TRAIN
from lossrun.errors import LossrunError, RunError
from lossrun.files import is_file
from lossrun.records.files import strict_json
from lossrun.records.provenance import prepared, whereabouts
from lossrun.records.provenance.whereabouts import Place
from lossrun.records.recorded import RecordedRun

_LARGEST: Final = 96  # pixels per side; larger images would make the page too large


class HeldOutData:
    """The datasets of several runs, each loaded once."""

    def __init__(self) -> None:
        self._loaded: dict[str, Data | None] = {}

    def classes(self, run: RecordedRun) -> tuple[str, ...]:
        """Return the names of the classes; () if they are not available."""
        name = run.config["dataset"]["name"]
        if name in IMAGE_SETS:
            return IMAGE_SETS[name].classes
        with suppress(RunError):
            if kept := prepared.of_run(run):
                return next(iter(kept.values())).form.classes
        data = self._data(run)
        return data.classes if data else ()

    def images(self, run: RecordedRun, part: str, ids: Iterable[int]) -> dict[int, np.ndarray]:
        """Return the samples of a part of the data that are images.

        Args:
            part: "validation" or "test".
            ids: The rows of the samples in the data source.

        Returns:
            {id: uint8 (H, W) or (H, W, 3)}; empty if the data are not available, are not images, or are not the data
                that the run was scored on.
        """
        data = self._data(run)
        found = {"validation": data.validation, "test": data.test}.get(part) if data else None
        if data is None or found is None or not _is_image(data.input_shape):
            return {}
        rows = np.flatnonzero(np.isin(found.ids, np.array(list(ids), np.int64)))
        return {int(found.ids[row]): _pixels(found.inputs[row]) for row in rows}

    def _data(self, run: RecordedRun) -> Data | None:
        # The user's own dataset is code, and reading a run must not execute code.
        if ":" in run.config["dataset"]["name"] or not run.environment.get("data_dir"):
            return None
        found = (self._data_in(place, run) for place in whereabouts.data_places(run))
        return next((data for data in found if data), None)

    def _data_in(self, place: Place, run: RecordedRun) -> Data | None:
        environment = run.environment
        data_dir, directory = whereabouts.data_folder(run, Path(environment["data_dir"])), place.directory
        dataset = whereabouts.placed(run.config, place)["dataset"]
        recorded, seed = environment.get("data"), run.seeds[0]
        ignored = None if ":" in run.config["loss"]["name"] else run.config["loss"].get("ignore_index")
        key = strict_json.dumps([dataset, str(data_dir), str(directory), seed, recorded, ignored])
        if key not in self._loaded:
            data = _load(dataset, directory, data_dir, seed, ignored)
            self._loaded[key] = data if data and _is_recorded(data, splits(run), seed) else None
        return self._loaded[key]


def _is_recorded(data: Data, recorded: Splits, seed: int) -> bool:
    """Return whether these are the samples that the run had for that seed."""
    found = {part: digests.get(seed) for part, digests in recorded.digests.items()}
    return found == {part: digest[:DIGITS] for part, digest in data.hashes.items()}


def _load(
    dataset: dict[str, Any], directory: Path, data_dir: Path, seed: int, ignored: str | float | None
) -> Data | None:
    name = dataset["name"]
    if name in IMAGE_SETS and not all(_is_in(data_dir / name, file) for file in (*TRAIN, *TEST)):
        return None
    parameters = {key: value for key, value in dataset.items() if key != "name"}
    declared = find("dataset", name)
    if declared is None or set(parameters) != {parameter.name for parameter in declared.component.parameters}:
        return None  # configured for another version: the page has no images then
    try:
        return load(name, parameters, config_dir=directory, data_dir=data_dir, seed=seed, ignored=ignored)
    except LossrunError:
        return None  # gone or changed


def _is_in(folder: Path, file: str) -> bool:
    return is_file(folder / file) or is_file(folder / file.removesuffix(".gz"))


def _is_image(shape: tuple[int, ...]) -> bool:
    return len(shape) == 3 and shape[0] in (1, 3) and max(shape) <= _LARGEST


def _pixels(image: np.ndarray) -> np.ndarray:
    """Convert an image (C, H, W) to bytes; numbers are stretched to 0 to 255."""
    values = np.asarray(image)
    if values.dtype != np.uint8:
        low, high = float(values.min()), float(values.max())
        values = np.round((values - low) * (255 / (high - low or 1.0))).astype(np.uint8)
    return values[0] if len(values) == 1 else np.moveaxis(values, 0, -1)
