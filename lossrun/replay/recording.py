"""Record a computation once and replay it into the same memory: for the CPU what a CUDA graph is for a GPU.

A step of a small network spends more time in autograd, in Python modules and in allocating memory than in arithmetic.
None of that changes from one step to the next: the same kernels run on tensors of the same shapes. So the function runs
once while every kernel call below autograd is recorded, with the tensors it reads and writes. From then on only these
kernels are called, and each writes to the same memory as the first time.

The record leaves out views, whose memory other calls write, and constants, whose inputs never change. Memory that holds
a result which is no longer needed is used again for later results.

The numbers are those of the recorded function, bit for bit, unless `decompose` replaces one kernel by several, or
`substitute` by another one.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Final, Generic, TypeAlias, TypeVar

import torch
from torch import Tensor

from lossrun.replay.cheaper_calls import cheaper, mean
from lossrun.replay.kernels import Call, Decomposition, Kernel, is_mutable, kernel
from lossrun.replay.trees import tensors_in, with_tensors
from lossrun.torch_internals import DispatchMode, Operator, below_autograd
from lossrun.torch_internals import storage_address as storage

Result = TypeVar("Result")
Pool: TypeAlias = list[torch.UntypedStorage]


class NotReplayableError(Exception):
    """The function makes decisions that depend on values; a replay would repeat the decisions of the first call.

    Either it reads a value back to Python, or it makes shapes that depend on values.
    """


# Says which calls a replay leaves to its caller.
Chooses: TypeAlias = Callable[[Call], bool]
# Returns a faster kernel that reads and writes the tensors of the call, with the same numbers up to rounding; or None.
Substitute: TypeAlias = Callable[[Call], Kernel | None]
# Returns what computes an operator's result by other operators, the same up to rounding; or None. The result may lie in
# another memory order. What is allocated before it runs outlives the recording, and is kept.
Decompose: TypeAlias = Callable[[Operator, tuple[Any, ...], Mapping[str, Any]], Decomposition | None]


class Recording(Generic[Result]):
    """A recorded function. `replay()` computes its outputs again, in place, from the tensors that it read.

    What the function changes in place, such as buffers and the generator's state, the recording changes as well. The
    tensors that the function reads must stay where they are; what they hold may change.

    Attributes:
        outputs: What the function returned.
        deferred: Calls that a replay leaves out although their results are outputs. What they read is valid until the
            next replay.

    Raises:
        NotReplayableError: The function decides by values.
    """

    def __init__(
        self,
        function: Callable[[], Result],
        substitute: Substitute | None = None,
        pool: Pool | None = None,
        defer: Chooses | None = None,
        decompose: Callable[[], Decompose] | None = None,
    ) -> None:
        """Run the function once and record it.

        Args:
            function: Runs the computation.
            substitute: Proposes faster kernels.
            pool: Memory for results that are not needed after a replay, shared by records that run one after the other;
                it grows as needed.
            defer: Says which calls may be left out of a replay, if their results are outputs and nothing else.
            decompose: Makes what proposes other operators for one.
        """
        self.below_autograd = below_autograd()
        with _Recorder(decompose and decompose()) as recorder:
            outputs = function()
        self.outputs: Result = with_tensors(outputs, Tensor.detach)
        self.kernels, self.deferred = _compile(
            recorder.calls, self.outputs, substitute, [] if pool is None else pool, defer
        )

    def replay(self) -> None:
        # The calls were recorded below autograd and are made there, which saves 1 us for each.
        with self.below_autograd():
            for kernel in self.kernels:
                kernel()


class _Recorder(DispatchMode):
    """Records every call, and keeps its tensors alive, so that no two results can lie in the same memory."""

    def __init__(self, decompose: Decompose | None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.calls: list[Call] = []
        self.decompose = decompose

    def __torch_dispatch__(
        self, func: Operator, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if _cannot_be_replayed(func, args):
            raise NotReplayableError(f"{func} depends on the values of a step")
        if self.decompose and (decomposed := self.decompose(func, args, kwargs or {})):
            with self:
                return decomposed()
        result = func(*args, **(kwargs or {}))
        self.calls.append(Call(func, args, kwargs or {}, result))
        return result


_NOT_REPLAYABLE: Final = (
    torch.Tag.data_dependent_output,
    torch.Tag.dynamic_output_shape,
    torch.Tag.inplace_view,
)


def _cannot_be_replayed(op: Operator, args: tuple[Any, ...]) -> bool:
    """Return whether a replay of the call could be wrong.

    It could be if a value is read back to Python, if the shape of the result depends on values, or if the call changes
    a tensor's shape or storage without writing to its memory.
    """
    if op is torch.ops.aten.index.Tensor:
        # Indexed by numbers, the result has their shape; by a mask, as many elements as are True.
        return any(index.dtype in (torch.bool, torch.uint8) for index in tensors_in(args[1]))
    if any(tensor.is_conj() or tensor.is_neg() for tensor in tensors_in(args)):
        return True
    return _depends_on_values(op)


@cache
def _depends_on_values(op: Operator) -> bool:
    return any(tag in op.tags for tag in _NOT_REPLAYABLE)


def _compile(
    calls: Sequence[Call], outputs: Any, substitute: Substitute | None, pool: Pool, defer: Chooses | None
) -> tuple[list[Kernel], list[Call]]:
    """Turn the recorded calls into the kernels of a replay and the deferred calls."""
    _refuse_written_literals(calls)
    needed = [call for call in calls if not _is_view(call)]
    needed = _without_constants(needed)
    kept = {storage(tensor) for tensor in tensors_in(outputs)}
    deferred = [call for call in _last_words(needed, outputs) if defer(call)] if defer else []
    kept |= {address for call in deferred for address in call.read_at}
    unfilled = {storage(t): t.untyped_storage() for call in calls if _is_unfilled(call) for t in call.results}
    homes = _shared_memory(needed, unfilled, kept, pool)

    def placed(tensor: Tensor) -> Tensor:
        """Return the same view of the memory where the tensor lives from now on, without its autograd history."""
        home = homes.get(storage(tensor))
        if home is None:
            return tensor.detach()
        view = torch.empty(0, dtype=tensor.dtype, device=tensor.device)
        return view.set_(home, tensor.storage_offset(), tensor.shape, tensor.stride())

    kernels: list[Kernel] = []
    left: list[Call] = []
    for call in needed:
        args, kwargs, result = with_tensors((call.args, dict(call.kwargs), call.result), placed)
        moved = Call(call.op, args, kwargs, result)
        if call in deferred:
            left.append(moved)
        else:
            kernels.append((substitute and substitute(moved)) or mean(moved) or kernel(cheaper(moved)))
    return kernels, left


def _last_words(calls: Sequence[Call], outputs: Any) -> list[Call]:
    """Return the calls that could also be made after all others.

    Each of their results is an output as it is, no other call touches it, and nothing that they read is written later.
    """
    layouts: dict[int, set[Any]] = {}
    for tensor in tensors_in(outputs):
        layouts.setdefault(storage(tensor), set()).add(_layout(tensor))
    touched: Counter[int] = Counter()
    written: dict[int, int] = {}
    for place, call in enumerate(calls):
        touched.update({*call.read_at, *call.results_at})
        written |= dict.fromkeys((*call.written_at, *call.results_at), place)
    return [
        call
        for place, call in enumerate(calls)
        if all(layouts.get(storage(t)) == {_layout(t)} and touched[storage(t)] == 1 for t in call.results)
        and all(written.get(address, -1) < place for address in call.read_at)
    ]


def _layout(tensor: Tensor) -> tuple[Any, ...]:
    return tensor.storage_offset(), tensor.shape, tensor.stride()


def _refuse_written_literals(calls: Sequence[Call]) -> None:
    """Raise NotReplayableError for a tensor that the function makes of numbers and then changes.

    A replay would not make it again, so it would begin with the changed numbers.
    """
    written = {address for call in calls for address in call.written_at}
    for call in calls:
        if call.op.overloadpacket is torch.ops.aten.lift_fresh and not written.isdisjoint(call.results_at):
            raise NotReplayableError("a tensor made of numbers is changed in place")


def _is_view(call: Call) -> bool:
    """Return whether all results lie in the memory of an argument, and the call writes nothing."""
    results = call.results_at
    return bool(results) and not is_mutable(call.op) and {*call.read_at}.issuperset(results)


# These calls only allocate memory, and a replay already has its memory.
_UNFILLED: Final = ("empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided")


def _is_unfilled(call: Call) -> bool:
    return call.op.overloadpacket.__name__ in _UNFILLED


def _without_constants(calls: Sequence[Call]) -> list[Call]:
    """Leave out calls whose results depend on no tensor outside the recording and are never written to."""
    written = {address for call in calls for address in call.written_at}
    constant: set[int] = set()
    kept = []
    for call in calls:
        results = {*call.results_at}
        name = call.op.overloadpacket.__name__
        if _is_unfilled(call):
            continue
        random = torch.Tag.nondeterministic_seeded in call.op.tags
        shape_only = name.endswith("_like") or name.startswith("new_")
        fixed = shape_only or constant.issuperset(call.read_at)
        if fixed and not random and not results & written:
            constant |= results
        else:
            kept.append(call)
    return kept


def _shared_memory(
    calls: Sequence[Call], unfilled: dict[int, torch.UntypedStorage], kept: set[int], pool: Pool
) -> dict[int, torch.UntypedStorage]:
    """Choose the memory of each result: the smallest piece of the pool that is large enough.

    Once the last call that reads it has run, the piece returns to the pool.

    Args:
        calls: In the order in which they run.
        unfilled: Memory that the function itself took, to write into, by address.
        kept: Addresses that outlive a replay.
        pool: Pieces of memory to use; grows by what is not needed after a replay.

    Returns:
        The memory of each result, by the address of its own memory.
    """
    created = dict(unfilled)
    last: dict[int, int] = {}
    for place, call in enumerate(calls):
        outside = {*call.read_at} - created.keys()
        for tensor, address in zip(call.results, call.results_at, strict=True):
            if address not in outside:
                created.setdefault(address, tensor.untyped_storage())
        last |= dict.fromkeys((*call.read_at, *call.results_at), place)

    homes: dict[int, torch.UntypedStorage] = {}
    living: set[int] = set()
    for place, call in enumerate(calls):
        touched = {*call.results_at, *call.written_at}
        for address in touched & created.keys() - living - kept:
            living.add(address)
            size, device = created[address].nbytes(), created[address].device
            fitting = [piece for piece in pool if piece.nbytes() >= size and piece.device == device]
            homes[address] = min(fitting, key=torch.UntypedStorage.nbytes, default=created[address])
            if fitting:
                pool[:] = [piece for piece in pool if piece is not homes[address]]
        for address in [address for address in living if last[address] == place]:
            pool.append(homes[address])
            living.remove(address)
    return homes
