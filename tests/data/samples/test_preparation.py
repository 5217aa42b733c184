"""What training made of the form of the data survives JSON to the last digit, and is all that new samples need."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lossrun.data import Data
from lossrun.data.samples.preparation import Preparation, preparation_of
from lossrun.data.tables.table_file import read_table
from lossrun.errors import DataError

ROWS = [f"{1_700_000_000 + 7 * i}.25;{['red', 'NA', '', 'blue'][i % 4]};{i % 5 or '?'};{i / 3}" for i in range(40)]


@pytest.fixture
def data(loaded: Callable[..., Data], tmp_path: Path) -> Data:
    (tmp_path / "t.csv").write_text("\n".join(["when;colour;n;y", *ROWS]).replace(".", ","))
    keys: dict[str, Any] = {"delimiter": ";", "decimal": ",", "missing_values": ["?"], "missing": "mean"}
    both = {"inputs": True, "targets": True}
    return loaded("csv", path="t.csv", target="y", encode="one_hot", standardize=both, **keys)


def through_json(form: Preparation) -> Preparation:
    return Preparation.from_json(json.loads(json.dumps(form.to_json())))


def test_new_samples_get_the_form_of_the_data(data: Data, tmp_path: Path) -> None:
    form = through_json(preparation_of(data))
    assert form.input_names == ("when", "colour=(empty)", "colour=NA", "colour=blue", "colour=red", "n")
    assert form.targets == ("y",)
    (tmp_path / "new.csv").write_text("\n".join(["colour;y;n;when;other", *(_turned(row) for row in ROWS)]))
    table = read_table(tmp_path / "new.csv", form.delimiter, form.form, header=form.header)
    inputs = form.inputs_of(table)[data.train.ids]
    assert np.array_equal(inputs, data.train.inputs)
    scaled = form.input_scaling.apply(inputs)
    assert np.array_equal(scaled, data.input_scaling.apply(data.train.inputs))
    assert np.array_equal(form.target_scaling.std, data.target_scaling.std)


def _turned(row: str) -> str:
    when, colour, n, y = row.replace(".", ",").split(";")
    return f"{colour};{y};{n};{when};0"


def test_words_that_training_had_none_of(data: Data, tmp_path: Path) -> None:
    form = through_json(preparation_of(data))
    (tmp_path / "new.csv").write_text("when;colour;n\n1;green;2\n")
    with pytest.raises(
        DataError, match=r"new\.csv:2: column colour: 'green' did not occur in training; .* \(empty\), NA"
    ):
        form.inputs_of(read_table(tmp_path / "new.csv", ";", form.form))


def test_images_and_arrays(loaded: Callable[..., Data], tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 4, 4), np.uint8)
    np.savez(tmp_path / "t.npz", pictures=pixels, label=np.array(["cat", "dog"] * 10))
    form = through_json(preparation_of(loaded("npz", path="t.npz", target="label")))
    assert (form.arrays, form.targets, form.dtype) == (("pictures",), ("label",), "uint8")
    assert (form.classes, form.task, form.input_shape) == (("cat", "dog"), "binary", (1, 4, 4))
    assert form.input_scaling.std == 255
    assert form.means is None
