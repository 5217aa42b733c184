"""Modules that a command must not import, so that commands without torch start at once. Each has its own process."""

import os
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import pytest

from tests.cli.conftest import CONFIG, in_another_process
from tests.conftest import write_run

PROJECT: Final = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
# torch and the rooms of its wing; the import contracts keep every other room free of them.
TORCH: Final = next(
    tuple(contract["forbidden_modules"])
    for contract in PROJECT["tool"]["importlinter"]["contracts"]
    if "torch" in contract.get("forbidden_modules", ())
)
OTHERS: Final = (
    *("keras", "scipy", "sklearn", "pandas", "matplotlib", "tensorboard"),
    *("requests", "filelock", "asyncio", "unittest", "multiprocessing"),
)
DATA: Final = ("numpy", "safetensors", "lossrun.data")
VALUES: Final = ("pydantic", "pydantic_core")
FILES: Final = ("yaml", "lossrun.records", "lossrun.analysis.values.readings")
CONFIGS: Final = ("lossrun.config", "lossrun.lint")

NEVER: Final = (*TORCH, *OTHERS)
NOT_ABOUT_RUNS: Final = (*NEVER, *DATA, *VALUES, *CONFIGS)

# The command, its exit code, and the modules that it has no use for.
COMMANDS: Final = [
    ("--help", 0, (*NOT_ABOUT_RUNS, *FILES, "lossrun.catalog", "lossrun.analysis")),
    ("--version", 0, (*NOT_ABOUT_RUNS, *FILES, "lossrun.catalog", "lossrun.analysis", "rich")),
    ("train --help", 0, (*NOT_ABOUT_RUNS, *FILES, "lossrun.catalog", "lossrun.analysis")),
    ("ls", 0, (*NOT_ABOUT_RUNS, "lossrun.analysis.comparison.compare", "lossrun.analysis.values.paired_differences")),
    ("ls --format json", 0, NOT_ABOUT_RUNS),
    ("ls --format csv --sort val_rmse --where val_rmse<9", 0, (*NEVER, *DATA)),
    ("show last", 0, NOT_ABOUT_RUNS),
    ("show last --format json", 0, NOT_ABOUT_RUNS),
    ("compare last last~1", 0, NOT_ABOUT_RUNS),
    ("compare last last~1 --format md --curves --metric rmse", 0, NOT_ABOUT_RUNS),
    ("compare last last~1 --per-seed --format csv", 0, NOT_ABOUT_RUNS),
    ("compare last nothing", 4, NOT_ABOUT_RUNS),
    ("compare last last~1 --html page.html", 0, NEVER),
    ("plot last last~1", 0, NOT_ABOUT_RUNS),
    ("gc", 0, NOT_ABOUT_RUNS),
    ("rm last", 2, NOT_ABOUT_RUNS),
    ("resume last", 0, ("torch", *OTHERS)),
    ("list losses", 0, (*NOT_ABOUT_RUNS, *FILES)),
    ("list optimizers --json", 0, (*NOT_ABOUT_RUNS, *FILES)),
    ("list rules", 0, (*NEVER, *DATA, *VALUES)),
    ("list diagnoses", 0, (*NEVER, *DATA, *VALUES)),
    ("explain adam", 0, (*NEVER, *DATA, *VALUES)),
    ("explain one_cycle", 0, ("torch", *OTHERS, *DATA, *VALUES)),
    ("explain one_cycle --kind loss", 2, (*NEVER, *DATA, *VALUES)),
    ("explain mlp", 0, (*NEVER, *DATA, *VALUES)),
    ("explain mnist", 0, (*NEVER, *DATA, *VALUES)),
    ("explain rmse", 0, (*NEVER, *DATA, *VALUES)),
    ("explain double_softmax", 0, (*NEVER, *DATA, *VALUES)),
    ("explain batch_size", 0, (*NEVER, *DATA, *VALUES)),
    ("schema", 0, (*NEVER, *DATA)),
    ("new --output -", 0, (*NEVER, *DATA)),
    ("train wrong.yaml", 2, (*NEVER, *DATA, "lossrun.lint", "lossrun.records")),
    ("train config.yaml --set lr=1", 2, (*NEVER, *DATA, "lossrun.lint", "lossrun.records")),
    ("train missing.yaml", 2, (*NEVER, *DATA, "lossrun.lint", "lossrun.records")),
    ("check wrong.yaml", 2, (*NEVER, *DATA, "lossrun.lint", "lossrun.records")),
    ("script wrong.yaml --as keras", 2, (*NEVER, *DATA, "lossrun.lint", "lossrun.records")),
    ("train unfit.yaml", 2, NEVER),
    ("sweep wrong.yaml --over loss=mse,mae", 2, (*NEVER, *DATA, "lossrun.lint")),
    ("sweep config.yaml --over los=mse,mae", 2, NEVER),
    ("check config.yaml", 0, NEVER),
    ("script config.yaml --as keras", 0, NEVER),
    ("script config.yaml --as pytorch", 0, NEVER),
    ("fetch nothing", 2, NEVER),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With three configs and two runs of three seeds."""
    (tmp_path / "config.yaml").write_text(CONFIG)
    (tmp_path / "wrong.yaml").write_text(CONFIG.replace("mse", "msee"))
    (tmp_path / "unfit.yaml").write_text(CONFIG.replace("mse", "cross_entropy"))
    for loss, best in (("mse", 1.0), ("mae", 2.0)):
        write_run(
            tmp_path / "runs",
            loss,
            rows=lambda epoch, seed, best=best: {
                "train_loss": 1.0 / epoch,
                "val_loss": 1.0 / epoch,
                "val_rmse": best + seed / epoch,
                "val_mae": best - 0.1 * seed * seed,
            },
            config={"seeds": [0, 1, 2], "loss": {"name": loss, "reduction": "mean"}},
        )
    return tmp_path


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked")
def test_a_command_imports_no_more_than_it_needs(folder: Path) -> None:
    found = in_another_process([line.split() for line, _, _ in COMMANDS], folder, apart=[])
    assert [
        (line, done.code, done.err) for (line, code, _), done in zip(COMMANDS, found, strict=True) if done.code != code
    ] == []
    needless = {
        line: sorted(done.modules & set(unneeded)) for (line, _, unneeded), done in zip(COMMANDS, found, strict=True)
    }
    assert {line: modules for line, modules in needless.items() if modules} == {}


def test_the_table_speaks_of_modules_that_there_are() -> None:
    names = {name for _, _, unneeded in COMMANDS for name in unneeded if name.startswith("lossrun.")}
    assert [name for name in sorted(names) if find_spec(name) is None] == []


def test_the_library_imports_nothing_but_its_names() -> None:
    program = "import sys\nbefore = set(sys.modules)\nimport lossrun\nprint(*(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    tops = {name.partition(".")[0] for name in done.stdout.split()}
    assert tops - sys.stdlib_module_names == {"lossrun"}
    assert sorted(set(NEVER) & set(done.stdout.split())) == []
