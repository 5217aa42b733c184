"""Parameters as validation would hand them over: every default filled in."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lossrun.catalog import get
from lossrun.catalog.dataset_parameters import SPLITS
from lossrun.catalog.parameter import REQUIRED
from lossrun.data import Data, load

CORRUPT = {"label_noise": 0.0, "outliers": 0.0, "outlier_scale": 10.0, "seed": 0}


def filled(name: str, **given: Any) -> dict[str, Any]:
    keys = SPLITS if ":" in name else get("dataset", name).parameters
    defaults = {key.name: key.default for key in keys if key.default is not REQUIRED}
    if given.get("corrupt"):
        given["corrupt"] = CORRUPT | given["corrupt"]
    return defaults | given


@pytest.fixture(name="filled")
def filled_fixture() -> Callable[..., dict[str, Any]]:
    return filled


@pytest.fixture
def loaded(tmp_path: Path) -> Callable[..., Data]:
    """`load` with defaults filled in; the config's folder is tmp_path, the data folder tmp_path/data."""

    def call(
        name: str, *, seed: int = 0, data_dir: Path | None = None, precision: str = "float32", **given: Any
    ) -> Data:
        return load(
            name,
            filled(name, **given),
            config_dir=tmp_path,
            data_dir=data_dir or tmp_path / "data",
            seed=seed,
            precision=precision,
        )

    return call
