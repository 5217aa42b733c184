"""Lines of `load_data` that read csv and npz files: what this file needs, and nothing for what it has not."""

from collections.abc import Mapping

import numpy as np

from lossrun.data.csv_file import as_names
from lossrun.data.table import MISSING, as_number, read_table
from lossrun.script.encoding import encoded, oriented
from lossrun.script.experiment import Experiment
from lossrun.script.text import Section, call, literal, quoted

Lines = list[str]


def csv_reading(experiment: Experiment) -> tuple[Section, Lines]:
    """Numbers as they are, words one-hot; rows with empty cells dropped, or empty cells NaN for now."""
    parameters = experiment.config.dataset.parameters
    path = (experiment.directory / parameters["path"]).resolve()
    table = read_table(path, parameters["delimiter"])
    targets, drop, inputs = (as_names(parameters[key]) for key in ("target", "drop", "inputs"))
    inputs = inputs or [name for name in table.columns if name not in (*targets, *drop)]
    words = [name for name in inputs if table.is_words(name)]
    holed = {name for name in (*inputs, *targets) if table.is_missing(name).any()}
    delimiter = "\t" if parameters["delimiter"] == "\\t" else parameters["delimiter"]
    reader = "csv.reader(file)" if delimiter == "," else f"csv.reader(file, delimiter={quoted(delimiter)})"
    lines = [
        'with open(DATA, encoding="utf-8-sig", newline="") as file:',
        f"    rows = [[cell.strip() for cell in row] for row in {reader} if row]",
        "table = dict(zip(rows[0], np.array(rows[1:]).T))",
    ]
    if holed:
        used = {"drop": [*inputs, *targets], "mean": targets}.get(parameters["missing"], [])
        lines += [
            f"missing = {literal(sorted(MISSING), 'missing = ', 1)}",
            "empty = {name: np.isin(np.char.lower(table[name]), missing) for name in table}",
        ]
        if holed & set(used):
            names = literal(used, "keep = ~np.any([empty[name] for name in ", 1)
            lines += [
                f"keep = ~np.any([empty[name] for name in {names}], axis=0)"
                if "\n" not in names
                else f"used = {literal(used, 'used = ', 1)}\nkeep = ~np.any([empty[name] for name in used], axis=0)",
                "table = {name: column[keep] for name, column in table.items()}",
            ]
        if parameters["missing"] == "mean" and holed & set(inputs):
            lines += [
                "empty = {name: column[keep] for name, column in empty.items()}" if holed & set(used) else "",
                "for name in INPUTS:",
                '    table[name] = np.where(empty[name], "nan", table[name])',
            ]
            lines = [line for line in lines if line]
    if words:
        lines += [
            "columns = []",
            "for name in INPUTS:",
            "    column = table[name][:, None]",
            "    is_word = name in WORDS",
            "    columns.append(column == np.unique(column) if is_word else column.astype(float))",
            "x = np.concatenate(columns, axis=1, dtype=np.float32)",
        ]
    else:
        lines += ["x = np.stack([table[name].astype(float) for name in INPUTS], axis=1)", "x = x.astype(np.float32)"]
    named = [f"WORDS = {literal(words, 'WORDS = ')}  # one-hot"] if words else []
    section = Section(
        imports=["import csv"],
        constants=[f"DATA = {quoted(path.as_posix())}", f"INPUTS = {literal(inputs, 'INPUTS = ')}", *named],
    )
    return section, [*lines, *_csv_targets(experiment, targets, table.columns)]


def _csv_targets(experiment: Experiment, names: list[str], columns: Mapping[str, list[str]]) -> Lines:
    if experiment.facts.task in ("binary", "multiclass") and len(names) == 1:
        word = any(as_number(cell) is None for cell in columns[names[0]])
        cells = f"table[{quoted(names[0])}]" + ("" if word else ".astype(float)")
        return [f"y = {cells}", *encoded("y", experiment, ndim=1)]
    dtype = ".astype(np.float32)"
    if len(names) == 1:
        return [f"y = table[{quoted(names[0])}][:, None].astype(float){dtype}"]
    return [
        f"y = np.stack([table[name] for name in {literal(names)}], axis=1).astype(float){dtype}",
        *encoded("y", experiment, ndim=2),
    ]


def npz_reading(experiment: Experiment, channels_last: bool) -> tuple[Section, Lines]:
    parameters = experiment.config.dataset.parameters
    path = (experiment.directory / parameters["path"]).resolve()
    with np.load(path, allow_pickle=False) as archive:
        targets, inputs = as_names(parameters["target"]), as_names(parameters["inputs"])
        inputs = inputs or [name for name in archive.files if name not in targets]
        shapes = {name: archive[name].shape for name in (*inputs, *targets)}
        raw = {name: archive[name].dtype for name in (*inputs, *targets)}
    lines = []
    if len(inputs) == 1:
        lines += [f"x = archive[{quoted(inputs[0])}]"]
        lines += oriented("x", shapes[inputs[0]], experiment, channels_last, bytes_=raw[inputs[0]] == np.uint8)
    else:
        parts = [f"archive[{quoted(n)}]" + ("[:, None]" if len(shapes[n]) == 1 else "") for n in inputs]
        bytes_ = all(raw[name] == np.uint8 for name in inputs)
        lines += [call("x = np.concatenate", [_list(parts), "axis=1"], level=1)]
        lines += [] if bytes_ else ["x = x.astype(np.float32)"]
    if len(targets) == 1:
        lines += [f"y = archive[{quoted(targets[0])}]"]
        ndim = len(shapes[targets[0]])
    else:
        lines += [f"y = np.stack([archive[name] for name in {literal(targets)}], axis=1)"]
        ndim = 2
    lines += encoded("y", experiment, ndim)
    if experiment.facts.task in ("regression", "multilabel"):
        lines += [f"y = y{'[:, None]' if ndim == 1 else ''}.astype(np.float32)"]
    return Section(constants=[f"DATA = {quoted(path.as_posix())}"]), ["archive = np.load(DATA)", *lines]


def _list(expressions: list[str]) -> str:
    return f"[{', '.join(expressions)}]"
