"""Write the lines of `load_data` that bring raw arrays into the form that the task and the framework need.

Numbers keep their precision until they have been standardized, and are rounded last.
"""

from collections.abc import Sequence

from lossrun.config.resolve import ignored_label
from lossrun.data.tables.cells import CellForm
from lossrun.errors import UsageError
from lossrun.script.lines.script_input import ScriptInput
from lossrun.script.lines.text import comment

Lines = list[str]
Shape = tuple[int, ...]


def as_numbers(cells: str, form: CellForm) -> str:
    """Return the expression that turns the cells of a column into numbers."""
    return f"{cells}.astype(float)" if form.is_plain else f"plain_numbers({cells}).astype(float)"


def encoded(name: str, experiment: ScriptInput, shape: Shape) -> Lines:
    """Return the lines that encode raw targets of this shape, (N,) or (N, K), for the task."""
    task = experiment.facts.task
    if task == "multiclass" and _is_one_hot(shape):
        return [f"{name} = {name}.argmax(axis=1)"]
    if task in ("binary", "multiclass"):
        flat = f"{name}[:, 0]" if len(shape) == 2 else name
        lines = [*without_void([name], experiment, len(shape)), f"{name} = np.unique({flat}, return_inverse=True)[1]"]
        last = f"{name} = {name}[:, None].astype(np.float32)" if task == "binary" else ""
        return [*lines, *([last] if last else [])]
    return _columns(name, experiment, shape)


def encoded_together(names: list[str], experiment: ScriptInput, shape: Shape, unused: Sequence[str] = ()) -> Lines:
    """Return the lines that encode the targets of several parts, which together decide on the classes.

    Args:
        unused: Arrays of labels of parts that the experiment does not use, whose classes count too.
    """
    task = experiment.facts.task
    if task not in ("binary", "multiclass"):
        return [line for name in names for line in _columns(name, experiment, shape)]
    if task == "multiclass" and _is_one_hot(shape):
        return [f"{name} = {name}.argmax(axis=1)" for name in names]
    column = "[:, 0]" if len(shape) == 2 else ""
    flat = [f"{name} = {name}{column}" for name in names] if column else []
    labels = [*names, *(f"{each}{column}" for each in unused)]
    classes = [f"classes = np.unique(np.concatenate([{', '.join(labels)}]))"]
    if unused and experiment.facts.void:
        classes.append(f"classes = classes[classes != {ignored_label(experiment.config.loss)!r}]")
    tail = "[:, None].astype(np.float32)" if task == "binary" else ""
    return [
        *without_void(names, experiment, len(shape)),
        *flat,
        *classes,
        *(f"{name} = np.searchsorted(classes, {name}){tail}" for name in names),
    ]


def _is_one_hot(shape: Shape) -> bool:
    """Return whether targets of several classes have a column for each class; a single column holds labels."""
    return len(shape) == 2 and shape[1] > 1


def without_void(names: list[str], experiment: ScriptInput, ndim: int) -> Lines:
    """Return the lines that leave out samples whose label is ignored and belongs to no class."""
    if not experiment.facts.void:
        return []
    if experiment.config.dataset.parameters.get("split"):
        raise UsageError(
            "loss.ignore_index: a script cannot leave samples out of a split that the data define; remove these "
            "samples from the file"
        )
    label = ignored_label(experiment.config.loss)
    cells = "[:, 0]" if ndim == 2 else ""
    lines = [*comment(f"Samples with the label {label} do not count, and it is not a class.")]
    for name in names:
        every = [f"x{name[1:]}", name, *([f"w{name[1:]}"] if experiment.facts.weights else [])]
        lines += [
            f"kept = {name}{cells} != {label!r}",
            f"{', '.join(every)} = {', '.join(f'{each}[kept]' for each in every)}",
        ]
    return lines


def _columns(name: str, experiment: ScriptInput, shape: Shape) -> Lines:
    column = "[:, None]" if len(shape) == 1 else ""
    if experiment.facts.task == "multilabel":
        return [f"{name} = {name}{column}.astype(np.float32)"]
    return [f"{name} = {name}{column}"] if column else []


def oriented(name: str, shape: tuple[int, ...], experiment: ScriptInput, channels_last: bool) -> Lines:
    """Return the lines that put the axis of channels, or of columns, where the framework expects it."""
    if len(shape) == 1:
        return [f"{name} = {name}[:, None]"]
    if len(shape) == 3:
        return [f"{name} = {name}[..., None]" if channels_last else f"{name} = {name}[:, None]"]
    if len(shape) == 4:
        is_last = shape[1:] != experiment.facts.input_shape
        if is_last and not channels_last:
            return [f"{name} = np.moveaxis({name}, -1, 1)  # channels first"]
        if channels_last and not is_last:
            return [f"{name} = np.moveaxis({name}, 1, -1)  # channels last"]
    return []
