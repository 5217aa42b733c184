"""Write a config as a plain script in PyTorch or Keras, as a person would. It only writes text and imports neither."""

from lossrun.script.lines.script_input import FRAMEWORKS, ScriptInput, script_input
from lossrun.script.write import write

__all__ = ["FRAMEWORKS", "ScriptInput", "script_input", "write"]
