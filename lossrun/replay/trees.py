"""Handle tensors in nested tuples, lists and dicts, as functions and operators take and return them."""

from collections.abc import Callable, Iterator
from typing import Any

from torch import Tensor


def leaves(tree: Any) -> Iterator[Any]:
    """Yield every leaf of the tree, which is not a tuple, list or dict, from left to right."""
    if type(tree) in (list, tuple) or _has_fields(tree):
        parts = tree
    elif type(tree) is dict:
        parts = tree.values()
    else:
        yield tree
        return
    for part in parts:
        if isinstance(part, Tensor):  # most of them, and a generator for each would take longer than the rest
            yield part
        else:
            yield from leaves(part)


def tensors_in(tree: Any) -> Iterator[Tensor]:
    """Return every tensor in the tree, from left to right."""
    return (leaf for leaf in leaves(tree) if isinstance(leaf, Tensor))


def with_tensors(tree: Any, function: Callable[[Tensor], Tensor]) -> Any:
    """Return the same tree with `function` of each tensor in its place."""
    if isinstance(tree, Tensor):
        return function(tree)
    if type(tree) in (list, tuple):
        return type(tree)(with_tensors(part, function) for part in tree)
    if _has_fields(tree):
        parts = [with_tensors(part, function) for part in tree]
        # torch's own named tuples are made from one sequence, other named tuples from their parts.
        return type(tree)(*parts) if hasattr(tree, "_fields") else type(tree)(parts)
    if type(tree) is dict:
        return {name: with_tensors(part, function) for name, part in tree.items()}
    return tree


def _has_fields(tree: Any) -> bool:
    """Return whether it is a named tuple, or one of those that torch's functions return, as `torch.sort` does."""
    return isinstance(tree, tuple) and (hasattr(tree, "_fields") or type(tree).__module__ == "torch.return_types")
