"""Write the lines that import a user's own components from the config's folder, as lossrun does."""

from pathlib import Path

import numpy as np

from lossrun.data.sources import generated
from lossrun.data.sources.arrays import own_arguments
from lossrun.script.lines.embedded import embedded
from lossrun.script.lines.encoding import oriented, without_void
from lossrun.script.lines.script_input import ScriptInput
from lossrun.script.lines.text import Section, call, literal, quoted

Lines = list[str]


def own_import(module: str, attribute: str, directory: Path) -> Section:
    """Return the import of a user's own function."""
    return Section(
        imports=[
            "import sys",
            f"sys.path.insert(0, {quoted(directory.resolve().as_posix())})  # noqa: E402",
            f"from {module} import {attribute}  # noqa: E402",
        ]
    )


def own_reading(experiment: ScriptInput, channels_last: bool) -> tuple[Section, Lines]:
    """Return the lines that call a user's dataset function and encode what it returned."""
    dataset, arguments = experiment.own_dataset, own_arguments(experiment.config.dataset.parameters)
    assert dataset is not None
    module, _, attribute = experiment.config.dataset.name.partition(":")
    if attribute:
        section = own_import(module, attribute, experiment.directory)
    else:
        attribute = experiment.config.dataset.name
        section = embedded((generated.__name__, attribute))
    written = [f"{key}={literal(value, level=2)}" for key, value in arguments.items()]
    suffixes = ["", *(f"_{part}" for part in given_parts(experiment))]
    lines = [call(f"dataset = {attribute}", written, level=1)]
    for suffix in suffixes:
        part = {"": "train", "_val": "validation", "_test": "test"}[suffix]
        if experiment.data.train.weights is not None:
            lines.append(f"x{suffix}, y{suffix}, w{suffix} = (np.asarray(part) for part in dataset.{part})")
            lines.append(f"w{suffix} = w{suffix}.reshape(-1)")
        elif len(getattr(dataset, part)) > 2:
            lines.append(f"x{suffix}, y{suffix} = (np.asarray(part) for part in dataset.{part}[:2])")
        else:
            lines.append(f"x{suffix}, y{suffix} = (np.asarray(part) for part in dataset.{part})")
    lines += without_void([f"y{suffix}" for suffix in suffixes], experiment, np.ndim(dataset.train[1]))
    if experiment.facts.task in ("binary", "multiclass"):
        lines += _own_classes(np.asarray(dataset.train[1]), dataset.classes, suffixes)
    shape = experiment.facts.input_shape
    for x, y in ((f"x{suffix}", f"y{suffix}") for suffix in suffixes):
        lines += oriented(x, np.shape(dataset.train[0]), experiment, channels_last)
        if experiment.facts.task != "multiclass":
            kind = "" if experiment.facts.task == "regression" else ".astype(np.float32)"
            lines.append(f"{y} = {y}.reshape(len({y}), -1){kind}")
    assert len(shape) in (1, 3)
    return section, lines


def _own_classes(y: np.ndarray, classes: tuple[str, ...], suffixes: list[str]) -> Lines:
    """Return the lines that turn labels into indices of classes, if they are not indices already."""
    names = [f"y{suffix}" for suffix in suffixes]
    if y.ndim == 2 and y.shape[1] > 1:
        return [f"{name} = {name}.argmax(axis=1)" for name in names]
    if classes and y.dtype.kind == "U":
        return [f"{name} = np.array([dataset.classes.index(word) for word in {name}])" for name in names]
    flat = [f"{name} = {name}.reshape(-1)" for name in names] if y.ndim == 2 else []
    if classes:
        return [*flat, *(f"{name} = {name}.astype(np.int64)" for name in names)]
    whole = names[0] if len(names) == 1 else f"np.concatenate([{', '.join(names)}])"
    return [*flat, f"classes = np.unique({whole})", *(f"{name} = np.searchsorted(classes, {name})" for name in names)]


def given_parts(experiment: ScriptInput) -> list[str]:
    """Return which of `val` and `test` the dataset has itself and the config uses."""
    dataset, own = experiment.config.dataset, experiment.own_dataset
    if own is None:
        return [short for short, part in (("val", "validation"), ("test", "test")) if part in experiment.data.brought]
    return [
        short
        for short, key in (("val", "validation"), ("test", "test"))
        if getattr(own, key) is not None and dataset[key]
    ]
