"""`lossrun explain` and `lossrun list` as a person types them."""

import os
from pathlib import Path

import pytest

from tests.cli.conftest import Run, in_another_process


def test_a_loss_is_told_computed_and_drawn(lossrun: Run) -> None:
    result = lossrun("explain", "HuberLoss")
    assert (result.code, result.err) == (0, "")
    for said in ("huber  a loss", "delta (|e| - delta / 2)", "loss: {name: huber, delta: 1.0}", "log_cosh"):
        assert said in result.out
    # Huber at e = 100 with delta 1: 100 - 1/2, slope 1.
    assert ["100", "99.50", "1.000"] in [line.split() for line in result.out.splitlines()]
    assert max(map(len, result.out.splitlines())) <= 100


def test_the_words_come_before_torch_does(lossrun: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from lossrun.components.losses import curves as loss_curves
    from lossrun.errors import DataError

    def pictures(*arguments: object) -> None:
        raise DataError("no picture today")

    monkeypatch.setattr(loss_curves, "pictures", pictures)
    result = lossrun("explain", "mse")
    assert result.code == 3
    assert "mean squared error" in result.out


def test_parameters_of_the_spelling_are_drawn(lossrun: Run) -> None:
    # alpha 0.25 of sigmoid_focal_loss: at logit 0, 0.25 (1 - 1/2)^2 ln 2 = 0.04332.
    assert "0.04332" in lossrun("explain", "sigmoid_focal_loss").out
    assert "0.1733" in lossrun("explain", "binary_focal").out  # (1 - 1/2)^2 ln 2


def test_a_schedule_is_drawn_unless_it_waits_for_results(lossrun: Run) -> None:
    for name in ("cosine_restarts", "multi_step", "StepLR"):
        out = lossrun("explain", name, "--kind", "schedule").out
        assert "share of learning_rate, over a run of 30 epochs" in out
        assert "warmup_epochs: 3" in out
    assert "share of learning_rate" not in lossrun("explain", "reduce_on_plateau").out


def test_unknown_names_and_kinds_end_with_2(lossrun: Run) -> None:
    unknown = lossrun("explain", "hubr")
    assert (unknown.code, unknown.out) == (2, "")
    assert "did you mean huber (a loss)?" in unknown.err
    assert lossrun("explain", "huber", "--kind", "optimizer").code == 2
    assert lossrun("explain", "momentum", "--kind", "optimizer").code == 0


@pytest.mark.slow
def test_an_ascii_terminal_without_colour_is_enough(tmp_path: Path) -> None:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("LC_", "PYTHON", "LANG"))},
        "LC_ALL": "C",
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONUTF8": "0",
        "NO_COLOR": "1",
        "TERM": "dumb",
    }
    (done,) = in_another_process([["explain", "cross_entropy"]], tmp_path, environment)
    assert (done.code, done.err) == (0, b"")
    text = done.out.decode("ascii")
    assert "\x1b" not in text
    assert "\\u" not in text
    assert "* cross_entropy   o focal" in text


def test_a_list_is_an_overview_and_in_full_on_request(lossrun: Run) -> None:
    overview = lossrun("list", "losses", "--task", "multiclass").out
    full = lossrun("list", "losses", "--task", "multiclass", "--full").out
    assert "robust to" in overview
    assert "label_smoothing" not in overview
    assert "label_smoothing" in full
    assert "lossrun explain cross_entropy" in overview
    assert lossrun("list", "losses", "--task", "sequence").code == 2
