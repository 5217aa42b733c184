"""Exports, used as somebody without lossrun would use them."""

import csv
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import Tensor, nn

from lossrun.errors import RunError, UsageError
from lossrun.inference import exporting
from lossrun.inference.exporting import export
from lossrun.inference.predicting import predict
from lossrun.records import history
from tests.training.conftest import MOONS, REGRESSION, SPIRALS, Laboratory

MODEL_FILES = {"model.safetensors", "model.json", "README.md"}
CLOSE = {"rtol": 1e-6, "atol": 1e-6}

# Runs each folder's code in a Python that has no lossrun, and keeps what it predicts.
ALONE = """
import os, sys
import numpy as np
sys.modules["lossrun"] = None
import torch
for folder in sys.argv[1:]:
    os.chdir(folder)
    inputs = torch.from_numpy(np.load("inputs.npy"))
    for number, block in enumerate(open("code.txt").read().split("=====")):
        names = {"inputs": inputs}
        exec("\\n".join(line for line in block.splitlines() if not line.startswith("inputs = ")), names)
        np.save(f"predictions{number}.npy", np.asarray(names["predictions"].detach()))
assert not any(name.startswith("lossrun.") for name in sys.modules)
"""


def blocks(folder: Path) -> list[str]:
    """The Python code in the README of an export."""
    return re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)


def run_alone(folders: dict[Path, np.ndarray]) -> dict[Path, list[np.ndarray]]:
    """What each README's blocks predict of these inputs."""
    for folder, inputs in folders.items():
        np.save(folder / "inputs.npy", inputs)
        (folder / "code.txt").write_text("=====".join(blocks(folder)))
    command = [sys.executable, "-W", "error::SyntaxWarning", "-c", ALONE, *map(str, folders)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    return {
        folder: [np.load(folder / f"predictions{number}.npy") for number in range(len(blocks(folder)))]
        for folder in folders
    }


IMAGES = {"name": "npz", "path": "images.npz", "target": "label", "task": "binary"}
CNN = {
    "name": "cnn",
    "layers": [
        {"name": "conv", "filters": 3, "kernel": 2, "padding": "same"},
        {"name": "max_pool", "size": 2},
        {"name": "dense", "units": 5},
    ],
    "batch_norm": True,
    "dropout": 0.1,
}
SCALED = {
    "name": "synthetic_regression",
    "samples": 120,
    "features": 4,
    "standardize": {"inputs": True, "targets": True},
}


def activation(name: str, **more: Any) -> dict[str, Any]:
    return {"model": {"name": "mlp", "hidden": [5, 3], "activation": name, **more}}


@pytest.fixture
def images(laboratory: Laboratory) -> np.ndarray:
    draw = np.random.default_rng(2)
    pixels = draw.integers(0, 256, (50, 1, 6, 5), np.uint8)
    np.savez(laboratory.folder / "images.npz", inputs=pixels, label=draw.integers(0, 2, 50))
    return pixels[:7]


def test_programs_and_weights_give_the_runs_own_predictions_without_lossrun(
    laboratory: Laboratory, images: np.ndarray
) -> None:
    draw = np.random.default_rng(1)
    tables = {columns: draw.normal(size=(9, columns)).astype(np.float32) for columns in (2, 4)}
    points, amounts = [[i / 9, i % 4] for i in range(30)], [1 + i % 5 for i in range(30)]
    counts = {"name": "inline", "inputs": points, "targets": amounts, "task": "regression"}
    cases: list[tuple[dict[str, Any], np.ndarray]] = [
        (REGRESSION | {"dataset": SCALED, "loss": "gaussian_nll"} | activation("leaky_relu"), tables[4]),
        (REGRESSION | {"dataset": counts, "loss": "poisson_nll"} | activation("gelu"), tables[2]),
        (REGRESSION | {"dataset": SPIRALS, "loss": "cross_entropy", "precision": "float64"}, tables[2]),
        (REGRESSION | {"dataset": SPIRALS, "loss": "mse"} | activation("elu", batch_norm=True), tables[2]),
        (REGRESSION | {"dataset": MOONS, "loss": "binary_cross_entropy", "model": "linear"}, tables[2]),
        (REGRESSION | {"dataset": IMAGES | {"standardize": True}, "loss": "hinge", "model": CNN}, images),
    ]
    folders: dict[Path, np.ndarray] = {}
    expected: dict[Path, np.ndarray] = {}
    for number, (config, inputs) in enumerate(cases):
        run = laboratory.start(config | {"epochs": 2})
        folder = laboratory.folder / f"export{number}"
        written = export(run.path, folder, ["safetensors", "torch"])
        assert {file.name for file in written.files} == {*MODEL_FILES, "model.pt2"}
        arrays = predict(run.path, inputs).arrays
        folders[folder] = inputs
        expected[folder] = next(arrays[n] for n in ("probabilities", "outputs", "prediction") if n in arrays)
    for folder, (program, weights) in run_alone(folders).items():
        np.testing.assert_allclose(program, expected[folder], **CLOSE, err_msg=str(folder))
        np.testing.assert_allclose(weights, expected[folder], **CLOSE, err_msg=str(folder))


def test_onnx_gives_the_runs_own_predictions(laboratory: Laboratory, images: np.ndarray) -> None:
    for number, (dataset, loss, inputs) in enumerate(
        [
            (SCALED, "mse", np.random.default_rng(1).normal(size=(9, 4)).astype(np.float32)),
            (IMAGES, "binary_cross_entropy", images),
        ]
    ):
        run = laboratory.start(REGRESSION | {"dataset": dataset, "loss": loss, "epochs": 2})
        folder = laboratory.folder / f"onnx{number}"
        export(run.path, folder, ["onnx"])
        session = onnxruntime.InferenceSession(str(folder / "model.onnx"))
        arrays = predict(run.path, inputs).arrays
        wanted = arrays["prediction" if loss == "mse" else "probabilities"]
        for count in (1, len(inputs)):  # exported for any number of samples
            (found,) = session.run(None, {"inputs": inputs[:count]})
            np.testing.assert_allclose(found, wanted[:count], **CLOSE)
        assert [one.name for one in session.get_outputs()] == ["predictions"]


def test_a_program_takes_any_number_of_samples(laboratory: Laboratory) -> None:
    run = laboratory.start(REGRESSION | {"epochs": 1})
    export(run.path, laboratory.folder / "out", ["torch"])
    program = torch.export.load(laboratory.folder / "out" / "model.pt2").module()
    for count in (1, 2, 3000):
        assert program(torch.zeros(count, 4)).shape == (count, 1)


def test_the_architecture_beside_the_weights(laboratory: Laboratory) -> None:
    lines = [f"{i % 7},{('red', 'blue')[i % 2]},{('low', 'high')[i % 3 // 2]}" for i in range(60)]
    (laboratory.folder / "t.csv").write_text("\n".join(["size,colour,level", *lines]))
    dataset = {"name": "csv", "path": "t.csv", "target": "level", "encode": "one_hot", "standardize": True}
    run = laboratory.start(REGRESSION | {"dataset": dataset, "loss": "binary_cross_entropy", "seeds": [4, 6]})
    written = export(run.path, laboratory.folder / "out", seed=6)
    assert {file.name for file in written.files} == MODEL_FILES
    facts = json.loads((laboratory.folder / "out" / "model.json").read_text())
    assert facts["input"]["columns"] == ["size", "colour=blue", "colour=red"]
    assert facts["input"]["shape"] == [3]
    assert len(facts["input"]["mean"]) == 3
    assert (facts["classes"], facts["seed"], facts["task"]) == (["high", "low"], 6, "binary")
    assert facts["model"] | {"hidden": [8], "activation": "tanh"} == facts["model"]
    readme = (laboratory.folder / "out" / "README.md").read_text()
    for word in ("seed 6", "size, colour=blue, colour=red", "The probability of class 1 (low)"):
        assert word in readme


def test_the_history_for_other_programs(laboratory: Laboratory) -> None:
    run = laboratory.start(REGRESSION | {"seeds": 2})
    written = export(run.path, laboratory.folder / "out", ["csv", "tensorboard"])
    assert [file.name for file in written.files] == ["history.csv", "events"]
    recorded = history.read(run.history_path).rows
    rows = list(csv.DictReader((laboratory.folder / "out" / "history.csv").read_text().splitlines()))
    assert [{name: float(value) for name, value in row.items()} for row in rows] == [dict(row) for row in recorded]
    events = EventAccumulator(str(laboratory.folder / "out" / "events" / "seed1"))
    events.Reload()
    losses = [np.float32(row["val_loss"]) for row in recorded if row["seed"] == 1]
    assert [scalar.value for scalar in events.Scalars("val/loss")] == losses


class Own(nn.Module):
    """A model whose path depends on values, which no program can record."""

    def __init__(self, input_shape: tuple[int, ...], output_size: int, twice: bool = False) -> None:
        super().__init__()
        self.layer = nn.Linear(input_shape[0], output_size)
        self.twice = twice

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.layer(inputs)
        return 2 * outputs if self.twice and float(outputs.detach().sum()) > 1e6 else outputs


def test_a_model_of_ones_own(laboratory: Laboratory) -> None:
    recordable, unrecordable = (
        laboratory.start(REGRESSION | {"model": {"name": f"{__name__}:Own", "twice": twice}, "epochs": 1})
        for twice in (False, True)
    )
    inputs = np.ones((3, 4), np.float32)
    folder = laboratory.folder / "weights"
    written = export(recordable.path, folder, ["safetensors", "torch"])
    assert any("its code is not" in note for note in written.notes)
    program = torch.export.load(folder / "model.pt2").module()
    np.testing.assert_allclose(program(torch.from_numpy(inputs)), predict(recordable.path, inputs).arrays["prediction"])
    code = blocks(folder)[1]
    assert f"from {__name__} import Own\n\nmodel = Own((4,), 1, twice=False)" in code
    assert "is code of your own" in (folder / "README.md").read_text()
    for wanted in ("torch", "onnx"):
        with pytest.raises(UsageError, match="cannot be exported as a program"):
            export(unrecordable.path, laboratory.folder / "none", [wanted])
    assert not (laboratory.folder / "none").exists()
    export(unrecordable.path, laboratory.folder / "weights_alone")


def test_nothing_is_overwritten(laboratory: Laboratory) -> None:
    run = laboratory.start(REGRESSION | {"epochs": 1})
    export(run.path, laboratory.folder / "out", ["csv"])
    export(run.path, laboratory.folder / "out")
    for formats, name in ((["safetensors"], "model.json"), (["csv"], "history.csv")):
        file = laboratory.folder / "out" / name
        file.write_text(mine := f"{file.read_text()} ")
        with pytest.raises(RunError, match=rf"{name} already exists, and nothing is overwritten"):
            export(run.path, laboratory.folder / "out", formats)
        assert file.read_text() == mine
    with pytest.raises(UsageError, match="expected one of safetensors, torch, onnx, csv, tensorboard"):
        export(run.path, laboratory.folder / "out", ["keras"])


def test_an_export_that_was_stopped_can_be_given_again(laboratory: Laboratory) -> None:
    run = laboratory.start(REGRESSION | {"epochs": 1})
    formats = ["safetensors", "csv", "tensorboard"]
    whole = export(run.path, laboratory.folder / "whole", formats)
    for place in range(len(whole.files)):
        folder = laboratory.folder / str(place)
        folder.mkdir()
        for file in whole.files[:place]:
            shutil.copy(file, folder)
        export(run.path, folder, formats)
        assert sorted(one.name for one in folder.iterdir()) == sorted(one.name for one in whole.files)
    with pytest.raises(RunError, match="events already exists"):
        export(run.path, laboratory.folder / "whole", ["tensorboard"])


@pytest.mark.parametrize(
    ("wanted", "module", "extra"),
    [("onnx", "onnxscript", "onnx"), ("tensorboard", "tensorboard.summary.writer.record_writer", "tensorboard")],
)
def test_a_missing_package_is_told(
    laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch, wanted: str, module: str, extra: str
) -> None:
    run = laboratory.start(REGRESSION | {"epochs": 1})
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UsageError, match=rf'pip install "lossrun\[{extra}\]"'):
        export(run.path, laboratory.folder / "out", [wanted])


def test_formats_are_those_of_the_command_line() -> None:
    from lossrun.arguments import ExportFormat

    assert tuple(ExportFormat) == exporting.FORMATS
