"""Other spellings of a component's name, with the parameters that each implies."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Alias:
    """Another spelling of a component's name, with the parameters that the spelling implies.

    A spelling with a prefix (`keras.Adam`) carries that framework's conventions and is accepted only with the prefix.

    Attributes:
        spelling: The name, as the framework writes it.
        implies: Parameters that the spelling sets.
        remark: How the framework's rule differs in more than parameters; one sentence without a full stop.
        called: What the framework's own function assumes if it is called without options, and what a config leaves to
            the model and the data: the form of the outputs (`inputs`) and how labels are written (`labels`). It applies
            if the function is called from Python.
    """

    spelling: str
    implies: dict[str, Any] = field(default_factory=dict)
    remark: str = ""
    called: dict[str, Any] = field(default_factory=dict)


def also(
    *spellings: str, remark: str = "", called: Mapping[str, Any] | None = None, **implies: Any
) -> tuple[Alias, ...]:
    """Make aliases with the same remark and the same implied parameters."""
    return tuple(Alias(spelling, implies, remark, dict(called or {})) for spelling in spellings)


def in_keras(
    *spellings: str, remark: str = "", called: Mapping[str, Any] | None = None, **implies: Any
) -> tuple[Alias, ...]:
    """Make aliases that only Keras uses, with its conventions; each with and without the `keras.` prefix."""
    both = [name for spelling in spellings for name in (spelling, f"keras.{spelling}")]
    return also(*both, remark=remark, called=called, **implies)
