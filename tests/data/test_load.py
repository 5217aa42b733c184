import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lossrun.data import Data, default_data_dir
from lossrun.errors import DataError

STANDARDIZE = {"inputs": True, "targets": False}


def test_every_part_keeps_its_rows(loaded: Callable[..., Data]) -> None:
    data = loaded("synthetic_regression", samples=100, kind="linear", features=1, noise={"name": "none"})
    assert data.validation is not None
    assert data.test is not None
    assert (len(data.train), len(data.validation), len(data.test)) == (72, 8, 20)
    whole = loaded("synthetic_regression", samples=100, kind="linear", features=1, noise={"name": "none"}, test=0)
    assert whole.validation is not None
    for part in (data.train, data.validation, data.test):
        for source in (whole.train, whole.validation):
            both, here, there = np.intersect1d(part.ids, source.ids, return_indices=True)
            assert len(both)
            assert np.array_equal(part.inputs[here], source.inputs[there])
            assert np.array_equal(part.targets[here], source.targets[there])


def test_the_runs_seed_splits_only_when_asked(loaded: Callable[..., Data]) -> None:
    assert loaded("wine", seed=1).hashes == loaded("wine", seed=2).hashes
    tied = [loaded("wine", split_seed="seed", seed=seed).hashes for seed in (1, 2, 1)]
    assert tied[0] == tied[2]
    assert tied[0] != tied[1]
    assert loaded("wine", split_seed=1).hashes == tied[0]


def test_corruption_touches_training_targets_alone(loaded: Callable[..., Data]) -> None:
    clean, noisy = (loaded("wine", standardize=STANDARDIZE, corrupt=c) for c in (None, {"label_noise": 0.5}))
    assert {name for name in clean.hashes if clean.hashes[name] != noisy.hashes[name]} == {"train"}
    assert np.array_equal(clean.train.inputs, noisy.train.inputs)
    assert (clean.train.targets != noisy.train.targets).sum() == round(0.5 * len(clean.train))
    assert noisy.done == ("50.0 % of the training labels replaced",)


def test_too_few_samples_for_outliers_are_told_apart_from_constant_targets(loaded: Callable[..., Data]) -> None:
    with pytest.raises(DataError, match="use more samples"):
        loaded("synthetic_regression", samples=3, corrupt={"outliers": 0.5})


def test_hashes_see_every_number(loaded: Callable[..., Data]) -> None:
    first = loaded("inline", inputs=[1, 2], targets=[0.5, 1]).hashes
    assert set(first) == {"train"}
    assert first == loaded("inline", inputs=[1, 2], targets=[0.5, 1]).hashes
    assert first != loaded("inline", inputs=[1, 2], targets=[0.5, 1.0000001]).hashes
    assert first != loaded("inline", inputs=[[1, 2], [3, 4]], targets=[0.5, 1]).hashes


def test_scalings_are_fitted_on_the_training_part(loaded: Callable[..., Data]) -> None:
    data = loaded("diabetes", standardize={"inputs": True, "targets": True})
    assert data.validation is not None
    scaled = data.input_scaling.apply(data.train.inputs)
    assert scaled.mean(axis=0) == pytest.approx(0, abs=1e-6)
    assert scaled.std(axis=0) == pytest.approx(1, abs=1e-6)
    assert abs(data.input_scaling.apply(data.validation.inputs).mean(axis=0)).max() > 0.01
    assert data.target_scaling.mean.tolist() == [data.train.targets.mean(dtype=np.float64)]
    plain = loaded("diabetes")
    for identity in (plain.input_scaling, plain.target_scaling):
        assert (identity.mean, identity.std) == (0, 1)


def test_classes_are_not_standardized(loaded: Callable[..., Data]) -> None:
    with pytest.raises(DataError, match="only regression targets"):
        loaded("wine", standardize={"inputs": False, "targets": True})


def test_missing_cells_are_filled_from_the_training_part_only(loaded: Callable[..., Data], tmp_path: Path) -> None:
    cells = ["" if i % 4 == 0 else str(i * i) for i in range(40)]
    (tmp_path / "t.csv").write_text("a,y\n" + "".join(f"{cell},{i / 2}\n" for i, cell in enumerate(cells)))
    data = loaded("csv", path="t.csv", target="y", missing="mean", standardize=STANDARDIZE)
    mean = np.mean([i * i for i in data.train.ids if i % 4])
    for part in (data.train, data.validation, data.test):
        assert part is not None
        expected = [mean if i % 4 == 0 else i * i for i in part.ids]
        assert part.inputs.ravel() == pytest.approx(np.array(expected))
    assert data.notes == ("10 empty cells filled with the training mean of the column",)


def test_a_column_without_a_training_value_has_no_mean(loaded: Callable[..., Data], tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b,y\n" + "".join(f"{i},,{i / 2}\n" for i in range(10)))
    with pytest.raises(DataError, match="column b is empty in the whole training part"):
        loaded("csv", path="t.csv", target="y", missing="mean")


@pytest.mark.parametrize("cell", ["inf", "1e39"])
def test_the_first_number_that_is_not_finite_is_named(loaded: Callable[..., Data], tmp_path: Path, cell: str) -> None:
    (tmp_path / "t.csv").write_text(f"a,b,y\n1,2,0.5\n3,{cell},1\n5,6,2\n")
    with pytest.raises(DataError, match=rf"t\.csv:3: column b: {cell}; expected a finite number of at most 3.4e38"):
        loaded("csv", path="t.csv", target="y", validation=0, test=0)


def test_nan_in_arrays_is_refused(loaded: Callable[..., Data], tmp_path: Path) -> None:
    x = np.ones((3, 1, 4, 4))
    x[2, 0, 1, 3] = np.nan
    np.savez(tmp_path / "a.npz", x=x, y=[0.5, 1, 2])
    # By the place in the file, whichever part the sample would be drawn into.
    for split in ({"validation": 0, "test": 0}, {"validation": 1, "test": 1}):
        with pytest.raises(DataError, match=r"a\.npz: x\[2, 0, 1, 3\]: nan; expected a finite number"):
            loaded("npz", path="a.npz", target="y", **split)


def test_outliers_beyond_float32_are_refused(loaded: Callable[..., Data]) -> None:
    with pytest.raises(DataError, match=r"train targets: -?inf at row \d+ of the source"):
        loaded("synthetic_regression", samples=50, corrupt={"outliers": 0.5, "outlier_scale": 1e39})


def test_importing_the_room_is_cheap() -> None:
    heavy = "torch", "sklearn", "scipy", "requests", "rich"
    code = f"import sys, lossrun.data; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_data_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LOSSRUN_DATA_DIR", str(tmp_path))
    assert default_data_dir() == tmp_path
    monkeypatch.delenv("LOSSRUN_DATA_DIR")
    assert default_data_dir().name == "lossrun"


def test_a_users_arrays_are_left_as_they_are(loaded: Callable[..., Data], tmp_path: Path) -> None:
    """Others are sorted into their parts where they lie."""
    (tmp_path / "kept.py").write_text(
        "import numpy as np\nfrom lossrun.data import Dataset\n"
        "X = np.arange(40, dtype=np.float32).reshape(20, 2)\nY = np.arange(20, dtype=np.float32) / 7\n"
        "def make():\n    return Dataset(train=(X, Y))\n"
    )
    data = loaded("kept:make", validation=5, test=5)
    module = sys.modules["kept"]
    np.testing.assert_array_equal(module.X, np.arange(40, dtype=np.float32).reshape(20, 2))
    assert not np.shares_memory(data.train.inputs, module.X)
    for part in (data.train, data.validation, data.test):
        assert part is not None
        np.testing.assert_array_equal(part.inputs[:, 0], 2 * part.ids)
