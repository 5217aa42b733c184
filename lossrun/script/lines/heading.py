"""Write the docstring of a script, and the settings at its top."""

from textwrap import wrap

from lossrun.catalog.schedules import moves
from lossrun.output import harmless
from lossrun.script.lines import rates
from lossrun.script.lines.script_input import TITLES, ScriptInput
from lossrun.script.lines.text import number
from lossrun.shell import command


def heading(experiment: ScriptInput, framework: str, packages: list[str]) -> str:
    """Return the docstring of the script, without its quotes."""
    config = experiment.config
    if experiment.dataset is not None and experiment.dataset.package:
        packages = [*packages, experiment.dataset.package]
    parts = (config.dataset, config.model, config.loss, config.optimizer)
    what = ", ".join(part.name.rpartition(":")[2] for part in parts)
    same = {
        "pytorch": "Data, split, initial weights and batches are those of lossrun, and so are the losses, up to "
        "rounding.",
        "keras": "Data and split are those of lossrun; Keras draws its own initial weights and batches.",
    }[framework]
    seeds = len(config.seeds)
    one = f" It trains the first of {seeds} seeds; change SEED for the others." if seeds > 1 else ""
    text = (
        f"The experiment of {experiment.source}, written by `{command('script')}`. {same}{one} "
        f"Needs {', '.join(packages[:-1])} and {packages[-1]}."
    )
    if framework == "keras":
        text += " Keras computes with TensorFlow unless KERAS_BACKEND=torch (or jax) is set."
    about = "\n".join(wrap(text, 88, break_on_hyphens=False))
    again = f"\n    {experiment.command}\n" if experiment.command else ""
    return _in_docstring(f"{what}, in {TITLES[framework]}.\n\n{about}\n{again}")


def _in_docstring(text: str) -> str:
    """Escape what ends a docstring, or means something else in it. The name of a file may hold anything."""
    # Half of a surrogate pair stands for a byte of a name that is not text.
    writable = harmless(text).encode("utf-8", "backslashreplace").decode()
    return writable.replace("\\", "\\\\").replace('"', '\\"')


def settings(experiment: ScriptInput) -> list[str]:
    """Return the constants that both frameworks have."""
    config = experiment.config
    full = "  # all samples in every step" if config.batch_size == "full" else ""
    lines = [
        f"SEED = {experiment.seed}",
        f"EPOCHS = {config.epochs}",
        f"BATCH_SIZE = {experiment.batch_size}{full}",
        f"LEARNING_RATE = {number(config.learning_rate)}",
    ]
    if rates.moves(experiment):
        lines[-1] += "  # the highest of the schedule" if moves(config.schedule.name) else ""
    return lines
