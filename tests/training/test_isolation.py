"""The caller's torch changes no number of a run, and a run changes nothing of the caller's torch."""

import gc
import json
import locale
import os
import random
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim.optimizer import register_optimizer_step_post_hook
from torch.overrides import TorchFunctionMode, _get_current_function_mode_stack
from torch.utils._python_dispatch import TorchDispatchMode, _get_current_dispatch_mode_stack

import lossrun
from lossrun.config import from_mapping
from lossrun.experiment import load_experiment
from lossrun.records import checkpoints
from lossrun.records.run_directory import RunDirectory
from lossrun.training.events import EpochRecord
from lossrun.training.loop import train
from lossrun.training.process.isolation import isolated
from lossrun.training.starting.prepare import prepare
from lossrun.training.starting.start import begin
from tests.training.conftest import MOONS, REGRESSION, assert_same_bits

DROPOUT: dict[str, Any] = {
    "dataset": {**MOONS, "samples": 100},
    "model": {"name": "mlp", "hidden": [8, 8], "dropout": 0.4, "batch_norm": True, "init": "he_normal"},
    "loss": "binary_cross_entropy",
    "optimizer": "adam",
    "learning_rate": 0.01,
    "epochs": 2,
    "batch_size": 16,
}
OWN = """
import torch
from torch import nn
import lossrun

class Noisy(nn.Module):
    def __init__(self, input_shape, output_size):
        super().__init__()
        self.hidden = nn.Linear(input_shape[0], 8)
        self.last = nn.Linear(8, output_size)
        self.start = nn.Parameter(torch.randn(8))

    def forward(self, x):
        h = self.hidden(x) + self.start
        return self.last(torch.relu(h + 0.1 * torch.randn_like(h)))

def data(samples=60):
    torch.manual_seed(3)
    inputs = torch.randn(samples, 3)
    return lossrun.Dataset(train=(inputs, inputs.sum(1) + torch.randn(samples)), task="regression")

def unseeded():
    inputs = torch.randn(60, 3)
    return lossrun.Dataset(train=(inputs, inputs.sum(1)), task="regression")

def nesting():
    run = lossrun.train({"dataset": {"name": "synthetic_regression", "samples": 50}, "model": "linear", "loss": "mse",
                         "optimizer": "sgd", "learning_rate": 0.1, "epochs": 1}, runs_dir="inner")
    inputs = torch.randn(60, 3)
    return lossrun.Dataset(train=(inputs, inputs.sum(1)), task="regression")
"""
NOISY = {**REGRESSION, "dataset": {"name": "own_noise:data"}, "model": {"name": "own_noise:Noisy"}, "epochs": 2}
CONFIGS: dict[str, dict[str, Any]] = {
    "dropout": DROPOUT,
    "eager": {**DROPOUT, "step": "eager"},
    "stacked": {**DROPOUT, "seeds": 2},
    "own": NOISY,
    "unseeded": {**NOISY, "dataset": {"name": "own_noise:unseeded"}},
    "nested": {**NOISY, "dataset": {"name": "own_noise:nesting"}},
    "bf16": {**DROPOUT, "precision": "bf16"},
    "images": {
        **REGRESSION,
        "dataset": {"name": "npz", "path": "images.npz", "target": "y"},
        "model": {"name": "cnn", "layers": [{"name": "conv", "filters": 3}, {"name": "max_pool", "size": 2}]},
        "epochs": 2,
    },
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "own_noise.py").write_text(OWN)
    pixels = np.random.default_rng(0).standard_normal((40, 1, 6, 6)).astype(np.float32)
    np.savez(tmp_path / "images.npz", x=pixels, y=pixels.sum((1, 2, 3)))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def trained(config: dict[str, Any]) -> RunDirectory:
    return RunDirectory(lossrun.train(config, runs_dir="runs", overrides=("lint=warn",)).path)


@contextmanager
def put_back(setter: Callable[[Any], object], odd: Any, usual: Any) -> Iterator[None]:
    setter(odd)
    try:
        yield
    finally:
        setter(usual)


def attribute(owner: Any, name: str, odd: Any) -> Callable[[], AbstractContextManager[Any]]:
    return lambda: put_back(lambda value: setattr(owner, name, value), odd, getattr(owner, name))


def setting(setter: Callable[[Any], object], odd: Any, usual: Any) -> Callable[[], AbstractContextManager[Any]]:
    return lambda: put_back(setter, odd, usual)


@contextmanager
def generators() -> Iterator[None]:
    torch.manual_seed(99)
    np.random.seed(99)
    random.seed(99)
    yield


def scaled(result: Any, *_: Any) -> Any:
    return result * 1.5 if isinstance(result, torch.Tensor) and result.is_floating_point() else result


@contextmanager
def hooks() -> Iterator[None]:
    """Hooks for everything, each of which would change the numbers of a run, or fail."""
    modules = nn.modules.module
    handles = [
        modules.register_module_forward_hook(lambda module, given, result: scaled(result)),
        modules.register_module_forward_pre_hook(lambda module, given: tuple(map(scaled, given))),
        modules.register_module_full_backward_hook(lambda module, into, out: tuple(map(scaled, into))),
        modules.register_module_parameter_registration_hook(lambda module, name, weight: nn.Parameter(weight * 1.5)),
        register_optimizer_step_post_hook(lambda *given: 1 / 0),
    ]
    try:
        with torch.autograd.graph.saved_tensors_hooks(scaled, scaled):
            yield
    finally:
        for handle in handles:
            handle.remove()


class Calls(TorchFunctionMode):
    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return scaled(function(*args, **(kwargs or {})))


class Kernels(TorchDispatchMode):
    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return scaled(function(*args, **(kwargs or {})))


@contextmanager
def modes() -> Iterator[None]:
    with Calls(), Kernels():
        yield


REGISTER = (nn.modules.module.register_module_forward_hook, register_optimizer_step_post_hook)
B = torch.backends
World = Callable[[], AbstractContextManager[Any]]


def together(*worlds: World) -> World:
    """Settings that do not hide each other."""

    @contextmanager
    def all_of_them() -> Iterator[None]:
        with ExitStack() as stack:
            for world in worlds:
                stack.enter_context(world())
            yield

    return all_of_them


ODD: dict[str, World] = {
    "generators": generators,
    "default dtype": setting(torch.set_default_dtype, torch.float64, torch.float32),
    "default device": setting(torch.set_default_device, "meta", None),
    "device context": lambda: torch.device("meta"),
    "no_grad": torch.no_grad,
    "inference mode": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", torch.float16),
    "autocast off": lambda: torch.autocast("cpu", enabled=False),
    "deterministic": setting(torch.use_deterministic_algorithms, True, False),
    "matmul precision": setting(torch.set_float32_matmul_precision, "medium", "highest"),
    "fp32 precision": attribute(B, "fp32_precision", "tf32"),
    "roundings": together(
        setting(lambda dtype: torch.set_autocast_dtype("cpu", dtype), torch.float16, torch.bfloat16),
        setting(torch.set_flush_denormal, True, False),
        setting(torch.autograd.set_detect_anomaly, True, False),
        attribute(B.mkldnn.matmul, "fp32_precision", "bf16"),
        attribute(B.mkldnn.conv, "fp32_precision", "bf16"),
    ),
    "backends": together(
        attribute(B.mkldnn, "enabled", False),
        attribute(B.mkldnn, "deterministic", True),
        attribute(B.cudnn, "enabled", False),
        attribute(B.cudnn, "benchmark", True),
        attribute(B.cudnn, "deterministic", True),
        setting(B.mha.set_fastpath_enabled, False, True),
        setting(B.cuda.enable_flash_sdp, False, True),
    ),
    "habits": together(
        setting(torch.set_autocast_cache_enabled, False, True),
        setting(torch.__future__.set_swap_module_params_on_conversion, True, False),
        setting(torch.__future__.set_overwrite_module_params_on_conversion, True, False),
        lambda: np.errstate(all="raise"),
        lambda: put_back(lambda on: gc.enable() if on else gc.disable(), False, True),
    ),
    "hooks": hooks,
    "modes": modes,
    "nothing": nullcontext,
}
# Those that do not hide each other are tried together: each of them would change the numbers of a run, or end it.
GROUPS = [("generators", "deterministic", "autocast off"), ("default dtype", "no_grad")]
GROUPS += [("default device", "matmul precision")]
GROUPS += [(name,) for name in ODD if not any(name in group for group in GROUPS)]


def state() -> dict[str, Any]:
    """What of the process a run might have changed."""
    values = {
        "torch": torch.get_rng_state().tolist(),
        "numpy": np.random.get_state()[1].tolist(),  # type: ignore[index]
        "random": random.getstate(),
        "dtype": torch.get_default_dtype(),
        "device": torch.get_default_device(),
        "modes": (torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
        "autocast": [(torch.is_autocast_enabled(d), torch.get_autocast_dtype(d)) for d in ("cpu", "cuda")],
        "nesting": (torch.is_autocast_cache_enabled(), torch.autocast_increment_nesting()),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "warn only": torch.is_deterministic_algorithms_warn_only_enabled(),
        "anomaly": (torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()),
        "denormals": float(np.float64(5e-324)) * float(np.float64(1.0)),
        "precision": [
            *(getattr(o, "fp32_precision") for o in (B, B.mkldnn, B.mkldnn.matmul, B.mkldnn.conv)),  # noqa: B009
            *(getattr(o, "fp32_precision") for o in (B.cudnn, B.cudnn.conv, B.cuda.matmul)),  # noqa: B009
        ],
        "backends": (B.mkldnn.enabled, B.mkldnn.deterministic, B.cudnn.enabled, B.cudnn.benchmark),
        "cudnn": (B.cudnn.deterministic, B.mha.get_fastpath_enabled(), B.cuda.flash_sdp_enabled()),
        "future": torch.__future__.get_swap_module_params_on_conversion(),
        "overwrite": torch.__future__.get_overwrite_module_params_on_conversion(),
        "hooks": [
            (name, list(registry.items()))
            for module in (sys.modules[register.__module__] for register in REGISTER)
            for name, registry in vars(module).items()
            if name.startswith("_global_") and isinstance(registry, dict)
        ],
        "function modes": list(map(id, _get_current_function_mode_stack())),
        "kernel modes": list(map(id, _get_current_dispatch_mode_stack())),
        "threads": (torch.get_num_threads(), torch.get_num_interop_threads()),
        "numpy errors": np.geterr(),
        "filters": list(warnings.filters),
        "streams": (sys.stdout, sys.stderr, sys.stdin),
        "collector": (gc.isenabled(), gc.get_threshold()),
        "place": (Path.cwd(), dict(os.environ), locale.setlocale(locale.LC_ALL)),
        "signals": [signal.getsignal(number) for number in signal.valid_signals()],
        "limits": (sys.getrecursionlimit(), threading.stack_size()),
    }
    torch.autocast_decrement_nesting()
    return values


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], RunDirectory]:
    """Each config's run in a fresh process."""
    place = tmp_path_factory.mktemp("clean")
    (place / "own_noise.py").write_text(OWN)
    pixels = np.random.default_rng(0).standard_normal((40, 1, 6, 6)).astype(np.float32)
    np.savez(place / "images.npz", x=pixels, y=pixels.sum((1, 2, 3)))
    program = (
        "import json, sys, lossrun\n"
        "for name, config in json.load(sys.stdin).items():\n"
        "    lossrun.train(config, runs_dir=name, overrides=['lint=warn'])\n"
        "open('modules', 'w').write(' '.join(sys.modules))\n"
    )
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], input=json.dumps(CONFIGS), cwd=place, text=True, check=True
    )
    return lambda name: RunDirectory(next((place / name).iterdir()))


def test_no_run_imports_torchs_compiler(clean: Callable[[str], RunDirectory]) -> None:
    """It takes seconds, and changes the warnings and the environment of the process."""
    modules = (clean("own").path.parents[1] / "modules").read_text().split()
    assert "torch" in modules
    assert "torch._dynamo" not in modules


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("group", GROUPS, ids=", ".join)
def test_the_callers_world_neither_changes_nor_is_changed(
    folder: Path, clean: Callable[[str], RunDirectory], group: tuple[str, ...]
) -> None:
    runs = {}
    with together(*(ODD[name] for name in group))():
        before = state()
        for name, config in CONFIGS.items():
            runs[name] = trained(config)
        after = state()
    for name, run in runs.items():
        assert_same_bits(run, clean(name))
    assert after == before


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("odd", ["default dtype", "device context", "inference mode", "autocast", "generators"])
def test_nor_does_it_for_a_trained_model(folder: Path, odd: str) -> None:
    runs = {name: lossrun.train(CONFIGS[name], runs_dir="runs") for name in ("dropout", "own")}
    inputs = np.ones((5, 3), np.float32)

    def asked() -> list[Any]:
        scores = lossrun.evaluate(runs["own"], split="train", per_sample=True)
        assert lossrun.export(runs["dropout"], folder / f"exported{len(list(folder.iterdir()))}")
        return [scores.seeds, scores.rows, lossrun.predict(runs["own"], inputs).arrays["prediction"].tolist()]

    usual = asked()
    with ODD[odd]():
        before = state()
        assert asked() == usual
        assert state() == before


@pytest.mark.filterwarnings("ignore")
def test_runs_in_threads_get_the_bits_that_they_get_alone(folder: Path, clean: Callable[[str], RunDirectory]) -> None:
    found: dict[str, RunDirectory] = {}
    failures: list[BaseException] = []
    before = state()

    def one(name: str) -> None:
        try:
            run = lossrun.train(CONFIGS[name], runs_dir=name, overrides=("lint=warn",))
            lossrun.evaluate(run, split="train")
            lossrun.resume(run)
            found[name] = RunDirectory(run.path)
        except BaseException as error:
            failures.append(error)

    names = ("dropout", "eager", "own", "stacked", "nested")
    threads = [threading.Thread(target=one, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    for name in names:
        assert_same_bits(found[name], clean(name))
    assert state() == before


@pytest.mark.filterwarnings("ignore")
def test_runs_that_take_turns_in_one_thread(folder: Path, clean: Callable[[str], RunDirectory]) -> None:
    """Epoch by epoch, while the caller draws in between."""
    drawn: list[float] = []
    sessions = {}
    for name in ("dropout", "eager", "own"):
        examined = load_experiment(from_mapping({**CONFIGS[name], "lint": "warn"}, folder), folder)
        prepared = prepare(examined)
        manager = begin(prepared, folder / "runs")
        session = manager.__enter__()
        sessions[name] = (manager, session, train(session, lambda: None))
    torch.manual_seed(5)
    expected = torch.rand(20)
    torch.manual_seed(5)
    left = dict(sessions)
    while left:
        for name, (manager, _, events) in list(left.items()):
            event = next(events, None)
            drawn.append(float(torch.rand(())))
            if event is None:
                manager.__exit__(None, None, None)
                del left[name]
            else:
                assert not isinstance(event, EpochRecord) or event.rows
    assert drawn == expected[: len(drawn)].tolist()
    for name in ("dropout", "eager"):
        assert_same_bits(sessions[name][1].run, clean(name))


def test_the_stream_of_an_interrupted_run_is_its_own(folder: Path) -> None:
    """A run abandoned half way leaves torch as it was."""
    before = state()
    examined = load_experiment(from_mapping(DROPOUT, folder), folder)
    with begin(prepare(examined), folder / "runs") as session:
        events = train(session, lambda: None)
        while not isinstance(next(events), EpochRecord):
            pass
        assert state()["torch"] == before["torch"]
    del events
    assert state() == before
    newest = checkpoints.read(checkpoints.candidates(session.run.checkpoints)[0])
    assert newest.metadata["epoch"] == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on Windows")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_process_forked_while_another_thread_trains_does_not_wait_for_it() -> None:
    inside, over = threading.Event(), threading.Event()

    def train_for_long() -> None:
        with isolated():
            inside.set()
            over.wait()

    thread = threading.Thread(target=train_for_long)
    thread.start()
    inside.wait()
    if not (child := os.fork()):
        signal.alarm(20)  # ends a child that waits
        with isolated():
            os._exit(0)
    _, status = os.waitpid(child, 0)
    over.set()
    thread.join()
    assert status == 0


def test_a_model_of_the_callers_is_left_alone(folder: Path) -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.5))
    inputs = torch.ones(4, 3)
    torch.manual_seed(1)
    expected = [model(inputs).tolist(), model(inputs).tolist()]
    torch.manual_seed(1)
    found = [model(inputs).tolist()]
    lossrun.train(DROPOUT, runs_dir="runs")
    found.append(model(inputs).tolist())
    assert found == expected
