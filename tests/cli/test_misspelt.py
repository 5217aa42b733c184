"""Misspelt names of files, folders and runs: the nearest names come first, and all are counted."""

from pathlib import Path

import numpy as np
import pytest

from lossrun.packaged import packaged_configs
from tests.cli.conftest import CONFIG, Run
from tests.conftest import write_run

# Configs that come with lossrun.
N = len(packaged_configs())
CSV = ("--set", "dataset={name: csv, target: y, path: houses.csv}")


@pytest.fixture
def folder(tmp_path: Path, config: Path) -> Path:
    (tmp_path / "houses.csv").write_text("x,y\n" + "\n".join(f"{n},{n * 0.5}" for n in range(60)))
    np.savez(tmp_path / "houses.npz", x=np.ones((30, 2)), y=np.arange(30) / 7)
    (tmp_path / "mine.py").write_text(
        "import torch\n\n\ndef my_loss(outputs, targets):\n    return outputs - targets\n"
    )
    (tmp_path / "data").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("train", "confg.yaml"), 2, "did you mean config.yaml? 1 YAML file here"),
        (("check", "config.yml"), 2, "did you mean config.yaml?"),
        (("script", "config", "--as", "keras"), 2, "did you mean config.yaml?"),
        (("train", "data"), 2, "no YAML files in it"),
        (("train", "quikstart"), 2, f"1 YAML file here: config.yaml; did you mean quickstart? {N} configs come with"),
        (("check", "quickstart.yaml"), 2, f"did you mean quickstart? {N} configs come with lossrun"),
        (("script", "configs/moons-binary.yaml", "--as", "keras"), 2, f"did you mean moons-binary? {N} configs come"),
        (("train", "configs"), 2, f"did you mean config.yaml? 1 YAML file here; {N} configs come with lossrun: "),
        (("check", "config.yaml", "--set", "dataset={name: csv, target: y, path: huoses.csv}"), 3,
         "did you mean houses.csv? 1 table here"),
        (("check", "config.yaml", "--set", "dataset={name: csv, target: y, path: dtaa/houses.csv}"), 3,
         "there is no folder"),
        (("check", "config.yaml", "--set", "dataset={name: npz, target: y, path: house.npz}"), 3,
         "did you mean houses.npz? 1 npz file here"),
        (("check", "config.yaml", "--set", "loss=mine:my_los"), 2, "did you mean my_loss? 1 public name there"),
        (("check", "config.yaml", "--set", "loss=miine:my_loss"), 2, "did you mean mine.py? 1 Python file here"),
        (("new", "tabel"), 2, f"did you mean table? {N} configs to start from, nearest first: table, "),
        (("fetch", "mnits"), 2, "did you mean mnist? 3 datasets to download"),
        (("show", "a", "--runs-dir", "rusn"), 4, "there is no folder rusn: did you mean runs"),
        (("show", "rusn/a"), 4, "there is no folder rusn: did you mean runs"),
        (("show", "hosues"), 4, "did you mean houses? 2 runs there, nearest first: houses, other"),
        (("compare", "hosues", "other"), 4, "did you mean houses?"),
        (("script", "config.yaml", "--as", "keras", "-o", "dtaa/x.py"), 4, "did you mean data?"),
        (("plot", "houses", "-o", "dtaa/x.svg"), 2, "there is no folder dtaa: did you mean data? Create the folder"),
        (("compare", "houses", "other", "--html", "dtaa/x.html"), 4, "did you mean data? Name"),
        (("new", "--output", "dtaa/x.yaml"), 4, "did you mean data?"),
        (("predict", "houses", "--input", "huoses.csv"), 3, "did you mean houses.csv? 2 input files here"),
    ],
)  # fmt: skip
def test_a_misspelt_name_is_answered_with_the_one_that_was_meant(
    lossrun: Run, folder: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    if arguments[0] in ("show", "compare", "predict", "plot"):
        for name in ("houses", "other"):
            assert lossrun("train", "config.yaml", "--set", "lint=warn", "--name", name, *CSV, "--quiet").code == 0
    result = lossrun(*arguments)
    assert (result.code, said in result.err) == (code, True), result.err
    assert "?;" not in result.err
    assert CONFIG


def test_columns_is_honoured_in_a_pipe(lossrun: Run, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a-long-name-of-a-run", "another-long-name-of-a-run"):
        monkeypatch.delenv("COLUMNS", raising=False)
        lossrun("train", "config.yaml", "--name", name, "--set", "seeds=2", "--quiet")
    screens = (("ls",), ("show", "last"), ("compare", "last", "last~1"), ("list", "losses"), ("list", "rules"),
               ("explain", "huber"), ("plot", "last"), ("--help",), ("train", "--help"))  # fmt: skip

    def widest(*arguments: str) -> int:
        return max(map(len, lossrun(*arguments).out.splitlines()))

    fixed = [arguments for arguments in screens if arguments != ("ls",)]  # the age of a run may gain a digit
    usual = {arguments: widest(*arguments) for arguments in fixed}
    assert max(usual.values()) > 110  # in a pipe nothing is cut
    for columns in ("0", "-5", "1e2", "", "１００"):
        monkeypatch.setenv("COLUMNS", columns)
        assert {arguments: widest(*arguments) for arguments in fixed} == usual, columns
        assert widest("ls") > 110
    for columns in (80, 100):
        for arguments in screens:
            monkeypatch.setenv("COLUMNS", str(columns))
            wide = [line for line in lossrun(*arguments).out.splitlines() if len(line) > columns]
            # A single word may be longer: a hash, a path, a command to copy.
            assert all(len(line.split()) <= 2 or "lossrun " in line for line in wide), (columns, arguments, wide)


def test_rows_of_epochs_keep_all_their_columns(lossrun: Run, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    header = lossrun("train", "config.yaml").out.splitlines()[0]
    assert header.split() == [
        "epoch",
        "train_loss",
        "val_loss",
        "val_rmse",
        "val_mae",
        "lr",
        "grad_norm",
        "time",
        "best",
    ]


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("lst", "last"),
        ("lsat", "last"),
        ("LAST", "last"),
        ("latest", "last"),
        ("last~x", "last~1"),
        ("last1", "last~1"),
    ],
)
def test_a_misspelt_last(lossrun: Run, tmp_path: Path, word: str, meant: str) -> None:
    for name in ("mnist-adam", "moons"):
        write_run(tmp_path / "runs", name, rows=lambda epoch, seed: {"train_loss": 1.0, "val_loss": 1.0})
    asked = lossrun("show", word)
    assert asked.code == 4
    assert f"did you mean {meant}? 2 runs there: " in asked.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            "evaluate last --split vaildation",
            "'vaildation' is not one of test, validation, train; did you mean validation?",
        ),
        ("evaluate last --split val", "'val' is not one of test, validation, train; did you mean validation?"),
        ("compare a b --format jsn", "'jsn' is not one of table, json, csv, md, latex; did you mean json?"),
        ("script c.yaml --as torch", "'torch' is not one of pytorch, keras; did you mean pytorch?"),
        ("plot a --x parsec", "'parsec' is not one of epoch, step, seconds"),
        ("compare a b --margin 1,5", "'1,5' is not a number"),
        ("ls --limit 2.5", "'2.5' is not a whole number"),
        ("compare a b --at bset", "--at bset: expected best, last, or the number of an epoch; did you mean best?"),
    ],
)
def test_a_value_that_an_option_does_not_take(lossrun: Run, arguments: str, said: str) -> None:
    asked = lossrun(*arguments.split())
    assert asked.code == 2
    # In a box, which breaks lines.
    told = " ".join(asked.err.replace("│", " ").split())
    assert said in told
    assert "Value error" not in told
