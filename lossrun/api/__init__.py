"""Offer the commands in Python: `lossrun.train`, `resume`, `compare`, `load`, and more.

Nothing is printed: errors are raised, and the command line's warnings and notes are UserWarnings.
"""

from lossrun.api.given import ConfigLike, Overrides, RunLike
from lossrun.api.models import evaluate, export, predict, verify
from lossrun.api.results import Comparison, DatasetComparison, Run, RunHistory, Sweep
from lossrun.api.runs import compare, load
from lossrun.api.sweeping import find_lr, load_sweep, resume_sweep, sweep
from lossrun.api.training import resume, train

__all__ = [
    "Comparison",
    "ConfigLike",
    "DatasetComparison",
    "Overrides",
    "Run",
    "RunHistory",
    "RunLike",
    "Sweep",
    "compare",
    "evaluate",
    "export",
    "find_lr",
    "load",
    "load_sweep",
    "predict",
    "resume",
    "resume_sweep",
    "sweep",
    "train",
    "verify",
]
