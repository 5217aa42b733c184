"""Capture a computation as a CUDA graph: the GPU runs all of its kernels at one call, without waiting for Python."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from lossrun.replay.trees import with_tensors


class Captured:
    """A captured function. Each `replay()` computes `outputs`, what the function returned, again; see `Recording`.

    Capturing computes nothing, so the graph is replayed once; then the function has been run, as a recording runs it.
    torch registers its generator with the graph, so that dropout continues to draw new masks.
    """

    def __init__(self, function: Callable[[], Any], *, warm_up: int) -> None:
        """Capture the function.

        `warm_up`: how often to run it first, so that libraries choose kernels and take workspaces. torch's
        documentation does so three times, on a stream of its own.
        """
        # A stream of its own: a graph that is deleted frees the workspace of cuBLAS on the stream of its capture, and
        # other graphs captured there go on writing to it (https://github.com/pytorch/pytorch/issues/193402).
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        self.graph = torch.cuda.CUDAGraph()
        # Around the capture too: if that fails, torch does not return to the stream it came from.
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
