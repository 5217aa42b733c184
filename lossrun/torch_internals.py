"""The private parts of torch that lossrun uses. Nothing else in lossrun uses private parts.

A private part may change with any release of torch. So each is listed here, with its purpose and with what happens if
it is missing: training still works, with the same numbers up to the rounding of large products, but more slowly. A test
removes each of them in turn.
"""

import inspect
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache, partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import torch
from torch import Tensor, optim

# The versions of torch that every part below was found in.
TRIED: Final = ("2.13.0",)


@dataclass(frozen=True, slots=True)
class Internal:
    """A private part of torch.

    Attributes:
        name: Where it is, dotted.
        purpose: What it does for lossrun.
        otherwise: What happens in a torch that does not have it.
    """

    name: str
    purpose: str
    otherwise: str


DISPATCH_MODE: Final = Internal(
    "torch.utils._python_dispatch.TorchDispatchMode",
    "sees every kernel call of a function that is recorded",
    "steps are computed eagerly",
)
SCHEMA: Final = Internal(
    "torch.ops.aten.mm.default._schema",
    "says which arguments an operator writes, and which of its overloads takes memory to write into",
    "steps are computed eagerly",
)
BELOW_AUTOGRAD: Final = Internal(
    "torch._C._AutoDispatchBelowAutograd",
    "calls recorded kernels below autograd, whose part of a call is 1 us",
    "they are called under torch.no_grad()",
)
STORAGE_ADDRESS: Final = Internal(
    "torch.UntypedStorage._cdata",
    "tells pieces of memory apart, empty ones too",
    "they are told apart by the address of their data, and empty ones by their Python object",
)
OPERATOR_CALL: Final = Internal(
    "torch.ops.aten.mm.default._op",
    "calls a recorded operator without torch's Python around it",
    "the operator is called as a whole",
)
_SOFTMAXES: Final = ("_softmax", "_log_softmax")
_GRADIENTS: Final = ("_softmax_backward_data", "_log_softmax_backward_data")
_UPDATES: Final = ("_fused_sgd_", "_fused_adam_", "_fused_adamw_")
# A private function of torch, the operator's overload that it calls.
FUNCTIONS: Final = {
    f"{name}.{overload}": Internal(
        f"torch.{name}",
        "calls a recorded operator in half the time that its name takes",
        "the operator is called by its name",
    )
    for name, overload in (
        *((name, "out") for name in (*_SOFTMAXES, "_log_softmax_backward_data")),
        *((name, "tensor_lr") for name in _UPDATES),
    )
}
OPERATORS: Final = {
    name: Internal(
        f"torch.ops.aten.{name}.default",
        "can be computed with the samples innermost in memory, which is faster",
        "it is computed in torch's order",
    )
    for name in ("_to_copy", *_SOFTMAXES, *_GRADIENTS)
}
ONE_DNN_LINEAR: Final = Internal(
    "torch.ops.mkldnn._linear_pointwise.default",
    "multiplies large matrices by oneDNN, on processors where that is faster",
    "torch's own choice multiplies them",
)
MUON: Final = Internal(
    "torch.optim._muon.muon",
    "updates matrices by Muon, the kernels of convolutions included",
    "torch.optim.Muon is built again for each update",
)
BARE_METHODS: Final = Internal(
    "torch.optim.Optimizer.zero_grad.__wrapped__",
    "calls methods of optimizers without importing torch's compiler, which takes over a second",
    "torch imports its compiler",
)
BARE_STEP: Final = Internal(
    "torch.optim.SGD.step.__wrapped__",
    "updates without hooks, a profiler's mark and the compiler around it, 15 us a step",
    "optimizer.step is called",
)
_KEPT_OUT: Final = "keeps the caller's {} out of a run, where they would change its numbers"
_LET_IN: Final = "they act on a run too"
HOOKS_OF_MODULES: Final = Internal(
    "torch.nn.modules.module._global_forward_hooks", _KEPT_OUT.format("hooks for every module"), _LET_IN
)
HOOKS_OF_OPTIMIZERS: Final = Internal(
    "torch.optim.optimizer._global_optimizer_pre_hooks", _KEPT_OUT.format("hooks for every optimizer"), _LET_IN
)
HOOKS_OF_TENSORS: Final = Internal(
    "torch._C._autograd._top_saved_tensors_default_hooks",
    _KEPT_OUT.format("hooks for tensors that autograd saves"),
    _LET_IN,
)
FUNCTION_MODES: Final = Internal(
    "torch.overrides._pop_mode_temporarily", _KEPT_OUT.format("modes that see calls of torch"), _LET_IN
)
FUNCTION_MODE: Final = Internal(
    "torch.overrides._get_current_function_mode", _KEPT_OUT.format("modes that see calls of torch"), _LET_IN
)
DISPATCH_MODES: Final = Internal(
    "torch.utils._python_dispatch._disable_current_modes", _KEPT_OUT.format("modes that see calls of kernels"), _LET_IN
)
DISPATCH_MODE_NOW: Final = Internal(
    "torch.utils._python_dispatch._get_current_dispatch_mode",
    _KEPT_OUT.format("modes that see calls of kernels"),
    _LET_IN,
)
INTERNALS: Final = (
    HOOKS_OF_MODULES,
    HOOKS_OF_OPTIMIZERS,
    HOOKS_OF_TENSORS,
    FUNCTION_MODES,
    FUNCTION_MODE,
    DISPATCH_MODES,
    DISPATCH_MODE_NOW,
    DISPATCH_MODE,
    SCHEMA,
    BELOW_AUTOGRAD,
    STORAGE_ADDRESS,
    OPERATOR_CALL,
    *FUNCTIONS.values(),
    *OPERATORS.values(),
    ONE_DNN_LINEAR,
    MUON,
    BARE_METHODS,
    BARE_STEP,
)


@cache
def find(internal: Internal) -> Any:
    """Return the part itself; None if this torch does not have it."""
    path, *names = internal.name.split(".")
    found: Any = import_module(path)
    for name in names:
        path += f".{name}"
        try:
            found = getattr(found, name)
        except AttributeError:
            try:
                found = import_module(path)
            except ImportError:
                return None
    return found


if TYPE_CHECKING:
    from torch._ops import OpOverload
    from torch.utils._python_dispatch import TorchDispatchMode

    Operator: TypeAlias = OpOverload
else:
    Operator = Any
    TorchDispatchMode = find(DISPATCH_MODE) or object


class DispatchMode(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """A context in which `__torch_dispatch__` gets every kernel call of this thread."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Return False: to skip this class in torch's compiler would import it, which takes over a second."""
        return False


def can_record() -> bool:
    """Return whether this torch has what recording needs."""
    return find(DISPATCH_MODE) is not None and find(SCHEMA) is not None


def schema(operator: Operator) -> Any:
    """Return the arguments of an operator: names, types and which of them it writes."""
    return operator._schema


def below_autograd() -> Callable[[], AbstractContextManager[Any]]:
    """Return a function that makes the context in which recorded kernels are called."""
    return find(BELOW_AUTOGRAD) or torch.no_grad


def storage_address(tensor: Tensor) -> int:
    """Return a number for the memory of a tensor, the same for all its views."""
    memory = tensor.untyped_storage()
    if find(STORAGE_ADDRESS) is None:
        return memory.data_ptr() or id(memory)
    address: int = memory._cdata
    return address


def direct_call(operator: Operator) -> Callable[..., Any]:
    """Return the fastest way to call an operator."""
    internal = FUNCTIONS.get(f"{operator.overloadpacket.__name__}.{operator._overloadname}")
    if internal and (function := find(internal)):
        called: Callable[..., Any] = function
        return called
    return operator if find(OPERATOR_CALL) is None else operator._op


def operators(names: Sequence[str]) -> list[Operator]:
    """Return the private operators with these names that this torch has."""
    return [operator for name in names if (operator := find(OPERATORS[name])) is not None]


def one_dnn_linear() -> Callable[..., Tensor] | None:
    """Return oneDNN's `linear(inputs, weight, bias, "none", [], "")`; None if torch is built without it."""
    found: Callable[..., Tensor] | None = find(ONE_DNN_LINEAR)
    return found


def muon() -> Callable[..., object]:
    """Return the function that updates matrices by Muon, with the arguments of torch's own function."""
    return find(MUON) or _muon_by_the_public_class


def _muon_by_the_public_class(
    matrices: Sequence[Tensor],
    gradients: Sequence[Tensor],
    momenta: Sequence[Tensor],
    *,
    lr: float,
    has_complex: bool,
    **settings: Any,
) -> None:
    del has_complex
    if not matrices:
        return
    weights = [matrix.detach() for matrix in matrices]
    optimizer = without_compiler(optim.Muon)(weights, lr, **settings)
    for weight, gradient, momentum in zip(weights, gradients, momenta, strict=True):
        weight.grad = gradient
        optimizer.state[weight]["momentum_buffer"] = momentum
    optimizer.step()


@cache
def without_compiler(kind: Callable[..., optim.Optimizer]) -> Callable[..., optim.Optimizer]:
    """Return a class like this one whose methods do not import torch's compiler when they are first called.

    torch marks a few methods that must not be compiled, and imports its whole compiler to do so. The new class has them
    without the mark; torch's own class does not change. A function is returned unchanged.
    """
    if not isinstance(kind, type) or find(BARE_METHODS) is None:
        return kind
    marked = ("add_param_group", "load_state_dict", "state_dict", "zero_grad")
    bare = {name: inspect.unwrap(getattr(kind, name)) for name in marked}
    return type(kind.__name__, (kind,), {"__module__": kind.__module__, "__doc__": kind.__doc__, **bare})


def bare_step(optimizer: optim.Optimizer) -> Callable[[], object]:
    """Return what `optimizer.step` does, without hooks, a profiler's marks and the compiler."""
    if find(BARE_STEP) is None:
        return optimizer.step
    return partial(torch.no_grad()(inspect.unwrap(type(optimizer).step)), optimizer)
