"""YAML text -> a frozen, validated Config."""

from lossrun.config.config import Best, Checkpointing, Choice, Config, EarlyStopping
from lossrun.config.read import Reading, from_mapping, read
from lossrun.config.resolve import resolve

__all__ = [
    "Best",
    "Checkpointing",
    "Choice",
    "Config",
    "EarlyStopping",
    "Reading",
    "from_mapping",
    "read",
    "resolve",
]
