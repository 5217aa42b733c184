"""What `ls`, `show` and `compare` put on a screen: it fits, and nothing of the data is missing or broken."""

import io
import re
from itertools import product

import numpy as np
import pytest
from rich.console import Console

from lossrun.analysis import run_facts
from lossrun.analysis import runs as analysis
from lossrun.analysis.comparison.compare import compare
from lossrun.records import checkpoints
from lossrun.records.checkpoints import Checkpoint
from lossrun.records.run_directory import RunDirectory
from lossrun.report.comparison.compare import print_comparison
from lossrun.report.run_facts import print_facts
from lossrun.report.runs import print_listing
from tests.conftest import save_best

CROSS_ENTROPY = {"name": "cross_entropy", "inputs": "logits", "label_smoothing": 0.1, "reduction": "mean"}
HUBER = {"name": "huber", "delta": 1.0, "reduction": "mean"}
ADAM = {"name": "adam", "betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 0.0, "amsgrad": False}
WIDTHS = (80, 160)
SMALL, LARGE = 1.2349e-7, 123456.0
NUMBER = re.compile(r"\d+\.\d+(?:e-?\d+)?")
# What narrow screens have no header for: `ls` in two lines, `compare` with names below or values in a list.
HEADERS = {
    "ls": {"run", "status", "epochs", "seeds", "loss", "optimizer", "best", "age"},
    "compare": {"key", "label", "directory"},
}


def rows(epoch, seed):
    return {
        "train_loss": LARGE / epoch,
        "val_loss": SMALL * epoch,
        "val_accuracy": 0.9125,
        "val_macro_f1": 0.875,
        "val_binary_cross_entropy": 2.625,
    }


@pytest.fixture
def many(make_run):
    """Five runs of long names, of one seed or of three, that differ in all sorts of things."""
    multiclass = {"task": "multiclass"}
    changes = [
        {},
        {"loss": CROSS_ENTROPY, "seeds": [0, 1, 2]},
        {"loss": HUBER, "optimizer": ADAM, "learning_rate": 3e-4},
        {"dataset": {"name": "csv", "path": "/data/a long path/to/a-table-of-many-houses.csv", "target": "price"}},
        {"model": {"name": "mlp", "hidden": [300, 200, 100, 50], "output": "softmax"}, "epochs": 150},
    ]
    made = [
        make_run(f"fashion_mnist-mlp-binary_cross_entropy-number-{number}", rows=rows, config=c, environment=multiclass)
        for number, c in enumerate(changes)
    ]
    for run in made:
        files = RunDirectory(run.path)
        facts = {"epoch": 4, "step": 9, "history_length": 0}
        checkpoints.save(files.checkpoints, 9, Checkpoint({"model.w": np.zeros((3, 1))}, facts), keep=3)
        weights = {"body.output.weight": np.array([[-2.5, 0.125]]), "body.output.bias": np.array([SMALL])}
        if (count := len(run.seeds)) > 1:
            weights = {name: np.stack([array] * count) for name, array in weights.items()}
        best = [{"seed": seed, "epoch": 4, "step": 9} for seed in run.seeds]
        save_best(files.checkpoints, weights, {"best": best})
    return made


def screens(runs):
    yield "ls", lambda console: print_listing(analysis.listing([run.path for run in runs]), console)
    for run in runs:
        yield "show", lambda console, run=run: print_facts(run_facts.facts(run), console)
    for count in (2, 3, 5):
        yield "compare", lambda console, count=count: print_comparison(compare(runs[:count]), console)


def drawn(draw, width: int, *, terminal: bool = True, encoding: str = "utf-8") -> str:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="\n")
    draw(
        Console(file=file, width=width, height=50, force_terminal=terminal, highlight=False, _environ={"TERM": "dumb"})
    )
    file.seek(0)
    return file.read()


def test_no_line_is_wider_than_the_screen_and_every_word_of_the_pipe_is_on_it(many):
    for (name, draw), width in product(screens(many), WIDTHS):
        screen, pipe = drawn(draw, width), drawn(draw, 10_000, terminal=False)
        # A path is never broken, nor a key with it: both stand alone on their lines.
        too_wide = [line for line in screen.splitlines() if len(line) > width and str(many[0].path.parent) not in line]
        assert not too_wide, (name, too_wide)
        words = {word for word in re.split(r"[\s:;,()]+", pipe) if word.strip("─")} - HEADERS.get(name, set())
        missing = {word for word in words if word not in screen}
        assert not missing, (name, width, missing)


def test_every_number_is_whole(many):
    for (name, draw), width in product(screens(many), WIDTHS):
        screen, pipe = drawn(draw, width), drawn(draw, 10_000, terminal=False)
        assert set(NUMBER.findall(pipe)) == set(NUMBER.findall(screen)), (name, width)
        if name != "ls":
            # At epoch 1, the best, of one seed or of three alike.
            assert {"0.9125", "0.8750", "2.625", "1.235e-7"} <= set(NUMBER.findall(screen)), (name, width)


def test_an_ascii_screen_gets_ascii_and_no_line_ends_in_blanks(many):
    for (name, draw), width, terminal in product(screens(many), WIDTHS, (True, False)):
        text = drawn(draw, width, terminal=terminal, encoding="ascii")
        assert text.isascii(), name
        assert [line for line in text.splitlines() if line != line.rstrip()] == [], name


def test_a_run_in_a_narrow_listing_has_two_lines_and_the_newest_is_last(many):
    lines = drawn(lambda console: print_listing(analysis.listing([run.path for run in many]), console), 80).splitlines()
    names = [line.partition(",")[0] for line in lines if not line.startswith(" ")]
    assert names == [run.name for run in many]
    assert lines[1].startswith("  finished 4/4; mse, sgd, lr 0.1; val_accuracy 0.9125")
