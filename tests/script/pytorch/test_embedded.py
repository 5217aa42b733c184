"""A component that nobody has written out for a script brings lossrun's own function with it, and gives its numbers."""

from pathlib import Path

import pytest

from lossrun.catalog import get
from lossrun.catalog.losses import LOSSES
from lossrun.script.lines import shares
from lossrun.script.pytorch import loss_lines
from tests.script.cases import keys_of_loss
from tests.script.conftest import Make
from tests.script.pytorch.test_program import agree
from tests.script.test_write import tidy

OPTIONS = [
    ("multiclass", {"name": "cross_entropy", "class_weights": [1, 2, 3, 0.5], "label_smoothing": 0.2}, {}),
    ("multiclass", {"name": "cross_entropy", "ignore_index": 1, "weight_convention": "keras"}, {}),
    ("multiclass", {"name": "focal", "class_weights": "balanced", "reduction": "sum"}, {"output": "softmax"}),
    ("multiclass", {"name": "binary_cross_entropy", "class_weights": [1, 2, 3, 0.5]}, {}),
    ("binary", {"name": "binary_cross_entropy", "class_weights": [1, 3], "pos_weight": 2.5}, {}),
    ("regression", {"name": "huber", "delta": 0.3, "reduction": "half_sample_mean"}, {}),
]


@pytest.mark.parametrize("declared", LOSSES, ids=lambda d: d.name)
def test_a_loss_that_is_not_written_out(pair: Make, monkeypatch: pytest.MonkeyPatch, declared) -> None:
    monkeypatch.delattr(loss_lines, declared.name, raising=False)
    made = pair("pytorch", **keys_of_loss(declared.name, declared.tasks[0]))
    assert f"def {declared.name}(" in made.text
    assert "import lossrun" not in made.text
    assert "from lossrun" not in made.text
    agree(made, 4)


@pytest.mark.parametrize(("task", "loss", "model"), OPTIONS)
def test_an_embedded_loss_keeps_its_options(pair: Make, monkeypatch: pytest.MonkeyPatch, task, loss, model) -> None:
    monkeypatch.delattr(loss_lines, loss["name"])
    agree(pair("pytorch", **keys_of_loss(loss["name"], task, loss, model)), 4)


@pytest.mark.parametrize("name", ["cosine", "one_cycle", "step"])
def test_an_embedded_schedule_has_the_same_rates(pair: Make, monkeypatch: pytest.MonkeyPatch, name) -> None:
    monkeypatch.delattr(shares, name)
    settings = {"step": {"every": 2}}.get(name, {})
    made = pair("pytorch", schedule={"name": name, "warmup_epochs": 1, **settings}, epochs=6)
    assert f"def {name}(" in made.text
    for step in range(24):
        assert float(made.script.learning_rate(step)) == pytest.approx(made.session.rates(step)[0], rel=1e-12)


def test_the_script_is_tidy(pair: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "written"
    folder.mkdir()
    for name in ("log_cosh", "cross_entropy", "tversky"):
        monkeypatch.delattr(loss_lines, name)
        declared = get("loss", name)
        text = pair("pytorch", **keys_of_loss(name, declared.tasks[0])).text
        (folder / f"{name}.py").write_text(text)
    tidy(folder)
