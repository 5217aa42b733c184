"""Compute as in a fresh process, and leave the caller's torch as it was.

This covers every part of torch's global state that affects a number. torch's dropout and initialisers draw from one
generator for the whole process, and settings such as the default dtype hold for all threads. So a lock gives them to
one piece of lossrun's work at a time: runs in several threads take turns, and get the same bits as if each ran alone.
Other code that draws from torch's generators, or changes its settings, in another thread at the same moment is not kept
out.

The number of threads is the caller's, unless a piece of work asks for its own. State on which no result depends is left
unchanged: numpy's and Python's global generators, filters of warnings, the locale, signals and the current folder.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial, wraps
from typing import Any, Final, ParamSpec, TypeVar

import numpy as np
import torch
from torch import Tensor

from lossrun.training.process.hooks_and_modes import disable_hooks_and_modes

Parameters = ParamSpec("Parameters")
Event = TypeVar("Event")

_SEED: Final = 0  # for numbers that are drawn before lossrun seeds; a fresh process would take a seed from the system
_TINY: Final = float(np.finfo(np.float64).smallest_subnormal)
_ONE: Final = 1.0


@dataclass(slots=True)
class Stream:
    """The generator states of one piece of work while another one uses the generators.

    Attributes:
        threads: The number of threads it computes with; None for the caller's number.
    """

    cpu: Tensor | None = None
    cuda: list[Tensor] | None = None
    threads: int | None = None

    def keep(self) -> None:
        self.cpu = torch.get_rng_state()
        self.cuda = torch.cuda.get_rng_state_all() if _cuda_is_used() else None

    def take(self) -> None:
        """Set the generators to this stream's position; the first time, to its beginning."""
        if self.cpu is None:
            torch.default_generator.manual_seed(_SEED)
        else:
            torch.set_rng_state(self.cpu)
        if self.cuda is not None:
            torch.cuda.set_rng_state_all(self.cuda)


_lock = threading.RLock()
# The streams that use the generators, nested: first the caller's, last the present one.
_streams: list[Stream] = []


def _begin_anew() -> None:
    """Make a new lock in a forked process: if another thread held the old one, it would never be released."""
    global _lock
    _lock = threading.RLock()
    _streams.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)


@contextmanager
def isolated(stream: Stream | None = None) -> Iterator[None]:
    """Compute inside the block as in a fresh process, and restore everything. Blocks may be nested; other threads wait.

    `stream`: the stream of random numbers to continue; None for a new one.
    """
    own = Stream() if stream is None else stream
    with _lock, ExitStack() as undo:
        if _streams and _streams[-1] is own:
            yield
            return
        _fresh_settings(undo)
        undo.callback(_set_threads, torch.get_num_threads())
        if own.threads is not None:
            _set_threads(own.threads)
        if not _streams:
            _streams.append(Stream())
            undo.callback(_streams.pop)
        before = _streams[-1]
        before.keep()
        undo.callback(before.take)
        _streams.append(own)
        own.take()
        try:
            yield
        finally:
            own.keep()
            _streams.pop()


def step_by_step(
    stream_of: Callable[[Any], Stream],
) -> Callable[[Callable[Parameters, Iterator[Event]]], Callable[Parameters, Iterator[Event]]]:
    """Isolate a generator while it computes, but not while it waits for its caller to ask for more.

    `stream_of`: gets the generator's first argument and returns its stream of random numbers.
    """

    def decorator(function: Callable[Parameters, Iterator[Event]]) -> Callable[Parameters, Iterator[Event]]:
        @wraps(function)
        def wrapped(*arguments: Parameters.args, **keywords: Parameters.kwargs) -> Iterator[Event]:
            events = iter(function(*arguments, **keywords))
            stream = stream_of(arguments[0])
            while True:
                with isolated(stream):
                    try:
                        event = next(events)
                    except StopIteration:
                        return
                yield event

        return wrapped

    return decorator


def _set_threads(count: int) -> None:
    if torch.get_num_threads() != count:  # setting it takes longer than asking
        torch.set_num_threads(count)


def include_cuda() -> None:
    """Keep the caller's generators on the GPU too. Called before its first use in an isolated block."""
    if not _cuda_is_used():
        torch.cuda.init()  # type: ignore[no-untyped-call]
        for stream in _streams[:-1]:
            stream.cuda = torch.cuda.get_rng_state_all()


def _cuda_is_used() -> bool:
    return bool(torch.cuda.is_initialized())  # type: ignore[no-untyped-call]


@dataclass(frozen=True, slots=True)
class _Setting:
    """A global setting of torch. `fresh` is its value while lossrun computes."""

    read: Callable[[], Any]
    write: Callable[[Any], object]
    fresh: Any


def _attribute(owner: Any, name: str, fresh: Any) -> _Setting:
    return _Setting(partial(getattr, owner, name), partial(setattr, owner, name), fresh)


def _settings() -> list[_Setting]:
    backends, future = torch.backends, torch.__future__
    cudnn, mkldnn, cuda = backends.cudnn, backends.mkldnn, backends.cuda
    found = [
        _Setting(torch.get_default_dtype, torch.set_default_dtype, torch.float32),
        _Setting(_deterministic, _set_deterministic, (False, False)),
        _Setting(_anomaly, _set_anomaly, (False, True)),
        _Setting(_flushes_denormals, torch.set_flush_denormal, False),
        _Setting(torch.is_grad_enabled, torch.set_grad_enabled, True),
        _Setting(torch.is_autocast_cache_enabled, torch.set_autocast_cache_enabled, True),
        _Setting(backends.mha.get_fastpath_enabled, backends.mha.set_fastpath_enabled, True),
        _Setting(cuda.flash_sdp_enabled, cuda.enable_flash_sdp, True),
        _Setting(cuda.mem_efficient_sdp_enabled, cuda.enable_mem_efficient_sdp, True),
        _Setting(cuda.math_sdp_enabled, cuda.enable_math_sdp, True),
        _Setting(cuda.cudnn_sdp_enabled, cuda.enable_cudnn_sdp, True),
        # These change how a model is moved and how its weights are loaded.
        _Setting(
            future.get_overwrite_module_params_on_conversion, future.set_overwrite_module_params_on_conversion, False
        ),
        _Setting(future.get_swap_module_params_on_conversion, future.set_swap_module_params_on_conversion, False),
        _attribute(mkldnn, "enabled", True),
        _attribute(mkldnn, "deterministic", False),
        _attribute(cudnn, "enabled", True),
        # Without it, torch may take convolutions on a GPU that add up in any order, with other bits each time.
        _attribute(cudnn, "benchmark", False),
        _attribute(cudnn, "deterministic", True),
        _attribute(cuda.matmul, "allow_fp16_reduced_precision_reduction", True),
        _attribute(cuda.matmul, "allow_bf16_reduced_precision_reduction", True),
        _attribute(cuda.matmul, "allow_fp16_accumulation", False),
        _attribute(backends.opt_einsum, "enabled", backends.opt_einsum.is_available()),
    ]
    for device, dtype in (("cpu", torch.bfloat16), ("cuda", torch.float16)):
        found += [
            _Setting(partial(torch.is_autocast_enabled, device), partial(torch.set_autocast_enabled, device), False),
            _Setting(partial(torch.get_autocast_dtype, device), partial(torch.set_autocast_dtype, device), dtype),
        ]
    return found


def _fresh_settings(undo: ExitStack) -> None:
    """Set everything as in a fresh process; `undo` restores what was different."""
    disable_hooks_and_modes(undo)
    if torch.is_inference_mode_enabled():
        undo.enter_context(torch.inference_mode(False))
    for setting in _SETTINGS:
        if (before := setting.read()) != setting.fresh:
            setting.write(setting.fresh)
            undo.callback(setting.write, before)
    _fresh_precision(undo)
    if torch.autocast_increment_nesting() > 1:
        # Inside the caller's autocast its cache is never emptied, so each step would compute with the initial weights.
        torch.set_autocast_cache_enabled(False)
        undo.callback(torch.set_autocast_cache_enabled, True)
    torch.autocast_decrement_nesting()
    if torch.get_default_device().type != "cpu":
        undo.enter_context(torch.device("cpu"))


def _fresh_precision(undo: ExitStack) -> None:
    """Compute products and convolutions in the config's precision, not in TF32 or bfloat16.

    torch has settings for each operation and older ones for all of them, and refuses to read the older ones where they
    disagree. The setting of an operation can be read once no setting for all operations is made.
    """
    backends: Any = torch.backends
    operations = [backends.mkldnn.conv, backends.mkldnn.rnn]
    products = [backends.mkldnn.matmul, backends.cuda.matmul]
    with_cuda = backends.cuda.is_built()
    if with_cuda:
        operations += [backends.cudnn.conv, backends.cudnn.rnn]

    def write(owner: Any, value: str) -> None:
        undo.callback(setattr, owner, "fp32_precision", owner.fp32_precision)
        owner.fp32_precision = value

    for owner in (backends, backends.mkldnn, backends.cudnn):
        if owner.fp32_precision != "none":
            write(owner, "none")
    of_products = [product.fp32_precision for product in products]
    for operation in (*operations, *products):
        if operation.fp32_precision not in ("none", "ieee"):
            write(operation, "ieee")
    if (before := torch.get_float32_matmul_precision()) != "highest":
        for product, own in zip(products, of_products, strict=True):
            undo.callback(setattr, product, "fp32_precision", own)
        undo.callback(torch.set_float32_matmul_precision, before)
        torch.set_float32_matmul_precision("highest")
    if with_cuda and _allows_tf32(backends.cudnn):
        undo.callback(setattr, backends.cudnn, "allow_tf32", True)
        backends.cudnn.allow_tf32 = False


def _allows_tf32(cudnn: Any) -> bool:
    """Return what the older setting says, which torch refuses to read where it disagrees with the newer ones."""
    try:
        return bool(cudnn.allow_tf32)
    except RuntimeError:  # torch's refusal
        return True


def _deterministic() -> tuple[bool, bool]:
    return torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()


def _set_deterministic(value: tuple[bool, bool]) -> None:
    torch.use_deterministic_algorithms(value[0], warn_only=value[1])


def _anomaly() -> tuple[bool, bool]:
    return torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()


def _set_anomaly(value: tuple[bool, bool]) -> None:
    torch.autograd.set_detect_anomaly(*value)


def _flushes_denormals() -> bool:
    """Return whether denormal numbers become 0. torch has no way to ask, so a product is computed."""
    return _TINY * _ONE == 0


_SETTINGS: Final = _settings()
