"""Find the lines of `load_data` that read or compute all samples, by the reader that the dataset declares."""

from collections.abc import Callable

from lossrun.script.lines import sources
from lossrun.script.lines.own import own_reading
from lossrun.script.lines.script_input import ScriptInput
from lossrun.script.lines.text import Section

Lines = list[str]


def reading(experiment: ScriptInput, channels_last: bool) -> tuple[Section, Lines]:
    """Return what is outside `load_data`, and the lines in it."""
    declared = experiment.dataset
    if declared is None or experiment.own_dataset is not None:
        return own_reading(experiment, channels_last)
    write: Callable[[ScriptInput, bool], tuple[Section, Lines]] = getattr(sources, declared.read_by)
    return write(experiment, channels_last)
