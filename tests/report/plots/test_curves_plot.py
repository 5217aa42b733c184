"""Learning curves on a terminal: what they show, and that they fit it, whatever it is."""

import io
import re
from itertools import product

import pytest
from rich.console import Console

from lossrun.analysis.learning_curves import learning_curves
from lossrun.report.plots.curves_plot import print_learning_curves
from lossrun.report.plots.line_plot import line_plot

HUBER = {"name": "huber", "delta": 1.0, "reduction": "mean"}


@pytest.fixture(autouse=True)
def _able_terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")


def rows(epoch: int, seed: int) -> dict[str, float]:
    return {"train_loss": 2.0 / epoch, "val_loss": 1.0 / epoch + seed, "val_rmse": 4.0 / epoch + seed}


def shown(curves, width: int = 80, *, terminal: bool = True, encoding: str = "utf-8") -> str:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="\n")
    console = Console(
        file=file, width=width, height=50, force_terminal=terminal, no_color=True, highlight=False,
        _environ={},
    )  # fmt: skip
    print_learning_curves(curves, console)
    file.seek(0)
    return re.sub(r"\x1b\[[\d;]*m", "", file.read()) if terminal else file.read()


@pytest.fixture
def runs(make_run):
    seeds = {"seeds": [0, 1]}
    return [
        make_run("a", rows=rows, config=seeds),
        make_run("b", rows=rows, config=seeds | {"loss": HUBER, "learning_rate": 0.5}),
        make_run("c", rows=rows, config=seeds | {"learning_rate": 0.5}),
    ]


def test_a_picture_says_what_it_shows(runs):
    text = shown(learning_curves(runs), 100)
    assert text.startswith("val_rmse [targets]: lower is better; mean of 2 seeds, band from lowest to highest\n")
    for label in ("● loss=mse, lr=0.1", "○ loss=huber, lr=0.5", "■ loss=mse, lr=0.5"):
        assert label in text
    assert text.count("epoch\n") == 1


def test_training_and_validation_are_told_apart_by_marks(runs):
    text = shown(learning_curves(runs[:1], ["loss"]))
    assert text.startswith("loss (mse) of ")
    assert "● validation   ○ training" in text
    drawing = text.partition("● validation")[0]
    assert "●" in drawing
    assert "○" in drawing


def test_unlike_losses_have_a_picture_each(runs):
    text = shown(learning_curves(runs, ["val_loss"]))
    assert text.count("└") == 2
    assert "val_loss (mse): " in text
    assert "val_loss (huber(delta=1.0)): " in text
    assert "note: train_loss and val_loss are not ranked" in text


def test_what_fits_no_legend_is_called_by_letters(make_run):
    names = [f"a-very-long-name-of-a-run-{'of-many-words-' * 4}{number}" for number in (1, 2)]
    found = learning_curves([make_run(name, rows=rows) for name in names])
    text = shown(found)
    assert "● A   ○ B" in text
    assert all(label in text for label in found.labels)
    assert f"● {found.labels[0]}" in shown(found, 160)


def test_no_line_is_wider_than_the_screen_nor_needs_more_than_it_has(runs, monkeypatch):
    for count, metric, width in product((1, 3), ("loss", "rmse", "lr"), (40, 80, 160)):
        curves = learning_curves(runs[:count], [metric])
        for encoding, term in (("utf-8", "xterm"), ("utf-8", "dumb"), ("ascii", "xterm")):
            monkeypatch.setenv("TERM", term)
            text = shown(curves, width, encoding=encoding)
            drawn = [line for line in text.splitlines() if line.startswith(" ") or "│" in line or "|" in line]
            assert drawn
            assert max(map(len, drawn)) <= width
            assert any(len(line) > 0.9 * width for line in drawn)
            assert text.isascii() or (encoding, term) == ("utf-8", "xterm")


def test_a_pipe_gets_a_picture_of_80_columns(runs):
    text = shown(learning_curves(runs), 10_000, terminal=False)
    assert max(len(line) for line in text.splitlines() if "│" in line) <= 80
    assert "\x1b" not in text


def test_many_runs_are_drawn_without_bands_and_repeated_marks_are_told(make_run):
    many = [make_run(f"r{n}", rows=rows, config={"seeds": [0, 1], "learning_rate": 0.1 + n}) for n in range(9)]
    text = shown(learning_curves(many))
    assert "band" not in text
    assert "marks repeat" in text


def test_a_band_is_shaded_between_its_edges_alone():
    xs = [0.0, 10.0]
    options = {"width": 40, "height": 11, "unicode": False, "y_limits": (0.0, 10.0)}
    lines = [line.plain for line in line_plot([("", xs, [5.0, 5.0])], bands={0: ([3.0, 3.0], [8.0, 8.0])}, **options)]
    # Eleven rows for 0 to 10: row 10 - y; 5 is the line itself.
    assert [10 - row for row, line in enumerate(lines[:11]) if ":" in line] == [8, 7, 6, 4, 3]
    assert all(line.count(":") >= 30 for line in lines[:11] if ":" in line)


def test_a_band_opens_the_axis_and_stops_at_a_gap():
    nan = float("nan")
    band = ([0.0, 0.0, nan, 0.0, 0.0], [9.0, 9.0, nan, 9.0, 9.0])
    lines = line_plot([("", [0, 1, 2, 3, 4], [5, 5, nan, 5, 5])], width=44, height=10, unicode=False, bands={0: band})
    top = next(line.plain for line in lines if ":" in line.plain)
    shaded = top.partition("|")[2].ljust(40)
    assert ":" in shaded[:10]
    assert ":" in shaded[31:]
    assert ":" not in shaded[12:28]
