"""Read YAML into a frozen, validated Config."""

from lossrun.config.config import Best, Checkpointing, Choice, Config, EarlyStopping
from lossrun.config.overrides import Change, Override, text_option
from lossrun.config.plain import plain
from lossrun.config.read import SourcedConfig, from_mapping, read, read_standard_input
from lossrun.config.resolve import resolve

__all__ = [
    "Best",
    "Change",
    "Checkpointing",
    "Choice",
    "Config",
    "EarlyStopping",
    "Override",
    "SourcedConfig",
    "from_mapping",
    "plain",
    "read",
    "read_standard_input",
    "resolve",
    "text_option",
]
