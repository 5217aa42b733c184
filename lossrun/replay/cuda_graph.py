"""A computation captured as a CUDA graph: the GPU runs all its kernels at one call, without waiting for Python."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from lossrun.replay.trees import with_tensors


class Captured:
    """`outputs` is what `function` returned, filled anew by each `replay()`. See `recording.Recording`.

    Capturing computes nothing; the graph is replayed once, so that the function has been run as a recording runs it.
    torch registers its generator with the graph, and dropout draws on.
    """

    def __init__(self, function: Callable[[], Any], *, warm_up: int) -> None:
        """`warm_up`: how often to run the function first, so that libraries have chosen kernels and taken workspaces
        (torch's documentation does so three times, on a stream beside the main one)."""
        # A stream of its own: a graph that is given up frees what cuBLAS works in on the stream of its capture,
        # and others captured there go on writing to it (https://github.com/pytorch/pytorch/issues/193402).
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        self.graph = torch.cuda.CUDAGraph()
        # Around the capture too: where that fails, torch does not go back to the stream that it came from.
        with torch.cuda.stream(side):
            for _ in range(warm_up):
                function()
            with torch.cuda.graph(self.graph, stream=side):
                outputs = function()
        torch.cuda.current_stream().wait_stream(side)
        self.outputs = with_tensors(outputs, Tensor.detach)
        self.replay()

    def replay(self) -> None:
        self.graph.replay()
