"""Rules over a config and the facts of its data, before anything is trained."""

from lossrun.lint.check import check
from lossrun.lint.examine import Examined, examine, examine_without_data
from lossrun.lint.rules import RULES
from lossrun.lint.untold import only_torch_tells

__all__ = ["RULES", "Examined", "check", "examine", "examine_without_data", "only_torch_tells"]
