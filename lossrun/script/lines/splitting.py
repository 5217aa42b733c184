"""Write the lines of `load_data` that hold samples out: at random, by a column, by groups or by time."""

import inspect
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np

from lossrun.data.samples.dataset import SplitColumn
from lossrun.data.samples.given_split import ISO, MOST_SUMS, SPELLINGS, choose_groups, date_form
from lossrun.data.samples.splits import drawn_sizes
from lossrun.data.samples.streams import DataStream
from lossrun.script.lines.encoding import as_numbers
from lossrun.script.lines.script_input import ScriptInput
from lossrun.script.lines.text import Section, let, literal

Lines = list[str]
PURPOSES: Final = {"test": DataStream.TEST_SPLIT, "val": DataStream.VALIDATION_SPLIT}
PARTS: Final = {"test": "test", "val": "validation"}
# The name that a script gives to the column that decides the split.
NAMES: Final = {"column": "part", "groups": "groups", "order": "times"}

HOLD_OUT: Final = '''def hold_out(y, size, stream):
    """A mask of the samples to hold out: `size` of them, in proportion to the classes."""
    rng = np.random.default_rng([SPLIT_SEED, stream])
    classes, counts = np.unique(y, return_counts=True)
    shares, remainders = np.divmod(counts * size, len(y))
    largest = np.argsort(-remainders, kind="stable")
    shares[largest[: size - shares.sum()]] += 1
    mask = np.zeros(len(y), bool)
    for label, share in zip(classes, shares):
        mask[rng.permutation(np.flatnonzero(y == label))[:share]] = True
    return mask'''

HOLD_OUT_PLAIN: Final = '''def hold_out(y, size, stream):
    """A mask of the samples to hold out: `size` of them."""
    mask = np.zeros(len(y), bool)
    mask[np.random.default_rng([SPLIT_SEED, stream]).permutation(len(y))[:size]] = True
    return mask'''

FOLD_OF: Final = '''def fold_of(y):
    """The fold of each sample, from 0; as many of each class in every fold."""
    rng = np.random.default_rng([SPLIT_SEED, {stream}])
    members = [rng.permutation(np.flatnonzero(y == label)) for label in np.unique(y)]
    folds = np.empty(len(y), int)
    folds[np.concatenate(members)] = np.arange(len(y)) % FOLDS
    return folds'''

FOLD_OF_PLAIN: Final = '''def fold_of(y):
    """The fold of each sample, from 0."""
    rng = np.random.default_rng([SPLIT_SEED, {stream}])
    folds = np.empty(len(y), int)
    folds[rng.permutation(len(y))] = np.arange(len(y)) % FOLDS
    return folds'''

HOLD_OUT_GROUPS: Final = '''def hold_out_groups(groups, size, stream):
    """A mask of the samples to hold out: whole groups, about `size` samples in all."""
    rng = np.random.default_rng([SPLIT_SEED, stream])
    names, index, counts = np.unique(groups, return_inverse=True, return_counts=True)
    return np.isin(index, choose_groups(counts, size, rng))'''

HOLD_OUT_LAST: Final = '''def hold_out_last(times, size):
    """A mask of the samples to hold out: the last `size` of them."""
    mask = np.zeros(len(times), bool)
    mask[np.argsort(times, kind="stable")[-size:]] = True
    return mask'''


def split_way(experiment: ScriptInput) -> str:
    """Return "column", "groups" or "order"; "" if no column decides the split."""
    split = experiment.config.dataset.parameters.get("split") or {}
    return next((way for way in NAMES if split.get(way) is not None), "")


def split_line(experiment: ScriptInput, expression: str, is_words: bool, section: Section) -> str:
    """Return the line that reads the column that decides the split."""
    way = split_way(experiment)
    if way == "order" and is_words:
        section.imports.append("from datetime import datetime")
        given = experiment.data.given
        assert given is not None
        form = date_form(given)
        read = "datetime.fromisoformat(cell)" if form == ISO else f"datetime.strptime(cell, {literal(form)})"
        return let("times", f"np.array([{read}.timestamp() for cell in {expression}])")
    if way == "order" and experiment.config.dataset.name == "csv":
        assert experiment.data.given is not None
        if experiment.data.given.values.dtype.kind == "i":
            return f"times = {expression}.astype(np.int64)"
        return f"times = {as_numbers(expression, experiment.data.layout.form)}"
    return f"{NAMES[way]} = {expression}"


def splitting(experiment: ScriptInput, given: Iterable[str], section: Section) -> Lines:
    """Return the lines that hold out the test part, then validation from the rest; `given` parts are read already."""
    dataset, facts, way = experiment.config.dataset, experiment.facts, split_way(experiment)
    named = _named(experiment.data.given) if way == "column" else {}
    own_test, own_validation = ("test" in given or "test" in named), ("val" in given or "val" in named)
    surplus = experiment.data.surplus
    total = facts.train + surplus + (0 if own_validation else facts.validation) + (0 if own_test else facts.test)
    asked, folds = {key: dataset[key] for key in ("test", "validation")}, experiment.config.folds_in_all
    if folds:
        asked["test"] = -(-total // folds)  # sized for the largest fold
    sizes = drawn_sizes(asked, total, own_test=own_test, own_validation=own_validation)
    cuts = [(short, f"np.isin(part, {literal(words)})") for short, words in named.items()]
    functions: list[str] = []
    by_class = facts.task in ("binary", "multiclass")
    for short, size in zip(("test", "val"), sizes, strict=True):
        if not size:
            continue
        if way == "order":
            part = experiment.data.test if short == "test" else experiment.data.validation
            cuts.append((short, f"hold_out_last(times, {len(part) if part else 0})"))
            functions = [HOLD_OUT_LAST]
        elif way == "groups":
            cuts.append((short, f"hold_out_groups(groups, {size}, stream={int(PURPOSES[short])})"))
            source = inspect.getsource(choose_groups).strip()
            functions = [source.replace("MOST_SUMS", f"{MOST_SUMS:_}"), HOLD_OUT_GROUPS]
        elif folds and short == "test":
            cuts.append((short, "fold_of(y) == FOLD"))
        else:
            # What a smaller fold tests less on, it validates more on: all folds train on equally many.
            wanted = f"{sum(sizes)} - len(y_test)" if folds else size
            cuts.append((short, f"hold_out(y, {wanted}, stream={int(PURPOSES[short])})"))
            functions = [HOLD_OUT if by_class else HOLD_OUT_PLAIN]
    if folds:
        functions = [(FOLD_OF if by_class else FOLD_OF_PLAIN).format(stream=int(DataStream.FOLDS)), *functions]
        first = experiment.config.which_splits[0]
        section.constants += [f"FOLDS = {folds}", f"FOLD = {int(str(first).partition('/')[0]) - 1}  # tested, from 0"]
    if surplus:
        functions.append(HOLD_OUT if by_class else HOLD_OUT_PLAIN)
    if functions and way != "order":
        seed = "SEED" if dataset["split_seed"] == "seed" else dataset["split_seed"]
        if splits := experiment.config.splits:
            seed = splits[0] if isinstance(splits, tuple) else "SEED"
        section.constants.append(f"SPLIT_SEED = {seed}")
    section.functions += functions
    return _cut(cuts, NAMES.get(way, ""), surplus, weighted=experiment.data.train.weights is not None)


def _cut(cuts: Sequence[tuple[str, str]], column: str, surplus: int, *, weighted: bool) -> Lines:
    """Return the lines that take the held-out samples from `x`, `y`, and the weights `w`.

    Args:
        cuts: The ending of the names of each part, and the expression of its mask.
        column: The name of the column that decides the split; "" for none.
        surplus: How many samples are left out, so that all splits train on equally many.
    """
    lines: Lines = []
    for place, (short, mask) in enumerate(cuts):
        lines += [f"held = {mask}", f"x_{short}, y_{short}, x, y = x[held], y[held], x[~held], y[~held]"]
        if weighted:
            lines.append(f"w_{short}, w = w[held], w[~held]")
        if column and place < len(cuts) - 1:
            lines.append(f"{column} = {column}[~held]")
    if surplus:
        lines += [
            f"held = hold_out(y, {surplus}, stream={int(DataStream.LEFT_OUT)})  # so all splits train on equally many",
            "x, y = x[~held], y[~held]",
        ]
        if weighted:
            lines.append("w = w[~held]")
    return lines


def _named(given: SplitColumn | None) -> Mapping[str, list[str]]:
    """Return the words that a column uses for each part that is held out."""
    assert given is not None
    words = np.unique(given.values).tolist()
    found = {
        short: [word for word in words if SPELLINGS[str(word).strip().lower()] == part] for short, part in PARTS.items()
    }
    return {short: named for short, named in found.items() if named}
