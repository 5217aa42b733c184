"""Programs of any form are replayed, bit for bit."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias

import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tests.replay.replaying import check, gradients, normal

# Programs of any form: each instruction names an operation and two earlier values; all values are (4, 4).
OPERATIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "add": torch.add,
    "multiply": lambda a, b: a * b.tanh(),
    "product": lambda a, b: (a @ b).tanh(),
    "exp": lambda a, b: a.clamp(max=2).exp(),
    "double": lambda a, b: (a.double() + b.double()).tanh().float(),
    "whole": lambda a, b: (a.nan_to_num().clamp(-9, 9) * 3).to(torch.int32).float(),
    "where": lambda a, b: torch.where(a > b, a, b),
    "fill": lambda a, b: a.masked_fill(b > 0, 0.25),
    "cumsum": lambda a, b: a.cumsum(1),
    "sort": lambda a, b: a.sort(0).values,
    "softmax": lambda a, b: a.softmax(1),
    "mean": lambda a, b: a.mean() + b,
    "dropout": lambda a, b: F.dropout(a, 0.5),
    "noise": lambda a, b: a + torch.rand(4),
    "constant": lambda a, b: torch.arange(16.0).view(4, 4) * 0.1 + torch.ones(4),
    "scatter": lambda a, b: torch.zeros(4, 4).scatter_(1, b.argsort(1), a),
    "gather": lambda a, b: a.gather(0, b.argsort(0)),
    "stack": lambda a, b: torch.stack([a, b]).sum(0),
    "turned": lambda a, b: a.t(),
    "spread": lambda a, b: a[1].expand(4, 4),
    "strided": lambda a, b: torch.cat([a, b], 1)[:, ::2],
    "halves": lambda a, b: a.view(2, 2, 4).transpose(0, 1).reshape(4, 4) if a.is_contiguous() else a,
    "copied": lambda a, b: a.clone(),
}


IN_PLACE: dict[str, Callable[[Tensor, Tensor], object]] = {
    "add_": lambda a, b: a.add_(b),
    "row_": lambda a, b: a[2].copy_(b[0]),
    "clamp_": lambda a, b: a.clamp_(-1, 1),
    "assign_": lambda a, b: a.__setitem__((slice(None), 1), b[:, 3]),
    "index_add_": lambda a, b: a.index_add_(0, torch.tensor([0, 0, 3]), b[:3]),
    "uniform_": lambda a, b: a.uniform_(),
    "masked_": lambda a, b: a.masked_fill_(b > 0, 0.5),
}


Program: TypeAlias = list[tuple[str, int, int]]


def run(program: Program, wanted: Sequence[int], *inputs: Tensor) -> list[Tensor]:
    values = list(inputs)
    for name, one, other in program:
        a, b = values[one % len(values)], values[other % len(values)]
        if name in IN_PLACE:
            # Memory that overlaps itself cannot be written, nor what is read meanwhile.
            if 0 in a.stride():
                a = a.clone()
            IN_PLACE[name](a, b.clone())
            values.append(a)
        else:
            values.append(OPERATIONS[name](a, b))
    return [values[number % len(values)] for number in wanted] + values[-1:]


def programs(*names: str) -> st.SearchStrategy[Program]:
    place = st.integers(0, 30)
    return st.lists(st.tuples(st.sampled_from(names), place, place), min_size=1, max_size=25)


@settings(max_examples=100)
@given(programs(*OPERATIONS, *IN_PLACE), st.lists(st.integers(0, 30), max_size=3))
def test_any_program_is_replayed(program: Program, wanted: list[int]) -> None:
    check(partial(run, program, wanted), normal((4, 4), (4, 4)))


@settings(max_examples=50)
@given(programs(*OPERATIONS), st.lists(st.integers(0, 30), max_size=2))
def test_the_gradients_of_any_program_are_replayed(program: Program, wanted: list[int]) -> None:
    check(gradients(lambda *inputs: [value + inputs[0] for value in run(program, wanted, *inputs)]), normal((4, 4)))
