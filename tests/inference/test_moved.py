"""A run that has moved, and whose data and code have gone: prediction needs neither, and what needs them finds them."""

import gzip
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lossrun
from lossrun.errors import DataError, RunError
from lossrun.records import recorded
from tests.data.sources.test_images import idx

pytestmark = pytest.mark.usefixtures("no_settings_are_tried")

CSV: dict[str, Any] = {"name": "csv", "path": "data/t.csv", "target": "price"}
NPZ: dict[str, Any] = {"name": "npz", "path": "data/a.npz", "target": "y", "task": "regression"}
TABLE = "size,colour,price\n" + "".join(
    f"{size},{('red', 'green', 'blue')[size % 3]},{1.5 * size + size % 7}\n" for size in range(60)
)
HOLES = TABLE.replace("7,green", ",green")
OWN = """\
import numpy as np
import torch
from torch import nn

import lossrun
from sibling import width


def points(samples=80):
    inputs = np.random.default_rng(0).normal(size=(samples, 3)).astype(np.float32)
    return lossrun.Dataset(train=(inputs, inputs.sum(axis=1) + 5), task="regression")


def network(input_shape, output_size):
    return nn.Sequential(nn.Linear(input_shape[0], width), nn.Tanh(), nn.Linear(width, output_size))


def pinball(outputs, targets, q=0.7):
    errors = targets - outputs
    return torch.maximum(q * errors, (q - 1) * errors).mean(dim=1)
"""
STANDARD = {"inputs": True, "targets": True}
NUMBERS = [[2.0, 1.0, 0.5], [-1.0, 0.0, 3.0]]
MLP: dict[str, Any] = {"name": "mlp", "hidden": [5]}

# Of each: what differs from the usual config, and new samples: a file's text, or an array.
KINDS: dict[str, tuple[dict[str, Any], str | list[list[float]] | str]] = {
    "csv": (
        {
            "dataset": {
                "name": "csv",
                "path": "data/t.csv",
                "target": "price",
                "encode": "one_hot",
                "standardize": STANDARD,
            }
        },
        "colour,size\nblue,4\nred,50\n",
    ),
    "csv with gaps": (
        {"dataset": {"name": "csv", "path": "data/h.csv", "target": "price", "drop": ["colour"], "missing": "mean"}},
        "size\n4\n\n9\n",
    ),
    "csv of classes": (
        {"dataset": {"name": "csv", "path": "data/t.csv", "target": "colour"}, "loss": "cross_entropy"},
        "size,price\n4,7\n50,80\n",
    ),
    "npz": (
        {
            "dataset": {
                "name": "npz",
                "path": "data/a.npz",
                "target": "y",
                "task": "regression",
                "standardize": STANDARD,
            }
        },
        NUMBERS,
    ),
    "npz of large numbers": (
        {
            "dataset": {
                "name": "npz",
                "path": "data/wide.npz",
                "target": "y",
                "task": "regression",
                "standardize": STANDARD,
            }
        },
        [[1.7e9 + 10], [1.7e9 + 250]],
    ),
    "inline": (
        {"dataset": {"name": "inline", "inputs": [[1], [2], [3], [4]], "targets": [3.5, 5, 7, 9]}},
        [[2.5], [8]],
    ),
    "synthetic": ({"dataset": {"name": "synthetic_regression", "samples": 60, "features": 3}}, NUMBERS),
    "spirals": (
        {"dataset": {"name": "synthetic_classification", "kind": "spirals", "samples": 90}, "loss": "cross_entropy"},
        [[0.5, -0.5], [1, 0.2]],
    ),
    "a split for each seed": (
        {
            "dataset": {
                "name": "csv",
                "path": "data/t.csv",
                "target": "price",
                "drop": ["colour"],
                "split_seed": "seed",
                "standardize": STANDARD,
            },
            "seeds": 2,
        },
        "size\n4\n",
    ),
    "balanced classes": (
        {
            "dataset": {"name": "csv", "path": "data/t.csv", "target": "colour"},
            "loss": {"name": "cross_entropy", "class_weights": "balanced"},
        },
        "size,price\n4,7\n50,80\n",
    ),
    "own": ({"dataset": "own:points", "model": "own:network", "loss": "own:pinball"}, NUMBERS),
    "own model": (
        {
            "dataset": {**CSV, "drop": ["colour"]},
            "model": "own:network",
        },
        "size\n4\n",
    ),
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "t.csv").write_text(TABLE)
    (folder / "data" / "h.csv").write_text(HOLES)
    generator = np.random.default_rng(1)
    inputs = generator.normal(size=(60, 3))
    np.savez(folder / "data" / "a.npz", x=inputs, y=inputs @ [1, 2, 3])
    seconds = 1.7e9 + 10 * np.arange(60.0)[:, np.newaxis]
    np.savez(folder / "data" / "wide.npz", x=seconds, y=np.sin(np.arange(60.0)))
    (folder / "own.py").write_text(OWN)
    (folder / "sibling.py").write_text("width = 4\n")
    return folder


def trained(folder: Path, changes: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch) -> Path:
    usual = {"model": MLP, "loss": "mse", "optimizer": "adam", "learning_rate": 0.01, "epochs": 2, "device": "cpu"}
    monkeypatch.chdir(folder)
    run = lossrun.train({**usual, **changes}, runs_dir=folder / "runs").path
    monkeypatch.chdir(folder.parent)
    return run


def predicted(run: Path, new: Any) -> np.ndarray:
    if isinstance(new, str):
        (run.parent.parent.parent / "new.csv").write_text(new)
        new = run.parent.parent.parent / "new.csv"
    found = lossrun.predict(run, new).arrays
    return np.asarray(found.get("probabilities", found["prediction"]))


def moved(run: Path) -> Path:
    """The project moved, and without its data and its code."""
    folder = run.parent.parent
    other = folder.with_name("elsewhere") / "deeper"
    other.parent.mkdir()
    shutil.move(folder, other)
    shutil.rmtree(other / "data")
    for name in ("own.py", "sibling.py"):
        (other / name).unlink()
    return other / "runs" / run.name


@pytest.mark.filterwarnings("ignore::UserWarning")  # what is said of small data, and that own code is not exported
@pytest.mark.parametrize("kind", KINDS)
def test_predictions_need_neither_data_nor_code(project: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    changes, new = KINDS[kind]
    run = trained(project, changes, monkeypatch)
    before = predicted(run, new)
    exported = [lossrun.export(run, run.parent.parent.parent / "before", ["safetensors", "torch"])]
    again = moved(run)
    np.testing.assert_array_equal(predicted(again, new), before)
    exported.append(lossrun.export(again, again.parents[3] / "after", ["safetensors", "torch"]))
    for one, other in zip(*exported, strict=True):
        assert one.name == other.name
        if one.suffix in (".safetensors", ".json", ".md"):
            assert one.read_bytes() == other.read_bytes()
    if changes["dataset"] == "own:points" or changes["dataset"]["name"] in ("csv", "npz"):
        if changes["dataset"] != "own:points":
            with pytest.raises(DataError, match=r"is in none of .*--data-dir"):
                lossrun.evaluate(again)
            with pytest.raises(DataError, match=r"--set dataset\.path="):
                lossrun.resume(again, overrides=["epochs=3"])
    else:
        assert lossrun.evaluate(again, split="train").seeds
        assert lossrun.resume(again, overrides=["epochs=3"]).status == "finished"


PLACES = ["moved along", "next to the run", "above the run", "the current folder", "--data-dir", "--data-dir by name"]


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("absolute", [False, True])
def test_data_are_found_where_they_are(
    project: Path, monkeypatch: pytest.MonkeyPatch, place: str, absolute: bool
) -> None:
    dataset = dict(KINDS["csv"][0]["dataset"])
    if absolute:
        dataset["path"] = str(project / dataset["path"])
    run = trained(project, {"dataset": dataset}, monkeypatch)
    before = lossrun.evaluate(run).seeds
    again = moved(run)
    current = again.parents[3] / "current"
    current.mkdir()
    monkeypatch.chdir(current)
    data_dir = None
    folder = {
        "moved along": again.parents[1] / "data",
        "next to the run": again.parent,
        "above the run": again.parents[1],
        "the current folder": current,
        "--data-dir": current.with_name("store") / "data",
        "--data-dir by name": current.with_name("store"),
    }[place]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "t.csv").write_text(TABLE)
    if place.startswith("--data-dir"):
        data_dir = current.with_name("store")
    if absolute and folder.name == "data":
        (folder.parent / "t.csv").write_text(TABLE)  # of an absolute path the name alone is looked for
    assert lossrun.evaluate(again, data_dir=data_dir).seeds == before
    resumed = lossrun.resume(again, overrides=["epochs=3"], data_dir=data_dir)
    assert resumed.status == "finished"
    if data_dir is None or place == "--data-dir":
        assert lossrun.evaluate(again, data_dir=data_dir).split == "test"
    # What was resumed equals what was never moved.
    project.mkdir(exist_ok=True)
    (project / "data").mkdir(exist_ok=True)
    (project / "data" / "t.csv").write_text(TABLE)
    straight = trained(project, {"dataset": dataset, "epochs": 3}, monkeypatch)
    assert recorded.load(straight).history.rows.column("val_loss") == resumed.history.rows.column("val_loss")


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("other", [TABLE + "61,red,99\n", "rooms,colour,rent\n1,red,2\n", "", TABLE.replace(",", ";")])
@pytest.mark.parametrize("place", ["moved along", "current folder"])
def test_another_file_of_that_name_is_passed_over(
    project: Path, monkeypatch: pytest.MonkeyPatch, place: str, other: str
) -> None:
    run = trained(project, KINDS["csv"][0], monkeypatch)
    before = lossrun.evaluate(run).seeds
    again = moved(run)
    decoys, right = [again.parents[1] / "data", again.parent], again.parents[1]
    if place == "current folder":
        right = project.with_name("current") / "data"
        monkeypatch.chdir(project.parent)
        right.mkdir(parents=True)
        decoys.append(again.parents[1])
        monkeypatch.chdir(right.parent)
    for decoy in decoys:
        decoy.mkdir(exist_ok=True)
        (decoy / "t.csv").write_text(other)
    (right / "t.csv").write_text(TABLE)
    assert lossrun.evaluate(again).seeds == before
    assert lossrun.resume(again, overrides=["epochs=3"]).status == "finished"
    assert lossrun.evaluate(again).split == "test"


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_path_given_to_resume_is_remembered(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = trained(project, KINDS["csv"][0], monkeypatch)
    (project.parent / "else.csv").write_text(TABLE)
    (project / "data" / "t.csv").unlink()
    lossrun.resume(run, overrides=["dataset.path=else.csv", "epochs=3"])  # relative to the current folder
    assert lossrun.evaluate(run).split == "test"
    assert lossrun.resume(run, overrides=["epochs=4"]).status == "finished"


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_changed_data_are_refused_by_what_needs_them(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changes, new = KINDS["csv"]
    run = trained(project, changes, monkeypatch)
    before = predicted(run, new)
    (project / "data" / "t.csv").write_text(TABLE + "61,red,99\n")
    np.testing.assert_array_equal(predicted(run, new), before)
    lossrun.export(run, project.parent / "exported")
    with pytest.raises(DataError, match=r"train .*data are not the data"):
        lossrun.evaluate(run)
    with pytest.raises(DataError, match="data are not those"):
        lossrun.resume(run, overrides=["epochs=3"])


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", ["preparation.json", "source/own.py", "source/sibling.py"])
def test_what_the_run_keeps_is_held_against_its_digest(
    project: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    changes, new = KINDS["own model"]
    again = moved(trained(project, changes, monkeypatch))
    path = again / name
    path.write_text(path.read_text() + " ")
    with pytest.raises(RunError, match=rf"{path.name}: .* digest"):
        predicted(again, new)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_copy_of_the_code_is_said_to_be_used(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changes, _ = KINDS["own"]
    run = trained(project, changes, monkeypatch)
    assert not any("copy" in text for text in lossrun.predict(run, NUMBERS).notes)
    again = moved(run)
    assert any(f"the copy in {again.resolve() / 'source'}" in text for text in lossrun.predict(again, NUMBERS).notes)
    assert lossrun.evaluate(again).seeds  # the copy makes the data as well
    resumed = lossrun.resume(again, overrides=["epochs=3"])
    assert resumed.status == "finished"


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_images_are_predicted_without_the_image_set(mnist_dir: Path, tmp_path: Path) -> None:
    config = {
        "dataset": "mnist",
        "model": {"name": "linear"},
        "loss": "cross_entropy",
        "optimizer": "sgd",
        "learning_rate": 0.1,
        "epochs": 1,
        "batch_size": 6000,
        "device": "cpu",
    }
    copy = tmp_path / "images"
    shutil.copytree(mnist_dir / "mnist", copy / "mnist")
    run = lossrun.train(config, runs_dir=tmp_path / "runs", data_dir=copy).path
    new = np.random.default_rng(0).integers(0, 256, (3, 28, 28), dtype=np.uint8)
    (tmp_path / "new.gz").write_bytes(gzip.compress(idx(new)))
    before = lossrun.predict(run, tmp_path / "new.gz").arrays["probabilities"]
    shutil.rmtree(copy)
    np.testing.assert_array_equal(lossrun.predict(run, tmp_path / "new.gz").arrays["probabilities"], before)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_module_of_that_name_elsewhere_is_not_taken_for_the_run_s(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes, _ = KINDS["own"]
    run = trained(project, changes, monkeypatch)
    before = lossrun.predict(run, NUMBERS).arrays["prediction"]
    again = moved(run)
    current = again.parents[3] / "current"
    current.mkdir()
    (current / "own.py").write_text("raise SystemExit('somebody else')\n")
    monkeypatch.chdir(current)
    np.testing.assert_array_equal(lossrun.predict(again, NUMBERS).arrays["prediction"], before)
    (current / "own.py").write_text(OWN)
    (current / "sibling.py").write_text("width = 4\n")
    found = lossrun.predict(again, NUMBERS)
    np.testing.assert_array_equal(found.arrays["prediction"], before)
    assert not any("copy" in text for text in found.notes)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_copy_is_of_the_code_that_the_run_was_resumed_with(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changes, new = KINDS["own model"]
    run = trained(project, changes, monkeypatch)
    (project / "own.py").write_text(OWN.replace("nn.Tanh()", "nn.ReLU()"))
    lossrun.resume(run, overrides=["epochs=3"])
    before = predicted(run, new)
    np.testing.assert_array_equal(predicted(moved(run), new), before)


EDITS = {
    "another activation": lambda folder: edited(folder / "own.py", "nn.Tanh()", "nn.ReLU()"),
    "another width": lambda folder: edited(folder / "sibling.py", "4", "7"),
    "a comment": lambda folder: edited(folder / "own.py", "import torch\n", "import torch  # 2.13\n"),
    "half written": lambda folder: edited(folder / "own.py", "):", "(:"),
    "a neighbour gone": lambda folder: (folder / "sibling.py").unlink(),
    "gone": lambda folder: (folder / "own.py").unlink(),
}


def edited(path: Path, old: str, new: str) -> None:
    path.write_text(path.read_text().replace(old, new))


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("kind", ["own model", "own"])
def test_a_model_is_asked_with_the_code_that_it_was_trained_with(
    project: Path, monkeypatch: pytest.MonkeyPatch, kind: str, edit: str
) -> None:
    changes, new = KINDS[kind]
    run = trained(project, changes, monkeypatch)
    before, scores = predicted(run, new), lossrun.evaluate(run).seeds
    EDITS[edit](project)
    np.testing.assert_array_equal(predicted(run, new), before)
    assert lossrun.evaluate(run).seeds == scores
    assert lossrun.export(run, project.parent / "exported")
