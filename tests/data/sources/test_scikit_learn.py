import sys
from collections.abc import Callable

import pytest

from lossrun.catalog.datasets import DATASETS
from lossrun.catalog.declaration import DatasetDeclaration
from lossrun.data import Data
from lossrun.data.sources.scikit_learn import read_scikit_learn
from lossrun.errors import DataError


def test_digits_are_scaled_to_the_unit_interval(loaded: Callable[..., Data]) -> None:
    data = loaded("digits")
    scaled = data.input_scaling.apply(data.train.inputs)
    assert (scaled.min(), scaled.max()) == (0, 1)


def test_class_names_come_along() -> None:
    source = read_scikit_learn("breast_cancer")
    assert source.classes == ("malignant", "benign")
    # 357 of the 569 are benign, says scikit-learn's description.
    assert source.train.targets.sum() == 357


def test_without_scikit_learn_the_way_to_install_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(DataError, match="pip install scikit-learn"):
        read_scikit_learn("wine")


@pytest.mark.parametrize("declared", [d for d in DATASETS if d.reader == "scikit_learn"], ids=lambda d: d.name)
def test_samples_are_as_declared(declared: DatasetDeclaration) -> None:
    source = read_scikit_learn(declared.name)
    assert (source.task, source.target_size, source.classes) == (declared.task, declared.target_size, declared.classes)
    assert (len(source.train), source.train.inputs.shape[1:]) == (declared.count, declared.input_shape)
