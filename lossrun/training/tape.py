"""A computation recorded once and replayed into the same memory: what a CUDA graph is, for the CPU.

A step of a small network spends more time in autograd, in Python modules and in allocating than in arithmetic. None of
that changes from one step to the next: the same kernels run on tensors of the same shapes. So the function runs once
while every kernel call below autograd is written down, with the tensors it read and wrote; from then on only these
kernels are called, each writing where it wrote the first time.

What is left out of the list: views (their memory is written by others) and constants (nothing they come from changes).
Memory of a result that nobody needs any more is given to later ones.

The numbers are the recorded function's own, bit for bit, unless `decompose` puts several kernels in the place of one,
or `substitute` another.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Generic, TypeAlias, TypeVar

import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

Result = TypeVar("Result")
Kernel: TypeAlias = Callable[[], object]
Pool: TypeAlias = list[torch.UntypedStorage]


class NotReplayableError(Exception):
    """The function reads a value back to Python, or makes shapes that depend on values: a replay would repeat the
    first time's decisions."""


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """One kernel call, as it was made."""

    op: OpOverload
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    result: Any

    @property
    def read(self) -> Iterator[Tensor]:
        """Every tensor among the arguments, those that are written as well."""
        return _tensors((self.args, dict(self.kwargs)))

    @property
    def written(self) -> Iterator[Tensor]:
        """Arguments changed in place."""
        for position, argument in enumerate(self.op._schema.arguments):
            if argument.alias_info is not None and argument.alias_info.is_write:
                given = self.args[position] if position < len(self.args) else self.kwargs.get(argument.name)
                yield from _tensors(given)

    @property
    def results(self) -> Iterator[Tensor]:
        return _tensors(self.result)


# Which calls are left to whoever replays.
Chooses: TypeAlias = Callable[[Call], bool]
# A kernel that gives (nearly) the numbers of the call, reading and writing the call's tensors; None: no better one.
Substitute: TypeAlias = Callable[[Call], Kernel | None]
# A function of other operations that gives (nearly) what the operation gives of these arguments; None: no better one.
# Its result may lie in another memory order. What is allocated before it runs outlives the recording, and is kept.
Decompose: TypeAlias = Callable[[OpOverload, tuple[Any, ...], Mapping[str, Any]], Callable[[], Any] | None]


class Recording(Generic[Result]):
    """`outputs` is what `function` returned; `replay()` computes them anew, in place, from the tensors that it read.

    What the function changes in place (buffers, the generator's state) is changed by the recording as well. The tensors
    that it reads must stay where they are; what they hold may change. Raises NotReplayableError.

    `deferred`: calls that a replay does not make, though outputs are their results. What they read holds until the next
    replay.
    """

    def __init__(
        self,
        function: Callable[[], Result],
        substitute: Substitute | None = None,
        pool: Pool | None = None,
        defer: Chooses | None = None,
        decompose: Callable[[], Decompose] | None = None,
    ) -> None:
        """`pool`: memory for results that nobody needs after a replay, shared by records that run one after the other;
        it grows as needed. `defer`: which calls may be deferred; those are whose results are outputs and no more."""
        with _Recorder(decompose and decompose()) as recorder:
            outputs = function()
        self.outputs: Result = tree_map_only(Tensor, Tensor.detach, outputs)
        self.kernels, self.deferred = _compile(
            recorder.calls, self.outputs, substitute, [] if pool is None else pool, defer
        )

    def replay(self) -> None:
        # The calls were recorded below autograd, and are made there: its part of the dispatch is 1 us of each.
        with torch._C._AutoDispatchBelowAutograd():
            for kernel in self.kernels:
                kernel()


class _Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Keeps every tensor of every call alive, so that no two of them can have lain in the same memory."""

    def __init__(self, decompose: Decompose | None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.calls: list[Call] = []
        self.decompose = decompose

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """No: saying to torch's compiler that it may skip this class would import it, which takes over a second."""
        return False

    def __torch_dispatch__(
        self, func: OpOverload, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
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


def _cannot_be_replayed(op: OpOverload, args: tuple[Any, ...]) -> bool:
    """Whether a value is read back to Python, or the shape of the result depends on values; or whether the call changes
    what a tensor is without writing to its memory, which a replay would not repeat."""
    if op is torch.ops.aten.index.Tensor:
        # By numbers its result has their shape; by a mask, as many elements as are True.
        return any(index.dtype in (torch.bool, torch.uint8) for index in _tensors(args[1]))
    if any(tensor.is_conj() or tensor.is_neg() for tensor in _tensors(args)):
        return True
    return any(tag in op.tags for tag in _NOT_REPLAYABLE)


def _compile(
    calls: Sequence[Call], outputs: Any, substitute: Substitute | None, pool: Pool, defer: Chooses | None
) -> tuple[list[Kernel], list[Call]]:
    """The kernels of a replay, and the deferred calls."""
    _refuse_written_literals(calls)
    needed = [call for call in calls if not _is_view(call)]
    needed = _without_constants(needed)
    kept = {_storage(tensor) for tensor in _tensors(outputs)}
    deferred = [call for call in _last_words(needed, outputs) if defer(call)] if defer else []
    kept |= {_storage(tensor) for call in deferred for tensor in call.read}
    unfilled = {_storage(t): t.untyped_storage() for call in calls if _is_unfilled(call) for t in call.results}
    homes = _shared_memory(needed, unfilled, kept, pool)

    def placed(tensor: Tensor) -> Tensor:
        """The same view of the memory where it now lives, without its autograd history."""
        home = homes.get(_storage(tensor))
        if home is None:
            return tensor.detach()
        view = torch.empty(0, dtype=tensor.dtype, device=tensor.device)
        return view.set_(home, tensor.storage_offset(), tensor.shape, tensor.stride())

    kernels: list[Kernel] = []
    left: list[Call] = []
    for call in needed:
        args, kwargs, result = tree_map_only(Tensor, placed, (call.args, dict(call.kwargs), call.result))
        moved = Call(call.op, args, kwargs, result)
        if call in deferred:
            left.append(moved)
        else:
            kernels.append((substitute and substitute(moved)) or _kernel(moved))
    return kernels, left


def _last_words(calls: Sequence[Call], outputs: Any) -> list[Call]:
    """The calls that may as well be made at the end: each of their results is an output as it is, no other call touches
    it, and nothing that they read is written to later."""
    layouts: dict[int, set[Any]] = {}
    for tensor in _tensors(outputs):
        layouts.setdefault(_storage(tensor), set()).add(_layout(tensor))
    touched: Counter[int] = Counter()
    written: dict[int, int] = {}
    for place, call in enumerate(calls):
        touched.update({_storage(tensor) for tensor in (*call.read, *call.results)})
        written |= {_storage(tensor): place for tensor in (*call.written, *call.results)}
    return [
        call
        for place, call in enumerate(calls)
        if all(layouts.get(_storage(t)) == {_layout(t)} and touched[_storage(t)] == 1 for t in call.results)
        and all(written.get(_storage(t), -1) < place for t in call.read)
    ]


def _layout(tensor: Tensor) -> tuple[Any, ...]:
    return tensor.storage_offset(), tensor.shape, tensor.stride()


_COPIES: Final = (torch.ops.aten._to_copy.default, torch.ops.aten.clone.default)


def _refuse_written_literals(calls: Sequence[Call]) -> None:
    """A tensor made of numbers in the function, and changed there, would not be made anew by a replay."""
    written = {_storage(tensor) for call in calls for tensor in call.written}
    for call in calls:
        if call.op.overloadpacket is torch.ops.aten.lift_fresh and written & {_storage(t) for t in call.results}:
            raise NotReplayableError("a tensor made of numbers is changed in place")


_aten: Final = torch.ops.aten
# Of frequent operations torch's functions of the same arguments: by an operator's name a call takes 1.5 us instead of
# 0.8, and more where the processor's cache is full of other things.
_FUNCTIONS: Final[dict[OpOverload, Callable[..., Any]]] = {
    _aten.add.out: torch.add,
    _aten.addmm.out: torch.addmm,
    _aten.bmm.out: torch.bmm,
    _aten.clamp.out: torch.clamp,
    _aten.clamp_min.out: torch.clamp_min,
    _aten.div.out: torch.div,
    _aten.exp.out: torch.exp,
    _aten.log.out: torch.log,
    _aten.mean.dtype_out: torch.mean,
    _aten.mean.out: torch.mean,
    _aten.mm.out: torch.mm,
    _aten.mse_loss.out: torch._C._nn.mse_loss,
    _aten.mul.out: torch.mul,
    _aten.neg.out: torch.neg,
    _aten.sigmoid.out: torch.sigmoid,
    _aten.sub.out: torch.sub,
    _aten.sum.IntList_out: torch.sum,
    _aten.tanh.out: torch.tanh,
    _aten._log_softmax.out: torch._log_softmax,
    _aten._log_softmax_backward_data.out: torch._log_softmax_backward_data,
    _aten._softmax.out: torch._softmax,
    _aten._fused_adam_.tensor_lr: torch._fused_adam_,
    _aten._fused_adamw_.tensor_lr: torch._fused_adamw_,
    _aten._fused_sgd_.tensor_lr: torch._fused_sgd_,
    _aten.add_.Tensor: Tensor.add_,
    _aten.baddbmm_.default: Tensor.baddbmm_,
    _aten.copy_.default: Tensor.copy_,
    _aten.div_.Tensor: Tensor.div_,
    _aten.mul_.Tensor: Tensor.mul_,
    _aten.sub_.Tensor: Tensor.sub_,
    _aten.zero_.default: Tensor.zero_,
}


def _function(op: OpOverload) -> Callable[..., Any]:
    return _FUNCTIONS.get(op, op._op)


def _kernel(call: Call) -> Kernel:
    if call.op._schema.is_mutable and {*map(_storage, call.read)}.issuperset(map(_storage, call.results)):
        return partial(_function(call.op), *call.args, **call.kwargs)
    if call.op._schema.is_mutable or isinstance(call.result, list):
        return partial(_copy_results, call)
    if call.op in _COPIES:
        return partial(call.result.copy_, call.args[0])
    if call.op is torch.ops.aten.relu.default:
        # This is what relu comes down to; its own `out` computes into fresh memory and copies.
        return partial(torch.clamp_min, call.args[0], 0, out=call.result)
    if (out := _out_overload(call.op)) and all(isinstance(leaf, Tensor) for leaf in tree_leaves(call.result)):
        overload, names = out
        return partial(
            _function(overload), *call.args, **call.kwargs, **dict(zip(names, tree_leaves(call.result), strict=True))
        )
    return partial(_copy_results, call)


def _copy_results(call: Call) -> None:
    """For an operation that cannot write where it is told to."""
    for kept, fresh in zip(tree_leaves(call.result), tree_leaves(call.op(*call.args, **call.kwargs)), strict=True):
        if isinstance(kept, Tensor):
            kept.copy_(fresh)


_overloads: Final[dict[OpOverload, tuple[OpOverload, list[str]] | None]] = {}


def _out_overload(op: OpOverload) -> tuple[OpOverload, list[str]] | None:
    """The overload that takes the same arguments and tensors to write into, and the names of these."""
    if op not in _overloads:
        _overloads[op] = None
        wanted = [(argument.name, str(argument.type)) for argument in op._schema.arguments]
        for name in op.overloadpacket.overloads():
            overload = getattr(op.overloadpacket, name)
            out = [argument.name for argument in overload._schema.arguments if argument.is_out]
            taken = [(a.name, str(a.type)) for a in overload._schema.arguments if not a.is_out]
            if out and taken == wanted:
                _overloads[op] = overload, out
                break
    return _overloads[op]


def _is_view(call: Call) -> bool:
    """Whether all results lie in the memory of an argument, and nothing was written."""
    results = [_storage(tensor) for tensor in call.results]
    return bool(results) and not call.op._schema.is_mutable and {*map(_storage, call.read)}.issuperset(results)


# They give memory and no values: the memory is there.
_UNFILLED: Final = ("empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided")


def _is_unfilled(call: Call) -> bool:
    return call.op.overloadpacket.__name__ in _UNFILLED


def _without_constants(calls: Sequence[Call]) -> list[Call]:
    """Less the calls whose results come from no tensor outside the recording, and are never written to."""
    written = {_storage(tensor) for call in calls for tensor in call.written}
    constant: set[int] = set()
    kept = []
    for call in calls:
        results = {_storage(tensor) for tensor in call.results}
        name = call.op.overloadpacket.__name__
        if _is_unfilled(call):
            continue
        random = torch.Tag.nondeterministic_seeded in call.op.tags
        shape_only = name.endswith("_like") or name.startswith("new_")
        fixed = shape_only or all(_storage(tensor) in constant for tensor in call.read)
        if fixed and not random and not results & written:
            constant |= results
        else:
            kept.append(call)
    return kept


def _shared_memory(
    calls: Sequence[Call], unfilled: dict[int, torch.UntypedStorage], kept: set[int], pool: Pool
) -> dict[int, torch.UntypedStorage]:
    """Where results lie instead, by the address of their own memory: in the smallest piece of the pool that is large
    enough, to which it returns once its last reader has run. `unfilled`: memory that the function has taken by itself,
    to write into. `kept`: addresses that outlive a replay."""
    created = dict(unfilled)
    last: dict[int, int] = {}
    for place, call in enumerate(calls):
        outside = {_storage(tensor) for tensor in call.read} - created.keys()
        for tensor in call.results:
            if _storage(tensor) not in outside:
                created.setdefault(_storage(tensor), tensor.untyped_storage())
        for tensor in (*call.read, *call.results):
            last[_storage(tensor)] = place

    homes: dict[int, torch.UntypedStorage] = {}
    living: set[int] = set()
    for place, call in enumerate(calls):
        touched = {_storage(tensor) for tensor in (*call.results, *call.written)}
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


def _storage(tensor: Tensor) -> int:
    address: int = tensor.untyped_storage()._cdata
    return address


def _tensors(tree: Any) -> Iterator[Tensor]:
    return (leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor))
