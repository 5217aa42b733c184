"""Write the script of a framework."""

from lossrun.errors import UsageError
from lossrun.script.keras import program as keras
from lossrun.script.lines.script_input import FRAMEWORKS, ScriptInput
from lossrun.script.pytorch import program as pytorch


def write(experiment: ScriptInput, framework: str) -> str:
    """Return a complete script of the experiment, for one seed: data, model, loss, optimizer, epochs.

    Raises:
        UsageError: For an unknown framework, or for what the framework cannot do as lossrun does.
    """
    writers = {"pytorch": pytorch.script, "keras": keras.script}
    if framework not in writers:
        raise UsageError(f"--as {framework}: there is no such framework; expected one of {', '.join(FRAMEWORKS)}")
    return writers[framework](experiment)
