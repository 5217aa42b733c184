"""A config as a plain script in PyTorch or Keras, such as one would write by hand. Text only: nothing is imported."""

from lossrun.script.experiment import FRAMEWORKS, Experiment, experiment
from lossrun.script.write import save, write

__all__ = ["FRAMEWORKS", "Experiment", "experiment", "save", "write"]
