"""Ask about columns of a csv file that hold numbers in disguise: `disguises` finds them."""

from collections.abc import Mapping, Sequence
from typing import Any

from lossrun.data.tables.cells import shown
from lossrun.data.tables.disguises import TEXT, DisguisedColumn, fix_in_csv
from lossrun.data.tables.table import Table
from lossrun.errors import DataError


def ask_about_disguises(
    table: Table, inputs: Sequence[str], targets: Sequence[str], parameters: Mapping[str, Any]
) -> list[str]:
    """Return notes about columns that look like numbers but are encoded as words, because they may be categories.

    Raises:
        DataError: For all other columns that look like numbers; as words, each number would become a class or an input.
    """
    task, one_hot = parameters["task"], parameters["encode"] == "one_hot"
    asked: list[str] = []
    notes: list[str] = []
    used = list(dict.fromkeys([*inputs, *targets]))
    for name in used:
        is_target = name in targets
        # A config that states the task says what the target is.
        if is_target and len(targets) == 1 and task in ("binary", "multiclass"):
            continue
        found = table.disguised(name)
        if found is None:
            continue
        if not is_target and one_hot and found.may_be_categories:
            notes.append(f"column {name} holds {found.disguise.looks_like} and is still encoded as categories")
            continue
        fix = fix_in_csv(found.disguise, table.number_cells(used), table.form)
        question = _question(found, name, fix, parameters, is_target)
        asked.append(f"{table.place(found.place, name)}: {shown(found.cell)!r}: {question}")
    if asked:
        raise DataError(*asked)
    return notes


def _question(found: DisguisedColumn, name: str, fix: str, parameters: Mapping[str, Any], is_target: bool) -> str:
    text = f"the column seems to hold {found.disguise.looks_like}, which would be read as words; {fix}"
    if found.words:
        listed = ", ".join(f'"{word}"' for word in found.words)
        told, verb = " and ".join(found.words), "stand" if len(found.words) > 1 else "stands"
        missing = f"if {told} {verb} for missing values, add missing_values: [{listed}]"
        # In a csv file, numbers are written as text only if there are words among them.
        text = f"the column holds words and numbers; {missing}" if found.disguise == TEXT else f"{text}; {missing}"
    if is_target:
        alone = parameters["task"] is None and not isinstance(parameters["target"], list)
        return text + ("; or, if these are classes, add task: multiclass" if alone else "")
    drop = ", ".join([*map(str, parameters["drop"]), name])
    words = ", or, if these are categories, add encode: one_hot" if found.may_be_categories else ""
    return f"{text}; or leave the column out: drop: [{drop}]{words}"
