"""Write the lines of `load_data` that read or compute all samples: one function for each reader of a dataset.

The lines end with x and y, and with x_test and y_test if the official test set is used. Inputs are as in
`lossrun.data`: numbers (N, D), or bytes or numbers (N, C, H, W), for Keras (N, H, W, C).
"""

import numpy as np

from lossrun.data.sources.images import TEST, TRAIN
from lossrun.script.lines import synthetic
from lossrun.script.lines.encoding import encoded
from lossrun.script.lines.files import csv_reading, npz_reading
from lossrun.script.lines.script_input import ScriptInput
from lossrun.script.lines.text import Section, call, literal, quoted

Lines = list[str]


def synthetic_regression(experiment: ScriptInput, channels_last: bool) -> tuple[Section, Lines]:  # noqa: ARG001
    """Return lines that draw a known function plus noise."""
    return Section(), synthetic.synthetic_regression(experiment.config.dataset.parameters)


def synthetic_classification(experiment: ScriptInput, channels_last: bool) -> tuple[Section, Lines]:  # noqa: ARG001
    """Return lines that draw classes of a known shape."""
    return Section(), synthetic.synthetic_classification(experiment.config.dataset.parameters)


def csv(experiment: ScriptInput, channels_last: bool) -> tuple[Section, Lines]:  # noqa: ARG001
    """Return lines that read a table."""
    return csv_reading(experiment)


def npz(experiment: ScriptInput, channels_last: bool) -> tuple[Section, Lines]:
    """Return lines that read arrays."""
    return npz_reading(experiment, channels_last)


READ_IDX = '''def read_idx(name):
    """Read an IDX file: 4 bytes, the last of which is the number of axes, then the sizes, then the data."""
    with OPEN(DATA_DIR / name, "rb") as file:
        content = file.read()
    axes = content[3]
    shape = np.frombuffer(content, ">u4", axes, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * axes).reshape(shape)'''


def images(experiment: ScriptInput, channels_last: bool) -> tuple[Section, Lines]:
    """Return a function and lines that read the four official files."""
    folder = (experiment.data_dir / experiment.config.dataset.name).resolve()
    zipped = (folder / TRAIN[0]).is_file()
    section = Section(
        imports=["from pathlib import Path", *(["import gzip"] if zipped else [])],
        constants=[f"DATA_DIR = Path({quoted(folder.as_posix())})  # the four official files"],
        functions=[READ_IDX.replace("OPEN", "gzip.open" if zipped else "open")],
    )
    channel = "[..., None]" if channels_last else "[:, None]"
    lines = []
    for suffix, names in (("", TRAIN), ("_test", TEST)):
        if suffix and experiment.config.dataset["test"] != "official":
            continue
        images, labels = (name if zipped else name.removesuffix(".gz") for name in names)
        lines += [
            f'x{suffix} = read_idx("{images}"){channel}',
            f'y{suffix} = read_idx("{labels}").astype(np.int64)',
        ]
    return section, lines


def scikit_learn(experiment: ScriptInput, channels_last: bool) -> tuple[Section, Lines]:  # noqa: ARG001
    """Return lines that call the loader of scikit-learn."""
    loader = f"load_{experiment.config.dataset.name}"
    columns = {"multiclass": "", "binary": "[:, None].astype(np.float32)", "regression": "[:, None]"}
    targets = f"y{columns[experiment.facts.task]}"
    return Section(imports=[f"from sklearn.datasets import {loader}"]), [
        f"x, y = {loader}(return_X_y=True)",
        *([f"y = {targets}"] if targets != "y" else []),
    ]


def inline(experiment: ScriptInput, channels_last: bool) -> tuple[Section, Lines]:  # noqa: ARG001
    """Return lines that hold the points."""
    dataset = experiment.config.dataset
    lines = []
    weights = [("w", "weights")] if dataset["weights"] is not None else []
    for name, key in (("x", "inputs"), ("y", "targets"), *weights):
        values = dataset[key]
        column = "" if name != "x" or isinstance(values[0], list) else "[:, None]"
        before = f"{name} = np.array("
        text = literal(values, before + column)
        if "\n" in text:
            lines.append(call(f"{name} = np.array", [literal(values, level=1)], column, level=1))
        else:
            lines.append(f"{before}{text}){column}")
    return Section(), [*lines, *encoded("y", experiment, np.shape(dataset["targets"]))]
