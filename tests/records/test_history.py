import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lossrun.errors import CheckpointError, RunError
from lossrun.records import history
from lossrun.records.files.rows import Rows


def row(epoch: int, **values: float | None) -> dict:
    return {"epoch": epoch, "step": 10 * epoch, "seed": 0, "train_loss": 1 / epoch, **values}


def test_rows_read_back_to_the_last_bit(tmp_path):
    path = tmp_path / "history.jsonl"
    rows = [row(1, val_loss=0.1 + 0.2), row(2, val_loss=5e-324)]
    length = history.append(path, rows)
    assert length == path.stat().st_size
    assert history.read(path) == history.History(Rows(rows), torn=False)


def test_non_finite_numbers_are_strings_in_the_file_and_numbers_again_when_read(tmp_path):
    path = tmp_path / "history.jsonl"
    history.append(path, [row(1, a=math.nan, b=math.inf, c=-math.inf)])
    stored = json.loads(path.read_text(), parse_constant=lambda constant: pytest.fail(constant))
    assert (stored["a"], stored["b"], stored["c"]) == ("nan", "inf", "-inf")
    read = history.read(path).rows[0]
    assert math.isnan(read["a"])
    assert (read["b"], read["c"]) == (math.inf, -math.inf)


def test_absent_values_are_left_out(tmp_path):
    path = tmp_path / "history.jsonl"
    history.append(path, [row(1, val_loss=None)])
    assert "val_loss" not in history.read(path).rows[0]


def test_a_missing_file_is_an_empty_history(tmp_path):
    assert history.read(tmp_path / "history.jsonl") == history.History(Rows(), torn=False)


@given(st.data())
def test_any_cut_short_write_keeps_all_complete_rows(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("torn") / "history.jsonl"
    lengths = [0, *(history.append(path, [row(epoch, val_loss=math.nan)]) for epoch in range(1, 4))]
    keep = data.draw(st.integers(0, lengths[-1]))
    path.write_bytes(path.read_bytes()[:keep])
    read = history.read(path)
    assert [r["epoch"] for r in read.rows] == list(range(1, sum(length <= keep for length in lengths)))
    assert read.torn is (keep not in lengths)


@pytest.mark.parametrize("damage", [b"{broken\n", b"[1]\n", b"\n", b'{"a": NaN}\n', b'{"a":1},{"b":2}\n'])
def test_a_damaged_line_before_the_last_is_named(tmp_path, damage):
    path = tmp_path / "history.jsonl"
    history.append(path, [row(1)])
    path.write_bytes(path.read_bytes() + damage)
    history.append(path, [row(2)])
    with pytest.raises(RunError, match="line 2"):
        history.read(path)


def test_cut_removes_what_came_after_the_checkpoint(tmp_path):
    path = tmp_path / "history.jsonl"
    length = history.append(path, [row(1)])
    whole = history.append(path, [row(2)])
    assert history.cut(path, whole) == 0
    assert history.cut(path, length) == whole - length
    assert [r["epoch"] for r in history.read(path).rows] == [1]


def test_a_history_shorter_than_the_checkpoint_says_is_damage(tmp_path):
    path = tmp_path / "history.jsonl"
    length = history.append(path, [row(1)])
    with pytest.raises(CheckpointError, match="older checkpoint"):
        history.cut(path, length + 1)
    assert path.stat().st_size == length
    assert history.cut(tmp_path / "missing.jsonl", 0) == 0


def test_the_last_epoch_is_that_of_the_last_complete_row(tmp_path):
    path = tmp_path / "history.jsonl"
    assert history.last_epoch(path) == 0
    history.append(path, [{"epoch": 7, "seed": seed, "val_loss": 0.5} for seed in range(2000)])  # longer than one look
    assert history.last_epoch(path) == 7
    whole = path.read_bytes()
    for torn in (b'{"epoch": 8, "se', b'{"epoch": 8'):
        path.write_bytes(whole + torn)
        assert history.last_epoch(path) == 7
    path.write_bytes(b"not a row\n")
    assert history.last_epoch(path) == 0


@pytest.mark.parametrize("beyond", [math.inf, -math.inf, math.nan, -1e-9])
@pytest.mark.parametrize("column", ["seconds", "train_seconds"])
@pytest.mark.parametrize("others", [[], [{"val_loss": 1.0}]])
def test_times_are_finite(tmp_path, column, beyond, others):
    """They are added up and drawn. `others`: rows with other keys, which are kept in another way."""
    path = tmp_path / "history.jsonl"
    rows = [row(1, **{column: 0.0}), row(2, **{column: 1e308}), row(3, **{column: 1e308})]
    history.append(path, rows)
    assert list(history.read(path).rows.column(column)) == [0.0, 1e308, 1e308]
    history.append(path, [row(4, **{column: beyond}), *(row(5, **other) for other in others)])
    with pytest.raises(RunError, match=f"{column} is "):
        history.read(path)
