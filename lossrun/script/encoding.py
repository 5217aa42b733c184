"""Lines of `load_data` that bring raw arrays into the form that the task and the framework want."""

from lossrun.script.experiment import Experiment

Lines = list[str]


def encoded(name: str, experiment: Experiment, ndim: int) -> Lines:
    """Raw targets turned into what the task wants."""
    task = experiment.facts.task
    if task == "multiclass" and ndim == 2 and experiment.facts.target_size > 1:
        return [f"{name} = {name}.argmax(axis=1)"]
    if task in ("binary", "multiclass"):
        flat = f"{name}[:, 0]" if ndim == 2 else name
        lines = [f"{name} = np.unique({flat}, return_inverse=True)[1]"]
        last = f"{name} = {name}[:, None].astype(np.float32)" if task == "binary" else ""
        return [*lines, *([last] if last else [])]
    return []


def oriented(name: str, shape: tuple[int, ...], experiment: Experiment, channels_last: bool, *, bytes_: bool) -> Lines:
    """Raw inputs with an axis of channels, or of columns, where the framework has it."""
    lines = []
    if len(shape) == 1:
        lines.append(f"{name} = {name}[:, None]")
    elif len(shape) == 3:
        lines.append(f"{name} = {name}[..., None]" if channels_last else f"{name} = {name}[:, None]")
    elif len(shape) == 4:
        is_last = shape[1:] != experiment.facts.input_shape
        if is_last and not channels_last:
            lines.append(f"{name} = np.moveaxis({name}, -1, 1)  # channels first")
        elif channels_last and not is_last:
            lines.append(f"{name} = np.moveaxis({name}, 1, -1)  # channels last")
    return lines if bytes_ else [*lines, f"{name} = {name}.astype(np.float32)"]
