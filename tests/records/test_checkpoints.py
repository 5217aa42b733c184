import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lossrun.errors import CheckpointError, RunError
from lossrun.records import checkpoint_headers, checkpoints
from lossrun.records.checkpoints import Checkpoint
from lossrun.records.files import durable
from tests.conftest import save_best, state_of

BEST = {"best": [{"seed": 0, "epoch": 1, "step": 1}]}
METADATA = state_of(469)  # with NaN and infinity in it


def save(directory: Path, step: int, state: Checkpoint, keep: int, **options: int) -> Path:
    facts = {**state.metadata, "step": step}
    return checkpoints.save(directory, step, Checkpoint(state.tensors, facts), keep, **options)


def checkpoint(value: float = 0.0, **metadata: object) -> Checkpoint:
    return Checkpoint({"model.weight": np.full((2, 3), value, np.float32)}, {**METADATA, **metadata})


def never(path: Path, reason: str) -> None:
    pytest.fail(f"skipped {path}: {reason}")


def steps(directory: Path) -> list[int]:
    return [int(path.name.split("-")[1]) for path in checkpoints.candidates(directory)]


def test_the_name_holds_the_step_and_the_beginning_of_the_digest(tmp_path):
    path = save(tmp_path, 469, checkpoint(), keep=3)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    assert path.name == f"step-00000469-{digest}.safetensors"
    assert list(tmp_path.iterdir()) == [path]


DTYPES = st.sampled_from([np.float32, np.float64, np.int64, np.uint8, np.uint16, np.bool_])


@settings(max_examples=50)
@given(DTYPES.flatmap(lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, min_side=0))))
def test_arrays_of_any_shape_type_and_memory_order_come_back_bit_for_bit(tmp_path_factory, array):
    arrays = {"plain": array, "transposed": array.T, "fortran": np.asfortranarray(array), "reversed": np.flip(array)}
    path = save(tmp_path_factory.mktemp("checkpoints"), 1, Checkpoint(arrays, METADATA), keep=2)
    read = checkpoints.read(path).tensors
    for name, expected in arrays.items():
        assert read[name].dtype == expected.dtype
        assert read[name].shape == expected.shape
        assert read[name].tobytes() == expected.tobytes()
        assert read[name].flags.writeable


def test_metadata_comes_back_with_the_format_version_and_from_the_header_alone(tmp_path):
    path = save(tmp_path, 469, checkpoint(), keep=3)
    expected = {**METADATA, "format_version": 3, "tensors": {"model.weight": "float32 [2, 3]"}}
    assert checkpoints.read(path).metadata == expected
    assert checkpoints.metadata(path) == expected


def test_the_newest_by_step_is_loaded(tmp_path):
    save(tmp_path, 99_999_999, checkpoint(1), keep=3)
    path = save(tmp_path, 100_000_000, checkpoint(2), keep=3)
    found, newest = checkpoints.load_newest(tmp_path, history_length=10**9, on_skip=never)
    assert found == path
    assert newest.tensors["model.weight"][0, 0] == 2


@pytest.mark.parametrize("where", [0, 8, 40, -1])
def test_a_flipped_bit_is_noticed_and_the_one_before_is_used_aloud(tmp_path, where):
    good = save(tmp_path, 1, checkpoint(1), keep=3)
    bad = save(tmp_path, 2, checkpoint(2), keep=3)
    data = bytearray(bad.read_bytes())
    data[where] ^= 1
    bad.write_bytes(data)
    skipped: list[tuple[Path, str]] = []
    path, loaded = checkpoints.load_newest(
        tmp_path, history_length=10**9, on_skip=lambda path, reason: skipped.append((path, reason))
    )
    assert (path, loaded.tensors["model.weight"][0, 0]) == (good, 1)
    assert [path for path, _ in skipped] == [bad]
    assert "damaged" in skipped[0][1]


def test_one_that_knew_of_more_history_is_skipped_aloud(tmp_path):
    older = save(tmp_path, 1, checkpoint(1, history_length=100), keep=3)
    newer = save(tmp_path, 2, checkpoint(2, history_length=101), keep=3)
    skipped: list[Path] = []
    path, _ = checkpoints.load_newest(tmp_path, history_length=100, on_skip=lambda path, _: skipped.append(path))
    assert (path, skipped) == (older, [newer])


def test_none_readable_is_an_error_that_names_each(tmp_path):
    paths = [save(tmp_path, step, checkpoint(step), keep=3) for step in (1, 2)]
    for path in paths:
        path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CheckpointError) as error:
        checkpoints.load_newest(tmp_path, history_length=10**9, on_skip=lambda *_: None)
    assert all(path.name in str(error.value) for path in paths)
    with pytest.raises(CheckpointError, match="has no checkpoint"):
        checkpoints.load_newest(tmp_path / "nowhere", history_length=10**9, on_skip=never)


def test_another_format_version_is_refused_with_both_versions(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "FORMAT_VERSION", 7)
    path = save(tmp_path, 1, checkpoint(), keep=2)
    monkeypatch.undo()
    for read in (checkpoints.read, checkpoints.metadata):
        with pytest.raises(CheckpointError, match="format version 7, but this lossrun reads 1, 2, 3; update"):
            read(path)


@pytest.mark.parametrize("content", [b"", b"\x00" * 7, b"\xff" * 64, b"\x02" + b"\x00" * 7 + b"{}"])
def test_a_file_that_is_no_checkpoint_is_refused(tmp_path, content):
    path = tmp_path / "best-seed0.safetensors"
    path.write_bytes(content)
    for read in (checkpoints.read, checkpoints.metadata):
        with pytest.raises(CheckpointError, match=r"best-seed0\.safetensors"):
            read(path)


@pytest.mark.parametrize(("keep", "kept"), [(3, [5, 4, 3]), (2, [5, 4]), (1, [5, 4]), (0, [5, 4])])
def test_the_newest_are_kept_and_never_fewer_than_two(tmp_path, keep, kept):
    for step in range(1, 6):
        save(tmp_path, step, checkpoint(step), keep=keep)
    assert steps(tmp_path) == kept


def test_best_weights_and_other_files_are_not_pruned(tmp_path):
    weights = save_best(tmp_path, {"w": np.zeros(2)}, BEST)
    for step in range(1, 5):
        save(tmp_path, step, checkpoint(step), keep=2)
    read = checkpoints.read(weights)
    assert read.metadata["best"] == BEST["best"]
    assert read.tensors["w"].tolist() == [0, 0]


def test_best_weights_of_an_earlier_end_go_when_the_new_ones_are_recorded(tmp_path):
    old, new = (save_best(tmp_path, {"w": np.full(2, value)}, BEST) for value in (0.0, 1.0))
    (tmp_path / "best-of-mine.safetensors").write_bytes(b"")
    assert checkpoints.best_files(tmp_path) == sorted([old, new])
    checkpoints.remove(checkpoints.best_files(tmp_path), but=[new.name])
    assert checkpoints.best_files(tmp_path) == [new]
    assert (tmp_path / "best-of-mine.safetensors").exists()


@given(st.data())
def test_one_changed_bit_in_best_weights_is_found(tmp_path_factory, data):
    path = save_best(tmp_path_factory.mktemp("best"), {"w": np.arange(4.0)}, BEST)
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=path.name):
        checkpoints.read(path)


def test_a_checkpoint_of_the_same_step_is_replaced(tmp_path):
    save(tmp_path, 1, checkpoint(1), keep=3)
    again = save(tmp_path, 1, checkpoint(2), keep=3)
    assert checkpoints.candidates(tmp_path) == [again]
    assert save(tmp_path, 1, checkpoint(2), keep=3) == again
    assert checkpoints.candidates(tmp_path) == [again]


def test_after_going_back_the_given_up_future_goes_and_the_past_stays(tmp_path):
    for step in (1, 2, 3):
        save(tmp_path, step, checkpoint(step), keep=3)
    for path in checkpoints.candidates(tmp_path)[:2]:
        path.write_bytes(b"damaged")
    path = save(tmp_path, 2, checkpoint(20), keep=2)
    assert steps(tmp_path) == [2, 1]
    assert checkpoints.load_newest(tmp_path, history_length=10**9, on_skip=never)[0] == path


def test_leavings_of_a_killed_write_are_removed(tmp_path):
    (tmp_path / ".step-00000001-0123456789abcdef.safetensors.00000000.tmp").write_bytes(b"half")
    path = save(tmp_path, 2, checkpoint(), keep=2)
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_reads_back_wrongly_costs_no_older_checkpoint(tmp_path, monkeypatch):
    for step in (1, 2):
        save(tmp_path, step, checkpoint(step), keep=2)
    monkeypatch.setattr(durable, "replace", lambda path, data: path.write_bytes(data[:-1]))
    with pytest.raises(CheckpointError, match="damaged"):
        save(tmp_path, 3, checkpoint(3), keep=2)
    assert steps(tmp_path) == [3, 2, 1]


def test_a_full_disk_is_a_run_error_and_costs_nothing(tmp_path, monkeypatch):
    old = save(tmp_path, 1, checkpoint(1), keep=2)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match="No space left"):
        save(tmp_path, 2, checkpoint(2), keep=2)
    assert list(tmp_path.iterdir()) == [old]


def test_the_newest_up_to_a_given_step_stays_beside_the_newest(tmp_path):
    for step in range(1, 8):
        save(tmp_path, step, checkpoint(step), keep=2, also_keep=min(step, 3))
    assert steps(tmp_path) == [7, 6, 3]


def test_removing_what_came_after_a_step(tmp_path):
    for step in (2, 4, 6, 8):
        save(tmp_path, step, checkpoint(step), keep=9)
    checkpoints.remove_after(tmp_path, 5)
    assert steps(tmp_path) == [4, 2]
    # Where nothing else is left, what there is stays.
    checkpoints.remove_after(tmp_path, 1)
    assert steps(tmp_path) == [4, 2]


def test_a_header_tells_how_many_numbers_a_file_holds(tmp_path):
    state = {
        "model.w": np.zeros((3, 2)),
        "model.b": np.zeros(()),
        "optimizer.w": np.zeros((3, 2)),
        "rng.x": np.zeros(0),
    }
    path = save(tmp_path, 1, Checkpoint(state, METADATA), keep=1)
    assert [checkpoint_headers.numbers(path, prefix) for prefix in ("", "model.", "rng.", "best.")] == [13, 7, 0, 0]


@pytest.mark.parametrize("header", [b"[1]", b'{"w": 3}', b'{"w": {"shape": 1}}', b'{"w": {"shape": ["a"]}}', b"no"])
def test_a_damaged_header_tells_no_numbers(tmp_path, header):
    path = tmp_path / "step-00000001-0123456789abcdef.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(CheckpointError, match="header cannot be read"):
        checkpoint_headers.numbers(path)


def test_one_that_was_renamed_to_another_step_is_skipped_aloud(tmp_path):
    older = save(tmp_path, 1, checkpoint(1, step=1), keep=2)
    newer = save(tmp_path, 3, checkpoint(3, step=3), keep=2)
    renamed = newer.rename(newer.with_name(newer.name.replace("00000003", "00000002")))
    skipped = []
    found, _ = checkpoints.load_newest(
        tmp_path, history_length=9999, on_skip=lambda path, reason: skipped.append((path, reason))
    )
    assert found == older
    ((path, reason),) = skipped
    assert path == renamed
    assert "it holds the state of step 3" in reason
