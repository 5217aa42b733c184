"""Write the lines of `load_data` that read csv and npz files: only what these files need."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from lossrun.data.sources.array_names import chosen_arrays
from lossrun.data.sources.csv_file import read_tables
from lossrun.data.sources.separate_parts import part_files
from lossrun.data.tables.cells import CellForm
from lossrun.data.tables.columns import chosen_columns, weight_column
from lossrun.data.tables.table import Table
from lossrun.script.lines.encoding import as_numbers, encoded, encoded_together, oriented
from lossrun.script.lines.script_input import ScriptInput
from lossrun.script.lines.splitting import split_line, split_way
from lossrun.script.lines.text import Section, assigned, call, function, literal, quoted

Lines = list[str]
# The names of the parts' files in a script.
SUFFIXES: Final = {"train": "", "validation": "_val", "test": "_test"}
PATHS: Final = {"train": "DATA", "validation": "VALIDATION_DATA", "test": "TEST_DATA"}

PLAIN_NUMBERS: Final = '''def plain_numbers(cells):
    """EXAMPLE -> 1234.5"""
    return np.array([re.sub(THOUSANDS, "", cell) for cell in cells])'''


def csv_reading(experiment: ScriptInput) -> tuple[Section, Lines]:
    """Return the lines that read a table: words become one-hot, rows with empty cells are dropped, or the cells NaN."""
    parameters = experiment.config.dataset.parameters
    tables = read_tables(parameters, experiment.directory)
    table = tables["train"]
    targets, inputs, splits = chosen_columns(list(table.columns), parameters, str(table.path))
    words = [name for name in inputs if table.is_words(name)]
    section = Section(
        imports=["import csv"],
        constants=[
            *(assigned(PATHS[part], _absolute(one.path)) for part, one in tables.items()),
            f"INPUTS = {literal(inputs, 'INPUTS = ')}",
        ],
    )
    if words and len(tables) == 1:
        section.constants.append(f"WORDS = {literal(words, 'WORDS = ')}  # one-hot")
    elif words:
        known = {column.name: list(column.categories or ()) for column in experiment.data.layout.columns}
        chosen = {name: known[name] for name in words}
        section.constants.append(f"WORDS = {literal(chosen, 'WORDS = ')}  # one-hot")
    if not table.form.is_plain:
        section.imports.append("import re")
        section.constants.append(f"THOUSANDS = {quoted(table.form.between)}")
        section.functions.append(_plain_numbers(table.form))
    lines = [*_table(parameters, tables, inputs, targets), *_inputs(table.form, words, one_file=len(tables) == 1)]
    task = experiment.facts.task
    as_words = any(one.has_words(targets[0]) for one in tables.values())
    lines.append(_targets(table.form, targets, as_words=task in ("binary", "multiclass") and as_words))
    shape = (len(table),) if len(targets) == 1 else (len(table), len(targets))
    weights = weight_column(parameters, list(table.columns), str(table.path))
    lines += [_targets(table.form, weights, as_words=False).replace("y = ", "w = ")] if weights else []
    if len(tables) > 1:
        about = "Inputs, targets and weights of a table." if weights else "Inputs and targets of a table."
        names = ["x", "y", *(["w"] if weights else [])]
        body = [line.replace("open(DATA", "open(path") for line in lines]
        section.functions.append(function("def read_rows(path)", about, [*body, f"return {', '.join(names)}"]))
        lines = [f"{', '.join(name + SUFFIXES[part] for name in names)} = read_rows({PATHS[part]})" for part in tables]
        return section, [*lines, *encoded_together([f"y{SUFFIXES[part]}" for part in tables], experiment, shape)]
    split = (
        [split_line(experiment, f"table[{quoted(splits[0])}]", table.is_words(splits[0]), section)] if splits else []
    )
    return section, [*lines, *encoded("y", experiment, shape), *split]


def _table(
    parameters: Mapping[str, object], tables: Mapping[str, Table], inputs: Sequence[str], targets: Sequence[str]
) -> Lines:
    """Return the lines for `table`: the cells of each column, without dropped rows; missing numbers are "nan"."""
    delimiter = "\t" if parameters["delimiter"] == "\\t" else str(parameters["delimiter"])
    reader = "csv.reader(file)" if delimiter == "," else f"csv.reader(file, delimiter={quoted(delimiter)})"
    longest = max(len(cell) for one in tables.values() for cells in one.columns.values() for cell in cells)
    lines = [f"csv.field_size_limit({2**31 - 1})"] if longest > 100_000 else []
    lines += [
        'with open(DATA, encoding="utf-8-sig", newline="") as file:',
        f"    rows = [[cell.strip() for cell in row] for row in {reader}]",
        "rows = [row for row in rows if any(row) or len(row) > 1]",
    ]
    if any(one.declares_delimiter for one in tables.values()):
        lines += ['if rows[0][0].lower().startswith("sep="):  # names the delimiter', "    del rows[0]"]
    if parameters["header"]:
        lines.append("table = dict(zip(rows[0], np.array(rows[1:]).T))")
    else:
        lines.append('table = {f"x{place}": cells for place, cells in enumerate(np.array(rows).T, 1)}')
    missing = _missing(tables, [*inputs, *targets])
    if parameters["missing"] == "mean":
        # An empty word is a category like any other.
        missing = {
            name: cells for name, cells in missing.items() if name in targets or _is_to_fill(name, cells, tables)
        }
    if not missing:
        return lines
    used = {"drop": [*inputs, *targets], "mean": targets}.get(str(parameters["missing"]), [])
    holed = [name for name in missing if name in used]
    lines += [
        f"missing = {literal(missing, 'missing = ', 1)}",
        "empty = {name: np.isin(table[name], cells) for name, cells in missing.items()}",
    ]
    if holed:
        which = "list(empty.values())" if holed == list(missing) else f"[empty[name] for name in {literal(holed)}]"
        lines += [
            f"keep = ~np.any({which}, axis=0)",
            "table = {name: cells[keep] for name, cells in table.items()}",
        ]
    numbers = [name for name in missing if name in inputs and not tables["train"].is_words(name)]
    words = [name for name in missing if name in inputs and name not in numbers]
    if parameters["missing"] == "mean" and (numbers or words):
        if holed:
            lines.append("empty = {name: cells[keep] for name, cells in empty.items()}")
        for names, filling in ((numbers, "nan"), (words, "")):
            if names:
                lines += [
                    f"for name in {literal(names, 'for name in ', 1)}:",
                    f'    table[name] = np.where(empty[name], "{filling}", table[name])',
                ]
    return lines


def _is_to_fill(name: str, cells: Sequence[str], tables: Mapping[str, Table]) -> bool:
    return cells != [""] or not tables["train"].is_words(name)


def _missing(tables: Mapping[str, Table], names: Sequence[str]) -> dict[str, list[str]]:
    """Return, for each column with missing cells, what these cells hold."""
    found: dict[str, set[str]] = {}
    for table in tables.values():
        for name in names:
            for row in np.flatnonzero(table.is_missing(name)).tolist():
                found.setdefault(name, set()).add(table.columns[name][row])
    return {name: sorted(found[name]) for name in dict.fromkeys(names) if name in found}


def _plain_numbers(form: CellForm) -> str:
    text = PLAIN_NUMBERS.replace("EXAMPLE", form.examples.rpartition(" or ")[2])
    return text.replace('"", cell)', '"", cell).replace(",", ".")') if form.decimal == "," else text


def _inputs(form: CellForm, words: Sequence[str], *, one_file: bool) -> Lines:
    if not words:
        return [f"x = np.stack([{as_numbers('table[name]', form)} for name in INPUTS], axis=1)"]
    categories = "np.unique(column)" if one_file else "WORDS[name]"
    return [
        "columns = []",
        "for name in INPUTS:",
        "    column = table[name]",
        "    if name in WORDS:",
        f"        columns.append(column[:, None] == {categories})",
        "    else:",
        f"        columns.append({as_numbers('column', form)}[:, None])",
        "x = np.concatenate(columns, axis=1, dtype=float)",
    ]


def _targets(form: CellForm, names: Sequence[str], *, as_words: bool) -> str:
    if as_words:
        return f"y = table[{quoted(names[0])}]"
    if len(names) == 1:
        return f"y = {as_numbers(f'table[{quoted(names[0])}]', form)}"
    return f"y = np.stack([{as_numbers('table[name]', form)} for name in {literal(list(names))}], axis=1)"


def npz_reading(experiment: ScriptInput, channels_last: bool) -> tuple[Section, Lines]:
    parameters = experiment.config.dataset.parameters
    paths = part_files(parameters, experiment.directory)
    path = paths["train"]
    with np.load(path, allow_pickle=False) as archive:
        parts = chosen_arrays(archive.files, parameters, str(path))
        arrays = [archive[name] for name in (*parts["train"].inputs, *parts["train"].targets)]
    first = parts["train"]
    parts |= {part: first for part in paths if part != "train"}
    section = Section(constants=[assigned(PATHS[part], _absolute(one)) for part, one in paths.items()])
    lines: Lines = []
    several = (len(arrays[-1]), len(first.targets))
    shape = arrays[len(first.inputs)].shape if len(first.targets) == 1 else several
    kept = {part: names for part, names in parts.items() if part == "train" or part in paths or parameters[part]}
    for part in kept:
        names, suffix = parts[part], SUFFIXES[part]
        if part in paths:
            lines.append(f"archive = np.load({PATHS[part]})")
        if len(names.inputs) == 1:
            lines.append(f"x{suffix} = archive[{quoted(names.inputs[0])}]")
            lines += oriented(f"x{suffix}", arrays[0].shape, experiment, channels_last)
        else:
            shapes = zip(names.inputs, arrays, strict=False)
            columns = [f"archive[{quoted(n)}]" + ("[:, None]" if a.ndim == 1 else "") for n, a in shapes]
            lines += [call(f"x{suffix} = np.concatenate", [f"[{', '.join(columns)}]", "axis=1"], level=1)]
        if len(names.targets) == 1:
            lines += [f"y{suffix} = archive[{quoted(names.targets[0])}]"]
        else:
            lines += [f"y{suffix} = np.stack([archive[name] for name in {literal(list(names.targets))}], axis=1)"]
        if names.weights:
            lines += [f"w{suffix} = archive[{quoted(names.weights[0])}].reshape(-1)"]
    ys = [f"y{SUFFIXES[part]}" for part in kept]
    unused = [f"archive[{quoted(names.targets[0])}]" for part, names in parts.items() if part not in kept]
    if len(ys) > 1 or unused:
        lines += encoded_together(ys, experiment, shape, unused)
    else:
        lines += encoded("y", experiment, shape)
    if way := split_way(experiment):
        name = first.splits[0]
        with np.load(path, allow_pickle=False) as archive:
            is_words = archive[name].dtype.kind == "U"
        lines.append(split_line(experiment, f"archive[{quoted(name)}]", is_words and way != "groups", section))
    return section, lines


def _absolute(path: Path) -> str:
    return path.resolve().as_posix()
