"""Rows kept by column next to the list of dicts that they stand for."""

import math
import sys
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lossrun.records.files.rows import Rows
from lossrun.records.history import History

VALUES = st.one_of(
    st.floats(allow_nan=False), st.integers(-(2**70), 2**70), st.none(), st.booleans(), st.text(max_size=3)
)
ROWS = st.lists(st.dictionaries(st.sampled_from("abc"), VALUES), max_size=12)
SIMILAR = st.lists(st.fixed_dictionaries({"epoch": st.integers(0, 9), "loss": st.floats(allow_nan=False)}), max_size=12)


@given(rows=st.one_of(ROWS, SIMILAR), cut=st.integers(0, 12))
@example(rows=[{"a": 0.0}, {"a": 2**53 + 1}], cut=0)
def test_it_is_the_sequence_of_its_rows(rows: list[dict[str, object]], cut: int) -> None:
    """However they were added, alike or not. True equals 1 and 1.0, and "nan" is what a file calls no number."""
    rows = [{key: value for key, value in row.items() if value not in ("nan", "inf", "-inf")} for row in rows]
    kept = Rows(rows[:cut])
    kept.extend(rows[cut:])
    assert kept == rows
    assert len(kept) == len(rows)
    assert list(reversed(kept)) == rows[::-1]
    assert [kept[place] for place in range(-len(rows), len(rows))] == rows * 2
    assert kept[1:-1] == rows[1:-1]
    assert kept[::-2] == rows[::-2]
    for name in "abc":
        assert list(kept.column(name)) == [row.get(name) for row in rows]
        assert [place for some in kept.places(name) for place in some] == [
            place for place, row in enumerate(rows) if name in row
        ]
    assert kept.names == list(dict.fromkeys(name for row in rows for name in row))


def test_floats_are_the_same_to_the_bit_and_whole_numbers_whole() -> None:
    floats = [0.1, -0.0, 5e-324, sys.float_info.max, 1 / 3]
    rows = Rows([{"epoch": epoch, "loss": loss} for epoch, loss in enumerate(floats)])
    assert [value.hex() for value in rows.column("loss")] == [value.hex() for value in floats]
    assert list(map(type, rows.column("epoch"))) == [int] * 5


def test_numbers_that_are_none_come_as_a_file_has_them() -> None:
    rows = Rows([{"loss": 1.5}, {"loss": "nan"}, {"loss": "-inf"}, {"loss": 2}])
    assert math.isnan(rows[1]["loss"])
    assert rows[2:] == [{"loss": -math.inf}, {"loss": 2.0}]


def test_there_is_no_row_beyond_the_last() -> None:
    rows = Rows([{"a": 1.0}])
    for place in (1, -2):
        with pytest.raises(IndexError):
            rows[place]
    assert rows != [{"a": 2.0}]
    assert rows != "a"
    assert Rows() == []


def test_a_row_is_made_anew_each_time() -> None:
    rows = Rows([{"a": 1.0}])
    rows[0]["a"] = 2.0
    assert rows[0] == {"a": 1.0}


def test_no_number_equals_itself_in_the_same_place() -> None:
    rows, damaged = [{"a": 1.0}, {"a": math.nan}], [{"a": 1.0}, {"a": 2.0}]
    assert Rows(rows) == Rows([*rows[:1], {"a": float("nan")}])
    assert Rows(rows) != Rows(damaged)
    assert Rows(rows) != Rows(rows[:1])
    assert Rows([{"a": None}, {"a": 1.0}]) == Rows([{"a": None}, {"a": 1}])


def test_keys_that_alternate_are_kept_as_they_came() -> None:
    rows = [{"epoch": n, "loss": 1.5} if n % 2 else {"epoch": n, "loss": "inf", "extra": True} for n in range(100)]
    kept = Rows([{"epoch": -1, "loss": 0.5}])
    kept.extend(rows)
    kept.extend([{"epoch": 100, "loss": 0.5}])
    assert len(kept) == 102
    assert kept[1] == {"epoch": 0, "loss": math.inf, "extra": True}
    assert kept[2:4] == [{"epoch": 1, "loss": 1.5}, {"epoch": 2, "loss": math.inf, "extra": True}]
    assert list(kept.column("epoch")) == list(range(-1, 101))
    assert [place for some in kept.places("extra") for place in some] == list(range(1, 101, 2))
    kept[1]["extra"] = False
    assert kept[1]["extra"] is True


def test_a_whole_number_beyond_all_floats_and_one_among_fractions() -> None:
    huge = [{"a": 0.5}, {"a": 10**400}]
    assert Rows(huge) == huge
    epochs = Rows([{"epoch": 1}, {"epoch": 2.0}, {"epoch": 3}])
    assert list(map(type, epochs.column("epoch"))) == [int, float, int]


def test_a_history_takes_any_rows() -> None:
    rows = [{"epoch": 1, "seed": 0, "loss": 0.5}]
    assert History(tuple(rows)).rows.column("loss")[0] == 0.5
    assert replace(History(Rows(rows)), rows=Rows(rows)[:0]).rows == []


def test_truths_stay_truths() -> None:
    rows = Rows([{"a": True}, {"a": False}])
    assert [row["a"] is True for row in rows] == [True, False]
