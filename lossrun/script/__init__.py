"""A config as a plain script in PyTorch or Keras, such as one would write by hand. Text only: nothing is imported."""

from lossrun.script.lines.script_input import FRAMEWORKS, ScriptInput, script_input
from lossrun.script.write import save, write

__all__ = ["FRAMEWORKS", "ScriptInput", "save", "script_input", "write"]
