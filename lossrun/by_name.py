"""Find a function by the name that a declaration gives it."""

from collections.abc import Callable
from types import ModuleType
from typing import Any


def function_in(module: ModuleType, name: str) -> Callable[..., Any] | None:
    """Return the function that the module itself defines under that name; None if there is none."""
    found = vars(module).get(name)
    own = callable(found) and getattr(found, "__module__", "") == module.__name__
    return found if own and not name.startswith("_") else None
