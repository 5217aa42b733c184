"""The layers of a user's own network, for its summary."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import torch
from torch import Tensor, nn

from lossrun.catalog.declaration import Layer


def layers_of(network: nn.Module, inputs: Tensor) -> list[Layer]:
    """Return a row for each module with parameters of its own or without modules inside it, in order of registration.

    A parameter that several modules share is counted in the first. The shape is that of the module's output for
    `inputs`, a batch; () if the module is not called or gives different shapes. The network is called once, in its
    present mode: the caller restores mode, buffers and random numbers.
    """
    rows = {name: module for name, module in network.named_modules() if _is_row(module)}
    # A user's network may raise anything under hooks; then its summary has no shapes.
    with _watched(rows.values()) as shapes, suppress(Exception), torch.no_grad():
        network(inputs)
    counted: set[int] = set()
    layers = []
    for name, module in rows.items():
        own = list(module.parameters(recurse=False))
        new = [parameter for parameter in own if id(parameter) not in counted]
        counted.update(id(parameter) for parameter in new)
        given = shapes.get(id(module), set())
        layers.append(
            Layer(
                name=name or "model",
                type=type(module).__name__ + (", shared" if own and not new else ""),
                output_shape=next(iter(given)) if len(given) == 1 else (),
                parameters=sum(parameter.numel() for parameter in new),
                frozen=sum(parameter.numel() for parameter in new if not parameter.requires_grad),
            )
        )
    return layers


def _is_row(module: nn.Module) -> bool:
    own = next(module.parameters(recurse=False), None) is not None
    return own or next(module.children(), None) is None


@contextmanager
def _watched(modules: Any) -> Iterator[dict[int, set[tuple[int, ...]]]]:
    """Collect the shapes that each module gives while it is called, without the batch axis, by the module's id."""
    shapes: dict[int, set[tuple[int, ...]]] = {}
    handles = []

    def note(module: nn.Module, _inputs: Any, outputs: Any) -> None:
        # A recurrent layer gives its states as well.
        first = outputs[0] if isinstance(outputs, tuple | list) and outputs else outputs
        if isinstance(first, Tensor):
            shapes.setdefault(id(module), set()).add(tuple(first.shape[1:]))

    try:
        for module in modules:
            # A compiled module refuses hooks, each kind with an error of its own; then its shape is not known.
            with suppress(Exception):
                handles.append(module.register_forward_hook(note))
        yield shapes
    finally:
        for handle in handles:
            handle.remove()
