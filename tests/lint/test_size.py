"""What a config asks for, known before anything is allocated."""

import json
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from lossrun.catalog import DataFacts
from lossrun.config import from_mapping, read, resolve
from lossrun.data import known_facts
from lossrun.errors import ConfigError, DataError
from lossrun.experiment import load_experiment
from lossrun.lint import machine
from lossrun.lint.size import how_to_need_less, in_units, layers, size_of, too_large

BASE: dict[str, Any] = {
    "dataset": {"name": "synthetic_regression", "samples": 200},
    "model": {"name": "mlp", "hidden": [8]},
    "loss": "mse",
    "optimizer": "adam",
    "learning_rate": 1e-3,
    "epochs": 2,
}
HUGE = 10**12
IMAGES = {"dataset": "mnist", "loss": "cross_entropy"}
CLASSES = {"name": "synthetic_classification", "samples": 2 * HUGE, "classes": HUGE}
ROOT = Path(__file__).parents[2]


def conv(**layer: Any) -> dict[str, Any]:
    return {"model": {"name": "cnn", "layers": [{"name": "conv", **layer}]}, **IMAGES}


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"model": {"name": "mlp", "hidden": [HUGE]}}, "model.hidden[0]"),
        ({"model": {"name": "mlp", "hidden": [HUGE]}, "step": "eager"}, "model.hidden[0]"),
        ({"model": {"name": "mlp", "hidden": [5, 10**10, 3]}}, "model.hidden[1]"),
        ({"model": {"name": "mlp", "hidden": [2**62]}, "precision": "float64"}, "model.hidden[0]"),
        ({"model": {"name": "mlp", "hidden": [10**6, 10**6], "batch_norm": True}}, "model.hidden[1]"),
        (conv(filters=HUGE), "model.layers[0]"),
        (conv(kernel=10**8, padding=10**8), "model.layers[0]"),
        (conv(filters=1, kernel=1, padding=10**7), "model.layers[0]"),
        ({"model": {"name": "cnn", "layers": [{"name": "dense", "units": HUGE}]}, **IMAGES}, "model.layers[0]"),
        ({"dataset": {"name": "synthetic_regression", "samples": HUGE}}, "dataset.samples"),
        ({"dataset": {"name": "synthetic_regression", "samples": 20, "features": HUGE}}, "dataset.features"),
        ({"dataset": {"name": "synthetic_regression", "samples": HUGE, "kind": "polynomial"}}, "dataset.samples"),
        ({"dataset": CLASSES, "loss": "cross_entropy"}, "dataset.classes"),
        ({"dataset": {**CLASSES, "samples": 3}, "loss": "cross_entropy"}, "dataset.classes"),
        (
            {
                "dataset": {"name": "synthetic_classification", "kind": "multilabel", "classes": HUGE},
                "loss": "binary_cross_entropy",
            },
            "dataset.classes",
        ),
        ({"seeds": 10_000, "model": {"name": "mlp", "hidden": [100_000]}}, "seeds"),
        ({"seeds": 10_000, "dataset": {"name": "synthetic_regression", "samples": 10**7, "features": 1}}, "seeds"),
        (
            {
                "model": {"name": "mlp", "hidden": [3000] * 3},
                "dataset": {"name": "synthetic_regression", "samples": 10**7, "features": 1},
                "batch_size": "full",
                "device": "cpu",
            },
            "batch_size",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_no_machine_has_is_refused_before_anything_is_allocated(
    tmp_path: Path, changes: dict[str, Any], key: str
) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(ConfigError) as refused:
            load_experiment(from_mapping({**BASE, **changes}, tmp_path), tmp_path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    (problem,) = refused.value.problems
    assert problem.startswith(f"config: {key}: this config needs at least ")
    assert problem.endswith(f"make {key} smaller")
    assert peak < 20e6


@pytest.mark.parametrize("number", [10**30, 10**400])
@pytest.mark.parametrize(
    "path",
    [
        "model.hidden",
        "dataset.samples",
        "dataset.features",
        "epochs",
        "batch_size",
        "seeds",
        "dataset.validation",
        "checkpoint.keep",
        "early_stopping.patience",
        "seed",
        "dataset.seed",
        "schedule.warmup_epochs",
    ],
)
def test_numbers_beyond_all_machines_are_one_message_or_harmless(tmp_path: Path, path: str, number: int) -> None:
    value = f"[{number}]" if path == "model.hidden" else number
    with suppress(ConfigError, DataError):
        load_experiment(from_mapping(BASE, tmp_path, [f"{path}={value}"]), tmp_path)


def test_a_config_that_this_machine_holds_is_not_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything that we ship, on a machine of 1 GB."""
    monkeypatch.setattr("lossrun.lint.size.whole_memory", lambda: 10**9)
    shipped = sorted((ROOT / "configs").glob("**/*.yaml"))
    assert len(shipped) > 5
    mnist = DataFacts("multiclass", (1, 28, 28), 10, 55_000, 5_000, 10_000)
    numbers = DataFacts("regression", (10,), 1, 720, 80, 200)
    for path in shipped:
        config = read(path).config
        facts = mnist if "mnist" in config.dataset.name else numbers
        if facts is numbers and config.loss.name not in ("mse", "mae", "huber"):
            continue
        assert too_large(resolve(config, facts), facts) is None, path


@pytest.fixture
def linux(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """`linux(path, text)` writes a file that is read instead of the machine's own."""

    def place(path: str) -> Path:
        return tmp_path / "root" / path.lstrip("/")

    def write(path: str, text: str) -> None:
        place(path).parent.mkdir(parents=True, exist_ok=True)
        place(path).write_text(text)

    monkeypatch.setattr(machine, "Path", place)
    write("/proc/meminfo", "MemTotal: 8000 kB\nMemAvailable: 4000 kB\nSwapTotal: 1000 kB\n")
    return write


def test_what_the_machine_has(linux: Callable[[str, str], None]) -> None:
    assert machine.whole_memory() == 9000 * 1024
    assert machine.free_memory() == 4000 * 1024
    # A batch job: the limit of a group above one's own.
    linux("/proc/self/cgroup", "0::/slurm/job7/step0\n")
    linux("/sys/fs/cgroup/slurm/job7/memory.max", "3000000\n")
    linux("/sys/fs/cgroup/slurm/job7/memory.current", "1000000\n")
    linux("/sys/fs/cgroup/slurm/job7/step0/memory.max", "max\n")
    linux("/sys/fs/cgroup/slurm/job7/step0/memory.current", "1000000\n")
    assert machine.whole_memory() == 3_000_000 + 1000 * 1024
    assert machine.free_memory() == 2_000_000
    # Version 1.
    linux("/proc/self/cgroup", "5:cpu:/a\n4:memory:/b\n")
    linux("/sys/fs/cgroup/memory/b/memory.limit_in_bytes", "2000000\n")
    linux("/sys/fs/cgroup/memory/b/memory.usage_in_bytes", "500000\n")
    assert machine.whole_memory() == 2_000_000 + 1000 * 1024
    assert machine.free_memory() == 1_500_000


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (1_234_567, "1.2 MB"),
        (30e6, "30 MB"),
        (10**30, "more than 1,000,000 EB"),
    ],
)
def test_bytes_are_written_in_a_fitting_unit(count: int, text: str) -> None:
    assert in_units(count) == text


def test_a_size_counted_by_hand(tmp_path: Path) -> None:
    """10 inputs, 8 units, 1 output: 97 weights; 140 samples for training, 20 for validation, 40 for the test."""
    config = from_mapping({**BASE, "dataset": {**BASE["dataset"], "validation": 20}, "seeds": 2}, tmp_path).config
    facts = DataFacts("regression", (10,), 1, 140, 20, 40)
    size = size_of(resolve(config, facts), facts)
    assert sum(row.parameters for row in layers(config, facts)) == 97
    assert (size.weights, size.checkpoint) == (2 * 97 * 4 * 5, 2 * 97 * 4 * 3)
    assert (size.data, size.step, size.evaluation) == (200 * 10 * 4, 32 * 9 * 4, 40 * 4)
    assert size.epoch == 2 * 8 * (140 + 5)
    assert str(size) == "3.9 kB of weights and optimizer state, about 27 kB in total; 2.3 kB per checkpoint"


def test_check_tells_the_size_without_torch(tmp_path: Path) -> None:
    spy = (
        "import sys; sys.argv = ['lossrun', 'check', 'c.yaml']\n"
        "from lossrun.cli import main\n"
        "try: main()\nfinally: print('torch' in sys.modules)"
    )
    (tmp_path / "c.yaml").write_text(json.dumps(BASE))
    done = subprocess.run([sys.executable, "-c", spy], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "kB of weights and optimizer state, about" in done.stderr
    assert done.stdout.endswith("False\n")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"seeds": 10_000, "model": {"name": "mlp", "hidden": [300]}}, "10000 times; make seeds smaller"),
        ({"seeds": 2, "model": {"name": "mlp", "hidden": [HUGE]}}, "make model.hidden[0] smaller"),
        ({"dataset": {"name": "synthetic_regression", "samples": 10**7}}, "make dataset.samples smaller"),
        (
            {"dataset": {"name": "synthetic_regression", "samples": 9, "features": 10**7}},
            "make dataset.features smaller",
        ),
        (
            {"dataset": {"name": "synthetic_regression", "samples": 10**6, "features": 1}, "batch_size": "full"},
            "make batch_size smaller",
        ),
        ({"model": "mine:Net", "seeds": 3}, "make the model or batch_size smaller, or train fewer seeds"),
        ({"model": "mine:Net"}, "make the model or batch_size smaller"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_to_change_where_memory_has_run_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], told: str
) -> None:
    monkeypatch.setattr("lossrun.lint.size.whole_memory", lambda: 2 * 10**9)
    reading = from_mapping({**BASE, **changes}, tmp_path)
    facts = known_facts(reading.config.dataset.name, reading.config.dataset.parameters)
    assert facts is not None
    assert how_to_need_less(resolve(reading.config, facts), facts).endswith(told)


def test_a_table_is_held_against_the_memory_once_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,y\n" + "".join(f"{i},{i / 2}\n" for i in range(20)))
    config = {**BASE, "dataset": {"name": "csv", "path": "t.csv", "target": "y"}}
    with pytest.raises(ConfigError, match=r"model\.hidden\[0\]: this config needs at least"):
        load_experiment(from_mapping({**config, "model": {"name": "mlp", "hidden": [HUGE]}}, tmp_path), tmp_path)
