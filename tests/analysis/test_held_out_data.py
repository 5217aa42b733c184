import gzip
from dataclasses import replace

import numpy as np
import pytest

from lossrun.analysis.held_out_data import HeldOutData
from lossrun.config import from_mapping
from lossrun.data.load import load
from lossrun.data.sources import images

ROWS = {"rows": lambda epoch, seed: {"val_loss": 1.0 / epoch}}


@pytest.fixture
def pictured(make_run, tmp_path):
    """A run on 40 images of 6 x 5 bytes, the inputs too."""
    pixels = np.random.default_rng(0).integers(0, 256, (40, 1, 6, 5), np.uint8)
    np.savez(tmp_path / "images.npz", inputs=pixels, targets=np.arange(40) % 2)
    dataset = {"name": "npz", "path": "images.npz", "target": "targets", "task": "binary"}
    settings = {"dataset": dataset, "model": "mlp", "loss": "hinge", "optimizer": "sgd", "learning_rate": 0.1}
    config = from_mapping(settings, tmp_path).config.to_mapping()["dataset"]
    parameters = {key: value for key, value in config.items() if key != "name"}
    data = load("npz", parameters, config_dir=tmp_path, data_dir=tmp_path)
    environment = {"data_dir": str(tmp_path), "directory": str(tmp_path), "data": data.hashes}
    return make_run("pictured", **ROWS, config={"dataset": config}, environment=environment), data, pixels


def test_the_images_are_those_that_were_scored(pictured):
    run, data, pixels = pictured
    wanted = data.test.ids[[3, 1]].tolist()
    found = HeldOutData().images(run, "test", wanted)
    assert sorted(found) == sorted(wanted)
    for identity, image in found.items():
        np.testing.assert_array_equal(image, pixels[identity, 0])


def test_data_that_have_changed_are_not_shown(pictured, tmp_path):
    run, data, pixels = pictured
    np.savez(tmp_path / "images.npz", inputs=255 - pixels, targets=np.arange(40) % 2)
    assert HeldOutData().images(run, "test", data.test.ids.tolist()) == {}
    (tmp_path / "images.npz").unlink()
    assert HeldOutData().images(run, "test", data.test.ids.tolist()) == {}


def test_an_official_image_is_found_by_its_row(make_run, mnist_dir):
    settings = {"dataset": "mnist", "model": "mlp", "loss": "mse", "optimizer": "sgd", "learning_rate": 0.1}
    dataset = from_mapping(settings, mnist_dir).config.to_mapping()["dataset"]
    parameters = {key: value for key, value in dataset.items() if key != "name"}
    hashes = load("mnist", parameters, config_dir=mnist_dir, data_dir=mnist_dir).hashes
    environment = {"data_dir": str(mnist_dir), "data": hashes}
    run = make_run(**ROWS, config={"dataset": dataset}, environment=environment)
    packed = next((mnist_dir / "mnist").glob("t10k-images-idx3-ubyte*"))
    opener = gzip.open if packed.suffix == ".gz" else open
    with opener(packed) as file:
        # The IDX format: 16 bytes of header, then 28 x 28 bytes for each image.
        content = file.read()
    found = HeldOutData().images(run, "test", [9999, 7])
    assert sorted(found) == [7, 9999]
    for row, image in found.items():
        assert image.tobytes() == content[16 + 784 * row : 16 + 784 * (row + 1)]


def test_nothing_is_downloaded(make_run, tmp_path, monkeypatch):
    monkeypatch.setattr(images, "download", lambda *_: pytest.fail("a download was tried"))
    run = make_run(**ROWS, config={"dataset": {"name": "mnist"}}, environment={"data_dir": str(tmp_path)})
    assert HeldOutData().images(run, "test", [1]) == {}
    # Published names need no data.
    assert HeldOutData().classes(run) == tuple("0123456789")


def test_a_users_own_dataset_is_not_run(make_run, tmp_path):
    (tmp_path / "mine.py").write_text("raise SystemExit('executed')\n")
    environment = {"data_dir": str(tmp_path), "directory": str(tmp_path)}
    run = make_run(**ROWS, config={"dataset": {"name": "mine:dataset"}}, environment=environment)
    assert HeldOutData().images(run, "test", [1]) == {}
    assert HeldOutData().classes(run) == ()


def test_a_run_that_does_not_say_where_its_data_lie_has_no_images(pictured):
    run, data, _ = pictured
    elsewhere = replace(run, environment={"data": data.hashes})
    assert HeldOutData().images(elsewhere, "test", data.test.ids.tolist()) == {}
