"""What every room's tests share: a cache of their own, and the real MNIST where a test needs it."""

import gc
import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import pytest
from filelock import FileLock
from hypothesis import settings

from lossrun.data import default_data_dir
from lossrun.records import history, ledger, recorded
from lossrun.records.files import strict_json
from lossrun.records.recorded import RecordedRun
from lossrun.records.run_directory import RunDirectory, create, file_contents

# Several processes on a core each: a second thread in each of them would only wait for the first of another. Set here,
# because the conftest of a folder named on the command line imports torch, which reads it, before any hook runs.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# On a busy machine an example may take any time, which says nothing about the code. Under CI the examples are the same
# every time, so that a failure comes from the last change. Other runs of the tests try new examples.
settings.register_profile("patient", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("patient")

CONFIG: dict[str, Any] = {
    "name": None,
    "tags": [],
    "dataset": {"name": "synthetic_regression", "kind": "linear", "samples": 100},
    "model": {"name": "mlp", "hidden": [100], "output": "none"},
    "loss": {"name": "mse", "reduction": "mean"},
    "optimizer": {"name": "sgd", "momentum": 0.0, "nesterov": False, "dampening": 0.0, "weight_decay": 0.0},
    "learning_rate": 0.1,
    "epochs": 4,
    "seeds": [0],
    "best": {"metric": "val_loss", "mode": "min"},
    "compare_on": None,
}
ENVIRONMENT: dict[str, Any] = {
    "lossrun": "0.1.0",
    "torch": "2.13.0",
    "device": "cpu",
    "threads": 2,
    "git_commit": None,
    "task": "regression",
    "data": {"train": "a" * 64, "validation": "b" * 64, "test": "c" * 64},
}


def state_of(step: int, **changes: Any) -> dict[str, Any]:
    """The metadata of a checkpoint of one seed."""
    health = {
        "first_loss": 1.0,
        "losses": [],
        "recent": 1.0,
        "suspicious": 0,
        "least_validation": 1.0,
        "least_epoch": 1,
        "named": [],
        "gradient_norm": math.inf,
    }
    replica = {"stopped_epoch": None, "diverged_epoch": None, "thaws": False, "health": health}
    return {
        "epoch": 1,
        "step": step,
        "epoch_samples": [],
        "good_step": 0,
        "seeds": [0],
        "replicas": [{"best": {"value": math.nan, "epoch": 0, "step": 0}, **replica}],
        "best_weights": None,
        "criteria": {"best": {"metric": "val_loss", "mode": "min"}, "early_stopping": None, "plateau": None},
        "seconds": 0.0,
        "epoch_seconds": 0.0,
        "run": None,
        "config": "0" * 64,
        "device": "cpu",
        "data": ENVIRONMENT["data"],
        "history_length": 0,
        "history": {"length": 10**9, "digest": "0" * 16},
        **changes,
    }


# Relative to this folder: what takes more than 2 seconds of one core by itself, importing Keras included.
SLOW = (
    "analysis/comparison/test_verdicts.py",
    "analysis/values/test_seeds_and_items.py",
    "analysis/values/test_coverage.py",
    "browser",
    "cli/test_check_refuses.py",
    "cli/test_commands.py",
    "cli/test_compare.py",
    "cli/test_damage.py",
    "cli/test_early_signals.py",
    "cli/test_explain_keys.py",
    "cli/test_forged_sizes.py",
    "cli/test_imports.py",
    "cli/test_lost_screens.py",
    "cli/test_manual.py",
    "cli/test_misspelt.py",
    "cli/test_own_code.py",
    "cli/test_plot.py",
    "cli/test_printed_commands.py",
    "cli/test_readers.py",
    "cli/test_signals.py",
    "cli/test_surroundings.py",
    "cli/test_sweep.py",
    "cli/test_text_options.py",
    "components/losses/test_losses.py",
    "components/metrics/test_many_models.py",
    "components/metrics/test_ranks.py",
    "components/test_framework_names.py",
    "components/test_keras_losses.py",
    "components/test_keras_optimizers.py",
    "components/test_optimizers.py",
    "config/test_arguments_of_frameworks.py",
    "config/test_reader.py",
    "crash",
    "faults",
    "health/test_cases.py",
    "health/test_examine.py",
    "health/test_floors.py",
    "inference/test_exporting.py",
    "inference/test_moved.py",
    "inference/test_predicting.py",
    "inference/test_scoring.py",
    "inference/test_verifying.py",
    "lint/test_cures.py",
    "replay/test_recorded_step.py",
    "replay/test_recording.py",
    "report/plots/test_figure.py",
    "report/reference/test_explain.py",
    "report/test_starting.py",
    "script",
    "steps/test_evaluate.py",
    "steps/test_seed_group.py",
    "sweeping/cluster/test_carrying.py",
    "sweeping/test_combinations.py",
    "sweeping/test_course.py",
    "sweeping/test_false_verdicts.py",
    "sweeping/cluster/test_ray.py",
    "sweeping/test_slurm.py",
    "test_configs.py",
    "test_contributing.py",
    "test_docs.py",
    "test_rooms.py",
    "test_wheel.py",
    "training/preflight/test_hidden_state.py",
    "training/preflight/test_user_components.py",
    "training/test_changed_data.py",
    "training/test_all_optimizers.py",
    "training/test_bad_input.py",
    "training/test_criteria.py",
    "training/test_disk.py",
    "training/test_epoch_loss.py",
    "training/test_failing_code.py",
    "training/test_grouping.py",
    "training/test_isolation.py",
    "training/test_left_behind.py",
    "training/test_loop.py",
    "training/test_mutants.py",
    "training/test_out_of_memory.py",
    "training/test_plugins.py",
    "training/test_processes.py",
    "training/test_resume.py",
    "training/test_sample_weights.py",
    "training/test_size.py",
    "training/test_stopping.py",
)
# Those with tests of five seconds and more, which come first: the last test to end is then a short one.
LONG = (
    "crash",
    "sweeping/cluster/test_ray.py",
    "sweeping/test_slurm.py",
    "sweeping/tuning/test_halving.py",
    "test_contributing.py",
    "test_docs.py",
    "test_wheel.py",
    "training/test_processes.py",
    "training/test_size.py",
)
MNIST = [f"{part}-{kind}-ubyte" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")]
DOWNLOAD_SECONDS = 120  # the four files are 11 MB together


@pytest.fixture(autouse=True, scope="session")
def data_dirs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Path]]:
    """Where the user keeps datasets: `$LOSSRUN_DATA_DIR`, then the platform's cache. The tests themselves see neither:
    they get what they need through fixtures, and a cache of their own."""
    named = os.environ.get("LOSSRUN_DATA_DIR")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("LOSSRUN_DATA_DIR", raising=False)
        patch.delenv("COLUMNS", raising=False)  # as wide as the test says, and not as its caller
        found = [Path(named)] if named else []
        try:
            found.append(default_data_dir().absolute())
        except RuntimeError:  # nobody's home is known
            found.append(tmp_path_factory.mktemp("data"))
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield found


@pytest.fixture(autouse=True, scope="session")
def nothing_waits_for_the_disk() -> Iterator[None]:
    """fsync does nothing: it counts when the power fails, which no test can see, and a run waits for it twenty times.
    Tests of what is synced, and in which order, put their own in its place; `tests/crash/power.py` cuts the power."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


@pytest.fixture(autouse=True, scope="session")
def default_signals() -> Iterator[None]:
    """Do not ignore signals that nohup or a shell's `&` ignores: the commands that the tests start would never stop."""
    ignored = [
        number
        for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1")
        if (number := getattr(signal, name, None)) and signal.getsignal(number) == signal.SIG_IGN
    ]
    for number in ignored:
        signal.signal(number, signal.SIG_DFL)
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)


@pytest.fixture(scope="session")
def unavailable() -> Callable[[str], NoReturn]:
    """What becomes of a test for which the machine lacks something: it is skipped, and where CI is set it fails,
    because skipping would look like passing."""
    return pytest.fail if os.environ.get("CI") else pytest.skip


@pytest.fixture(scope="session")
def mnist_dir(
    data_dirs: list[Path], tmp_path_factory: pytest.TempPathFactory, unavailable: Callable[[str], NoReturn]
) -> Path:
    """The data folder that holds mnist/ with the four official files; where none does they are downloaded."""

    def found() -> Path | None:
        return next((data_dir for data_dir in data_dirs if _holds_mnist(data_dir)), None)

    # Several processes may run the tests: one of them tries, and tells the others what came of it.
    common = tmp_path_factory.getbasetemp()
    common = common.parent if "PYTEST_XDIST_WORKER" in os.environ else common
    failure = common / "mnist.txt"
    with FileLock(common / "mnist.lock"):
        if not found() and not failure.exists():
            command = [sys.executable, "-m", "lossrun", "fetch", "mnist", "--data-dir", str(data_dirs[-1])]
            try:
                done = subprocess.run(command, timeout=DOWNLOAD_SECONDS, capture_output=True, text=True, check=False)
                why = done.stderr.strip()
            except subprocess.TimeoutExpired:
                why = f"the download took more than {DOWNLOAD_SECONDS} seconds"
            if not found():
                failure.write_text(why, encoding="utf-8")
    return found() or unavailable(
        "needs the four MNIST files in the folder mnist/ of $LOSSRUN_DATA_DIR or of the platform's cache for lossrun: "
        + failure.read_text(encoding="utf-8").partition("\n")[0].rstrip(":")
    )


def _holds_mnist(data_dir: Path) -> bool:
    files = [data_dir / "mnist" / name for name in MNIST]
    return all(path.is_file() or path.with_name(f"{path.name}.gz").is_file() for path in files)


@cache
def _is_slow(path: Path) -> bool:
    return _is_in(path, SLOW)


@cache
def _is_long(path: Path) -> bool:
    return _is_in(path, LONG)


def _is_in(path: Path, names: tuple[str, ...]) -> bool:
    return any(path.is_relative_to(Path(__file__).parent / name) for name in names)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Where slow modules are left out, don't import them either: that takes its time, too."""
    return True if config.option.markexpr == "not slow" and _is_slow(collection_path) else None


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, Any, Any]:
    """Collect without Python's garbage collector: everything stays, and to look at it again and again takes longer than
    to collect it. Do not freeze it: Hypothesis asks the collector who refers to its random numbers."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _is_slow(item.path):
            item.add_marker(pytest.mark.slow)
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: (not _is_long(item.path), not _is_slow(item.path)))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Name what was skipped, by reason: pytest itself tells only how many."""
    names: dict[str, list[str]] = {}
    for report in terminalreporter.stats.get("skipped", []):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        names.setdefault(reason.removeprefix("Skipped: "), []).append(report.nodeid)
    for reason, skipped in names.items():
        terminalreporter.write_sep("-", f"skipped: {len(skipped)}")
        terminalreporter.write_line(reason)
        for name in sorted(skipped):
            terminalreporter.write_line(f"    {name}")


def write_run(
    runs_dir: Path,
    name: str = "run",
    *,
    rows: Callable[[int, int], Mapping[str, Any]],
    config: Mapping[str, Any] | None = None,
    environment: Mapping[str, Any] | None = None,
    epochs_done: int | None = None,
    finish: bool = True,
) -> RunDirectory:
    """A run whose history holds `rows(epoch, seed)`; `config`, `environment`: whole keys that differ from the usual."""
    settings = CONFIG | {"name": name} | dict(config or {})
    when = datetime(2026, 11, 21, 1, 45, tzinfo=UTC) + timedelta(seconds=len(list(runs_dir.glob("*"))))
    facts = ENVIRONMENT | dict(environment or {})
    files = file_contents(settings, facts)
    run = create(runs_dir, name, files, when=when)
    events = [ledger.started(settings, files["config.yaml"], facts)]
    done = settings["epochs"] if epochs_done is None else epochs_done
    usual = {"learning_rate": 0.1, "grad_norm": 1.0, "seconds": 0.5, "train_seconds": 0.4}
    every = [
        {"epoch": epoch, "step": 3 * epoch, "seed": seed, **rows(epoch, seed), **usual}
        for epoch in range(1, done + 1)
        for seed in settings["seeds"]
    ]
    if every:
        history.append(run.history_path, every)
    if finish:
        seeds = {
            str(seed): {
                "test_at_best": {"test_loss": 1.0, "test_rmse": 0.5 + seed, "test_mae": 0.25},
                "test_at_last": {"test_loss": 2.0, "test_rmse": 0.75 + seed, "test_mae": 0.5},
                "stopped_epoch": None,
            }
            for seed in settings["seeds"]
        }
        events.append(("finished", {"epoch": done, "seeds": seeds, "seconds": done * 0.5}))
    ledger.append_all([(run.ledger_path, events)])
    return run


def save_best(folder: Path, tensors: Mapping[str, Any], facts: Mapping[str, Any]) -> Path:
    """Write a file of best weights, as the end of a run does."""
    from lossrun.records import checkpoints  # imports numpy, which few tests need

    path, data = checkpoints.best_file(folder, tensors, facts)
    path.write_bytes(data)
    return path


def made_elsewhere(run: RunDirectory, **facts: Any) -> None:
    """Have the run say that it was made in another environment: `facts` differ from the real one."""
    (started, *events), found = ledger.read(run.ledger_path), strict_json.loads(run.run_json.read_bytes()) | facts
    run.run_json.write_text(strict_json.dumps(found))
    run.ledger_path.unlink()
    for event in ({**started, "environment": found}, *events):
        ledger.append(
            run.ledger_path, event.pop("event"), **{key: fact for key, fact in event.items() if key != "time"}
        )


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., RecordedRun]:
    """`write_run` into a directory of the test's own, read back."""
    return lambda name="run", **options: recorded.load(write_run(tmp_path / "runs", name, **options).path)
