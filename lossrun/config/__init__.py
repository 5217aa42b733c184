"""Read YAML into a frozen, validated Config."""

from lossrun.config.config import Best, Checkpointing, Choice, Config, EarlyStopping
from lossrun.config.overrides import Change, Override, text_option
from lossrun.config.plain import plain
from lossrun.config.read import (
    Draft,
    SourcedConfig,
    draft_of_mapping,
    draft_of_standard_input,
    from_mapping,
    read,
    read_draft,
)
from lossrun.config.resolve import resolve

__all__ = [
    "Best",
    "Change",
    "Checkpointing",
    "Choice",
    "Config",
    "Draft",
    "EarlyStopping",
    "Override",
    "SourcedConfig",
    "draft_of_mapping",
    "draft_of_standard_input",
    "from_mapping",
    "plain",
    "read",
    "read_draft",
    "resolve",
    "text_option",
]
