"""Find which columns of a table, or arrays of an archive, a dataset's keys name."""

from collections.abc import Mapping, Sequence
from typing import Any

from lossrun.data.tables.cells import PLAIN
from lossrun.errors import DataError
from lossrun.nearby import nearest


def as_names(value: str | Sequence[str] | None) -> list[str]:
    """Return the names in a key that takes one name or several."""
    return [value] if isinstance(value, str) else list(value or ())


def named_columns(value: Any, known: Sequence[str], key: str, where: str) -> list[str]:
    """Return the columns that a key names, or numbers from 1, or from the end with -1.

    Raises:
        DataError: For a name that `where` does not have, with the nearest known one, or that is given twice.
    """
    asked = list(value) if isinstance(value, (list, tuple)) else [] if value is None else [value]
    names = [_name(one, known, key, where) for one in asked]
    check_names(names, known, key, where)
    return names


def check_names(names: Sequence[str], known: Sequence[str], key: str, where: str) -> None:
    """Raise DataError for a name that `where` does not have, with the nearest known one, or that is given twice."""
    for name in names:
        if name not in known:
            near, parts = nearest(name, list(known)), [part.strip() for part in name.split(",")]
            if set(parts) <= set(known):
                raise DataError(
                    f"dataset.{key}: {where} has no {name!r}; write several as a list: [{', '.join(parts)}]"
                )
            hint = f"did you mean {_told(near)}?" if near else f"there are: {', '.join(map(_told, known))}"
            if not near and any(PLAIN.number(column) is not None for column in known):
                hint += "; if the first line is a row of data, say so: header: false"
            raise DataError(f"dataset.{key}: {where} has no {name!r}; {hint}")
        if names.count(name) > 1:
            raise DataError(f"dataset.{key}: {name!r} is named twice; name it once")


def _told(name: str) -> str:
    """Return a name for a message, in quotes if a space of another kind or quotes of its own could be overlooked."""
    return name if name.isprintable() and name[:1] not in "\"'" else repr(name)


def chosen_columns(
    known: Sequence[str], parameters: Mapping[str, Any], where: str
) -> tuple[list[str], list[str], list[str]]:
    """Return the names of the targets, of the inputs, and of the column that decides the split, if there is one.

    That column is an input only if `inputs` names it; a column of weights is never an input.

    Raises:
        DataError: For names that do not fit.
    """
    targets, drop, inputs = (
        named_columns(parameters.get(key), known, key, where) for key in ("target", "drop", "inputs")
    )
    splits = split_by(parameters, known, where)
    weights = weight_column(parameters, known, where)
    inputs = inputs or [name for name in known if name not in (*targets, *drop, *splits, *weights)]
    check_no_target_among(inputs, targets)
    for name in inputs:
        if name in drop:
            raise DataError(f"dataset.inputs: {name} is also in drop; remove it from one of the two")
    check_weights(weights, inputs, targets)
    for name in splits:
        if name in targets:
            raise DataError(f"dataset.split: {name} is also the target; choose another column to split by")
    if not targets:
        raise DataError(f"dataset.target: names no column of {where}; name at least one")
    if not inputs:
        raise DataError(
            f"dataset.inputs: target and drop use every column of {where}; leave at least one for the inputs"
        )
    return targets, inputs, splits


def check_no_target_among(inputs: Sequence[str], targets: Sequence[str]) -> None:
    """Refuse a target among the inputs. An autoencoder, whose targets are its inputs, names all of them as both."""
    both = [name for name in inputs if name in targets]
    if both and set(inputs) != set(targets):
        raise DataError(
            f"dataset.inputs: {both[0]} is also the target; remove it from one of the two, or name the same ones in "
            "both, for an autoencoder"
        )


def weight_column(parameters: Mapping[str, Any], known: Sequence[str], where: str) -> list[str]:
    """Return the column of weights, if there is one."""
    return named_columns(parameters.get("weight"), known, "weight", where)


def check_weights(weights: Sequence[str], inputs: Sequence[str], targets: Sequence[str]) -> None:
    """Raise DataError if a column of weights is also an input or a target."""
    for key, names in (("inputs", inputs), ("target", targets)):
        if both := [name for name in weights if name in names]:
            raise DataError(
                f"dataset.weight: {both[0]} is also in {key}; a column of weights cannot be an input or a target"
            )


def split_by(parameters: Mapping[str, Any], known: Sequence[str], where: str) -> list[str]:
    """Return the column that decides the split, if there is one."""
    split = parameters.get("split") or {}
    return next(
        (
            named_columns(split[way], known, f"split.{way}", where)
            for way in ("column", "groups", "order")
            if split.get(way) is not None
        ),
        [],
    )


def _name(asked: str | int, known: Sequence[str], key: str, where: str) -> str:
    if isinstance(asked, str) or str(asked) in known:
        return str(asked)
    if asked == 0 or abs(asked) > len(known):
        raise DataError(
            f"dataset.{key}: {asked}; the {len(known)} columns of {where} are counted from 1, and from the end by -1"
        )
    return known[asked - 1 if asked > 0 else asked]
